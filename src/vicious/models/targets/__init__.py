"""Target models F, one file each, named as the model.

:mod:`vicious.models.architecture` says what a file holds.
A target model normalises images by its buffers ``mean`` and ``std``, both (1, channels, 1, 1), which training sets.
Shapes: images (N, channels, 32, 32) in [0, 1] -> logits (N, outputs).
"""
