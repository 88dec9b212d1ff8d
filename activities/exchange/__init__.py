"""Order effects on a venue."""
