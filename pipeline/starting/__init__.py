"""A composed job on its way into processes, and what the terminal shows of it."""
