"""Training and evaluation; the only core room that knows MindSpore.

Importing this package, `checkpoints` or `order` does not import MindSpore.
"""
