"""How the database fails: for now, or for good."""

from __future__ import annotations


class StoreUnavailable(Exception):
    """The database did not answer now (locked, restarting, gone): the same call may be tried again."""


class StoreRefused(ValueError):
    """The database refused a value for good: a broken key, a number or time it cannot hold. Never retried."""
