"""Events a second from one thread to a receiver in another process, from the first call to the last acknowledgement.

The same events as everywhere here. Some go ahead and warm everything up, and are acknowledged before the clock
starts. A contender that sends as it is called is stopped after some seconds. Afterwards the receiver is asked what it
has: only what arrived counts, ``lost`` are the events that never did, ``again`` those that arrived more than once.
"""

import time
from collections import Counter

from benchmarks.harness import NS, arguments, leave, report, scratch, span
from benchmarks.remote import Unavailable, load

WARM_UP = 1_000
CHUNK = 100


def main() -> None:
    """Run one contender."""
    args = arguments()
    try:
        report(**_measure(args.contender, int(args.pick(50_000, 20_000)), args.pick(4.0, 1.5)))
    except Unavailable as error:
        report(skipped=str(error))
    leave()


def _measure(contender: str, events: int, seconds: float) -> dict[str, float]:
    start = load(contender)
    with scratch() as directory, span(), start(directory) as sending:
        for number in range(WARM_UP):
            sending.emit(number)
        sending.settle()
        sent = 0
        busy = time.process_time_ns()
        began = time.perf_counter_ns()
        deadline = began + int(seconds * NS)
        while sent < events and time.perf_counter_ns() < deadline:
            for number in range(WARM_UP + sent, WARM_UP + sent + CHUNK):
                sending.emit(number)
            sent += CHUNK
        called = time.perf_counter_ns()
        sending.settle()
        ended = time.perf_counter_ns()
        busy = time.process_time_ns() - busy
        arrived = Counter(sending.sequences())
    delivered = sum(number in arrived for number in range(WARM_UP, WARM_UP + sent))
    return {
        "events_per_second": delivered * NS / (ended - began),
        "caller_ns": (called - began) / sent,
        "cpu_ns": busy / sent,
        "events": sent,
        "lost": sum(number not in arrived for number in range(WARM_UP + sent)),
        "again": sum(count - 1 for count in arrived.values()),
    }


if __name__ == "__main__":
    main()
