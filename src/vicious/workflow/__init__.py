"""What the workflow needs to know of a machine: resources, budget, locks."""
