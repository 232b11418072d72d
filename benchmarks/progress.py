"""What the runner says while it works: on standard error, the results being on standard output."""

import sys


def say(text: str) -> None:
    """Print one line to standard error at once."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
