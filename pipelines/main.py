"""MLflow entry point `main`: the same as `nmt-keras main`."""

import sys

from nmt_keras.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["main", *sys.argv[1:]]))
