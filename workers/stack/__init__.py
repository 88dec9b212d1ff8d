"""Finds, starts, watches and stops the local servers."""
