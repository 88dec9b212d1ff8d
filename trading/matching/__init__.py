"""A venue's own view: book, filters, fills, fees and balances. Never imports orders or ledger."""
