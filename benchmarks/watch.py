"""A process beside a contender that looks at its files every half millisecond.

Prints ``ready``, watches until its standard input ends, then prints p50 and p99 of the delay from the number in
an event (the time of its call) to the moment its line was seen.
"""

import sys
import threading
import time
from pathlib import Path

from benchmarks.harness import SEQUENCE, Lines, percentile

_POLL_SECONDS = 0.0005


def main() -> None:
    """Watch the directory named on the command line."""
    lines = Lines(Path(sys.argv[1]))
    lines.read()
    delays: list[int] = []
    ended = threading.Event()
    threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not ended.is_set():
        data = lines.read()
        if data:
            now = time.perf_counter_ns()
            delays.extend(now - int(stamp) for stamp in SEQUENCE.findall(data))
        time.sleep(_POLL_SECONDS)
    if delays:
        sys.stdout.write(f"{percentile(delays, 50)} {percentile(delays, 99)}\n")


def _wait_for_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


if __name__ == "__main__":
    main()
