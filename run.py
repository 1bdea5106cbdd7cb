"""The start file of MindRun: python run.py [COMMAND] [group=choice ...] [key=value ...]."""

# This file is read by old Pythons too, so that they can say what is wrong: no new syntax here.
import os
import sys

if not (3, 9) <= sys.version_info[:2] <= (3, 12):
    sys.stderr.write(
        "MindRun needs Python 3.9 to 3.12, this is %d.%d: choose another python, "
        "or on a platform an image with Python 3.9 or newer (MindSpore 2.2 or newer).\n"
        % sys.version_info[:2]
    )
    sys.exit(2)

from pipeline import bootstrap  # noqa: E402  the version comes first

if __name__ == "__main__":
    sys.exit(bootstrap.start(sys.argv[1:], os.path.dirname(os.path.abspath(__file__))))
