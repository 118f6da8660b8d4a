"""MLflow entry point `export`: the same as `nmt-keras export`."""

import sys

from nmt_keras.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["export", *sys.argv[1:]]))
