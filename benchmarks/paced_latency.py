"""What one call costs at 100 events a second, when a background worker may be asleep, and when the line is on disk.

Alone, then beside one CPU-bound thread. The time of the call travels as the event's number, so that a watcher
in another process can tell the delay until it sees the line. After a sleep every cache is cold: the contender
``floor``, which appends a tuple to a deque, shows what the machine itself asks for any such call.
"""

import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contenders import load
from benchmarks.harness import NS, Emit, arguments, busy_thread, percentile, report, scratch, span, timing_cost

PER_SECOND = 100
WARM_UP = 50


def main() -> None:
    """Run one contender."""
    args = arguments()
    count = int(PER_SECOND * args.pick(2.5, 1.0))
    figures: dict[str, float] = {}
    with scratch() as directory, span():
        running = load(args.contender).start(directory)
        _paced(running.emit, WARM_UP)
        with _watched(directory, figures, "alone"):
            _add(figures, "alone", _paced(running.emit, count))
        with _watched(directory, figures, "busy"), busy_thread():
            _add(figures, "busy", _paced(running.emit, count))
        running.stop()
    report(**figures)


def _paced(emit: Emit, count: int) -> "array[int]":
    took = array("q")
    clock = time.perf_counter_ns
    due = clock()
    for _ in range(count):
        due += NS // PER_SECOND
        time.sleep(max(0, due - clock()) / NS)
        began = clock()
        emit(began)
        took.append(clock() - began)
    return took


def _add(figures: dict[str, float], name: str, took: "array[int]") -> None:
    cost = timing_cost()
    figures[f"{name}_p50_ns"] = percentile(took, 50) - cost
    figures[f"{name}_p99_ns"] = percentile(took, 99) - cost
    figures[f"{name}_p999_ns"] = percentile(took, 99.9) - cost


@contextmanager
def _watched(directory: Path, figures: dict[str, float], name: str) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.watch", str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watcher:  # noqa: S603 - ourselves
        if watcher.stdout is None or watcher.stdin is None:
            raise RuntimeError(command)
        watcher.stdout.readline()
        yield
        time.sleep(1.0)  # for the slowest contender's last line
        watcher.stdin.close()
        seen = watcher.stdout.readline().split()
    if seen:  # the floor writes nothing
        figures[f"{name}_disk_p50_ns"], figures[f"{name}_disk_p99_ns"] = map(float, seen)


if __name__ == "__main__":
    main()
