"""MLflow entry point `evaluate`: the same as `nmt-keras evaluate`."""

import sys

from nmt_keras.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
