"""Attack models G, one file each, named as the model.

:mod:`vicious.models.architecture` says what a file holds.
Shapes: what is read of the outputs (N, inputs) -> images (N, channels, 32, 32) in (0, 1).
They are here and not among the attacks, since a checkpoint, which is below attacks, must build each by its name.
"""
