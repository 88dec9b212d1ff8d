"""Worker processes: roles, wiring, plugin, health, shutdown."""
