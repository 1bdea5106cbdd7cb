"""Training and evaluation; the only core room that knows MindSpore.

Importing this package, `checkpoints` or `order` does not import MindSpore.
"""

import os

# Read when MindSpore is imported: its warnings speak of private matters, errors stay, and a
# user's own level wins.
os.environ.setdefault("GLOG_v", "3")
