"""How the agent is set."""
