"""The verbs of the workflow, one file each. They never import each other."""
