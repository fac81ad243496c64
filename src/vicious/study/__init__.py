"""What is asked for: the configuration, the grid of models, and where everything lies."""
