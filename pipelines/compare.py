"""MLflow entry point `compare`: the same as `nmt-keras compare`."""

import sys

from nmt_keras.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["compare", *sys.argv[1:]]))
