"""Market data and what is observed in it."""
