"""Where results come from, and whether they are what is asked for."""
