"""What planning touches: the symbols a venue lists, and the records a plan is made of and kept in."""
