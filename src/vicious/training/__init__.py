"""Training of target and attack models: augmentation, losses, the loop, and the three kinds of training job."""
