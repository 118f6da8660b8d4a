"""MLflow entry point `prepare`: the same as `nmt-keras prepare`."""

import sys

from nmt_keras.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["prepare", *sys.argv[1:]]))
