"""What the agent knows: pure, deterministic, typed. No I/O, no clock, no ambient randomness."""
