import os
import sys

from pipeline import bootstrap

if __name__ == "__main__":
    sys.exit(bootstrap.start(sys.argv[1:], os.path.realpath(__file__)))
