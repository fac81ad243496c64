"""Synthetic stand-ins: what datasets draw their images with, and write them with in the official on-disk formats.

They are no data about the world. They exist so that the whole study runs without a network, and so that the loaders for
real data are the ones exercised. Each image depends on the dataset, the seed, the official split and its index alone,
so a longer stand-in extends a shorter one; labels are as balanced as possible, in shuffled order. Nothing here knows a
dataset by its name.
"""
