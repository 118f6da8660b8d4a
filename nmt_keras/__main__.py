"""`python -m nmt_keras` is the command `nmt-keras`."""

import sys

from nmt_keras.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
