"""`python -m rlattack`: the command line."""

import signal
import sys

from rlattack.cli.main import main

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
