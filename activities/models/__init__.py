"""Language models and the two rule analysts."""
