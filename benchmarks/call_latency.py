"""What one call costs its caller in a tight loop, in a bound context and inside a span.

Bursts of fewer events than any queue holds; after each burst the scenario waits until every line of it is in
the file, so nothing waits, nothing drops, and the background threads work during the next burst.
"""

import time
from array import array

from benchmarks.contenders import load
from benchmarks.harness import Lines, arguments, percentile, report, scratch, span, time_calls, timing_cost

BURST = 2_000
BURSTS = 50
MIN_BURSTS = 3


def main() -> None:
    """Run one contender."""
    args = arguments()
    seconds = args.pick(3.0, 1.0)
    with scratch() as directory, span():
        running = load(args.contender).start(directory)
        lines = Lines(directory)
        sent = 0
        samples: array[int] = array("q")
        began = time.monotonic()
        for burst in range(BURSTS + 1):
            if burst > MIN_BURSTS and time.monotonic() - began > seconds:
                break
            took = time_calls(running.emit, sent, BURST)
            sent += BURST
            lines.settle(sent)
            if burst:  # the first one warms up
                samples.extend(took)
        cost = timing_cost()
        running.stop()
    report(
        p50_ns=percentile(samples, 50) - cost,
        p99_ns=percentile(samples, 99) - cost,
        p999_ns=percentile(samples, 99.9) - cost,
        samples=len(samples),
    )


if __name__ == "__main__":
    main()
