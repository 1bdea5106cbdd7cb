"""The start file of MindRun: python run.py [COMMAND] [group=choice ...] [key=value ...]."""

# Old Pythons read this file too, so that they can say what is wrong: no new syntax here.
import os
import sys

if not (3, 9) <= sys.version_info[:2] <= (3, 12):
    sys.stderr.write(
        "MindRun needs Python 3.9 to 3.12, this is {}.{}: choose another python, or on a "
        "platform an image with Python 3.9 or newer.\n".format(*sys.version_info[:2])
    )
    sys.exit(2)

from pipeline import bootstrap

if __name__ == "__main__":
    sys.exit(bootstrap.start(sys.argv[1:], os.path.realpath(__file__)))
