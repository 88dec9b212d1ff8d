"""The database: the truth about what was decided and done."""
