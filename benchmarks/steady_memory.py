"""Resident memory while a million events go through to a file; it should not grow after the first 100 000."""

import time

from benchmarks.contenders import load
from benchmarks.harness import arguments, report, rss_bytes, scratch, span

STEP = 50_000
SETTLED = 100_000


def main() -> None:
    """Run one contender; one that is slow is stopped early, and its count says so."""
    args = arguments()
    events = int(args.pick(1_000_000, 300_000))
    deadline = time.monotonic() + args.pick(20.0, 5.0)
    sizes: dict[int, int] = {}
    with scratch() as directory, span():
        running = load(args.contender).start(directory)
        for first in range(0, events, STEP):
            for number in range(first, first + STEP):
                running.emit(number)
            sizes[first + STEP] = rss_bytes()
            if time.monotonic() > deadline and first >= SETTLED:
                break
        running.stop()
    settled = sizes[SETTLED]
    report(
        settled_bytes=settled,
        growth_bytes=max(size for count, size in sizes.items() if count > SETTLED) - settled,
        end_growth_bytes=list(sizes.values())[-1] - settled,
        events=max(sizes),
    )


if __name__ == "__main__":
    main()
