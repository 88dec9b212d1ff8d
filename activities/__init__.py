"""What the agent touches: one folder a port."""
