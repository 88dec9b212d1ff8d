"""What an operator's verbs do to a running house; a file a reason to touch it."""
