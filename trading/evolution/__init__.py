"""How strategies are scored, varied, tested, promoted and culled, without fooling ourselves."""
