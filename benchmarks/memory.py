"""What one queued event holds: four scalar fields, behind a sink that is stuck.

Resident memory over the first half, what ``tracemalloc`` sees over the second.
"""

import gc
import time
import tracemalloc

from benchmarks.contenders import load
from benchmarks.harness import Emit, arguments, leave, report, rss_bytes, span

EVENTS = 50_000
FIRST = 2_000
CAPACITY = 120_000
STUCK_SECONDS = 3_600.0


def main() -> None:
    """Run one contender."""
    args = arguments()
    with span():
        running = load(args.contender).start_slow(STUCK_SECONDS, CAPACITY)
        _emit(running.emit, 0, FIRST)
        time.sleep(0.5)  # the worker takes its first slice, and is stuck with it
        gc.collect()
        before = rss_bytes()
        _emit(running.emit, FIRST, EVENTS)
        resident = rss_bytes() - before
        gc.collect()
        tracemalloc.start()
        _emit(running.emit, FIRST + EVENTS, EVENTS)
        traced, _ = tracemalloc.get_traced_memory()
    report(rss_bytes_per_event=resident / EVENTS, traced_bytes_per_event=traced / EVENTS)
    leave()


def _emit(emit: Emit, first: int, count: int) -> None:
    for number in range(first, first + count):
        emit(number)


if __name__ == "__main__":
    main()
