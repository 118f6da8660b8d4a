"""MLflow entry point `train`: the same as `nmt-keras train`."""

import sys

from nmt_keras.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
