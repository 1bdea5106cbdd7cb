"""What people read: the terminal, logs, tables; in right spelling and without credentials."""
