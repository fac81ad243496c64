"""Formats of models: one file each, found by being there.

A file holds

- ``recognises(path, head)``: whether a file is of the format, by its first bytes ``head`` and what it holds;
- ``load(path, asked)``: the :class:`~vicious.auditing.loaded.Loaded` model. No code of the file runs but its graph.
"""
