"""The digits that ship with MindRun, and the script that made them."""
