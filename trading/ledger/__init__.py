"""Fills become positions, profit and loss, and differences to the venue."""
