"""From the command line, YAML and what a platform says to a frozen Job, all mistakes at once."""
