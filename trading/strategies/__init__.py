"""Strategies as data, and their one evaluator."""
