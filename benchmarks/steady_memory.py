"""Resident memory while a million events go through to a file; it should not grow after the first 100 000.

How full the queue is at one moment moves the figure by some megabytes, so the highest of many looks after the
first 100 000 events is held against the highest of many before.
"""

import time

from benchmarks.contenders import load
from benchmarks.harness import arguments, report, rss_bytes, scratch, span

STEP = 2_000
SETTLED = 100_000


def main() -> None:
    """Run one contender; one that is slow is stopped early, and its count says so."""
    args = arguments()
    events = int(args.pick(1_000_000, 300_000))
    deadline = time.monotonic() + args.pick(20.0, 5.0)
    early, late = [0], [0]
    sent = 0
    with scratch() as directory, span():
        running = load(args.contender).start(directory)
        while sent < events and (sent < 2 * SETTLED or time.monotonic() < deadline):
            for number in range(sent, sent + STEP):
                running.emit(number)
            sent += STEP
            (early if sent <= SETTLED else late).append(rss_bytes())
        running.stop()
    report(settled_bytes=max(early), growth_bytes=max(late) - max(early), events=sent)


if __name__ == "__main__":
    main()
