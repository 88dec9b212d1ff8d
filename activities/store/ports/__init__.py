"""The ports to the database, one for each reader's need; all are served by one store."""
