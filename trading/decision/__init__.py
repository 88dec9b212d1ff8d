"""From proposals to one verified decision."""
