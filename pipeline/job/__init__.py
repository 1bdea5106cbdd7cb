"""The frozen Job: its keys, their types and ranges, and components checked without an import."""
