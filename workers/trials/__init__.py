"""One runner for demo, replay, chaos and benchmarks."""
