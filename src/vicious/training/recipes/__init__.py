"""Other ways to train an honest model, one file each, found by its name; each changes one thing."""
