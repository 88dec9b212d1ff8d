"""The weekly evolution: its records, its candles, and the processes that compute it."""
