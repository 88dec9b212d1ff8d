"""One strategy over a whole history: the live facts, the one evaluator, the live gate, the venue's own fills."""
