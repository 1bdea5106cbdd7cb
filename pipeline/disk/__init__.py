"""Files and folders that are whole or absent, and how times and values stand in them."""
