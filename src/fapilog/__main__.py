"""``python -m fapilog``."""

import sys

from fapilog.cli import main

sys.exit(main(sys.argv[1:]))
