"""What the agent does: one file a sequence."""
