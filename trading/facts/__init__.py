"""Candles become facts with ids, values, units and times."""
