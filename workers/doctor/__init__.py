"""What `perennial doctor` looks at: a file a family of checks. They start, change and pay for nothing unasked."""
