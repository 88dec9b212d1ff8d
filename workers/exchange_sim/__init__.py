"""A simulated exchange that speaks Binance Spot REST."""
