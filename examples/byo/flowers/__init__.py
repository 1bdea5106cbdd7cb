"""A project of somebody's own: how its data are read, what learns from them, what is made of it."""
