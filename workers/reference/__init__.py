"""Writes `docs/reference` from the tables in the code: `python -m workers.reference docs/reference`."""
