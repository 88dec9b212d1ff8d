"""Orders: what is asked of a venue, what its answers mean, and the states between."""
