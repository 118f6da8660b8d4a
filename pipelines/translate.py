"""MLflow entry point `translate`: the same as `nmt-keras translate`."""

import sys

from nmt_keras.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["translate", *sys.argv[1:]]))
