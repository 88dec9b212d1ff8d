"""Alembic's entry: runs on the connection that `activities.store.migrate` opened, inside its transaction."""

from __future__ import annotations

from alembic import context

from activities.store.tables import Row

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Row.metadata, render_as_batch=True)
context.run_migrations()
