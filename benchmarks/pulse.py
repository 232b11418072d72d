"""A process that writes the time to its standard output, 1 000 times a second on average, at uneven intervals."""

import os
import random
import struct
import sys
import time

_STAMP = struct.Struct("=q")


def main() -> None:
    """Write until killed or until nobody reads."""
    output = sys.stdout.fileno()
    uneven = random.Random(1)  # noqa: S311 - no secret
    while True:
        try:
            os.write(output, _STAMP.pack(time.perf_counter_ns()))
        except BrokenPipeError:
            return
        time.sleep(uneven.uniform(0.0002, 0.0018))


if __name__ == "__main__":
    main()
