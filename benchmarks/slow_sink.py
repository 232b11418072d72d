"""What a sink that takes 100 ms for each batch does to the caller, against one that takes no time.

Bursts of 20 calls every 10 ms; each contender's own kind of slow sink (a batch for us, an event for the others).
"""

import time
from array import array

from benchmarks.contenders import load
from benchmarks.harness import NS, Emit, arguments, leave, percentile, report, span, time_calls, timing_cost

BURST = 20
INTERVAL_NS = 10_000_000
CAPACITY = 10_000


def main() -> None:
    """Run one contender."""
    args = arguments()
    seconds = args.pick(2.0, 0.8)
    contender = load(args.contender)
    with span():
        quick = contender.start_slow(0.0, CAPACITY)
        fast_p99 = _p99(quick.emit, seconds)
        quick.stop()
        slow_p99 = _p99(contender.start_slow(0.1, CAPACITY).emit, seconds)
    report(no_op_p99_ns=fast_p99, slow_p99_ns=slow_p99, ratio=slow_p99 / fast_p99)
    leave()


def _p99(emit: Emit, seconds: float) -> float:
    time_calls(emit, 0, BURST)
    took = array("q")
    due = time.perf_counter_ns()
    end = due + int(seconds * NS)
    while due < end:
        due = max(due + INTERVAL_NS, time.perf_counter_ns())
        time.sleep(max(0, due - time.perf_counter_ns()) / NS)
        took.extend(time_calls(emit, 0, BURST))
    return percentile(took, 99) - timing_cost()


if __name__ == "__main__":
    main()
