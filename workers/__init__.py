"""How the agent runs: processes only."""
