"""Every threshold once: code, type, default, unit, bounds, message."""
