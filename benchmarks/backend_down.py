"""What the application's calls cost while its HTTP receiver is killed and started again, against a no-op sink.

The load of ``slow_sink``: bursts of 20 calls every 10 ms, first into a no-op sink, then into an HTTP sink with a
spool, then into a no-op sink again: one after the other, because what one does in the background would be felt by the
other. The receiver is killed twice, and stays away for a quarter of the time each. At the end it is asked for every
event.
"""

import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import fapilog
from benchmarks.contenders.ours import bound, start_slow
from benchmarks.harness import (
    LOGGER_NAME,
    NS,
    Emit,
    arguments,
    leave,
    percentile,
    report,
    rss_bytes,
    scratch,
    span,
    time_calls,
    timing_cost,
)
from benchmarks.restarts import Restarts, restarting
from benchmarks.slow_sink import BURST, CAPACITY, INTERVAL_NS

_PATIENCE_SECONDS = 60.0


class Step(NamedTuple):
    """One stretch of the run: what happens to the receiver at its beginning, and its share of the time."""

    command: str
    share: float


STEPS = (Step("", 0.15), Step("kill", 0.25), Step("start", 0.15), Step("kill", 0.25), Step("start", 0.2))


class Stretch(NamedTuple):
    """What a stretch gave: how long each call took, and the most memory while it did."""

    took: "array[int]"
    most_bytes: int


def main() -> None:
    """Run it."""
    seconds = arguments().pick(12.0, 4.0)
    with scratch() as directory, span():
        before = _no_op(seconds / 4)
        with restarting(directory / "receiver") as receiver:
            figures = _http(directory / "spool", receiver, seconds)
        no_op = before + _no_op(seconds / 4)
    cost = timing_cost()
    figures |= {"no_op_p50_ns": percentile(no_op, 50) - cost, "no_op_p99_ns": percentile(no_op, 99) - cost}
    report(**figures, ratio=figures["http_p99_ns"] / figures["no_op_p99_ns"])
    leave()


def _no_op(seconds: float) -> "array[int]":
    running = start_slow(0.0, CAPACITY)
    took = _bursts(running.emit, 0, seconds).took
    running.stop()
    return took


def _http(spool: Path, receiver: Restarts, seconds: float) -> dict[str, float]:
    builder = fapilog.LoggerBuilder().with_name(LOGGER_NAME).with_queue(capacity=CAPACITY, max_bytes="1 GB")
    logger = builder.add_http(receiver.url).with_spool(spool).with_circuit_breaker(reset_seconds=1.0).build()
    emit = bound(logger).emit
    time_calls(emit, 0, BURST)
    logger.flush(_PATIENCE_SECONDS)
    sent = BURST
    stretches = []
    for step in STEPS:
        if step.command:
            receiver.tell(step.command)
        stretch = _bursts(emit, sent, seconds * step.share)
        sent += len(stretch.took)
        stretches.append(stretch)
    _until(lambda: len(receiver.sequences()) >= sent)
    arrived = set(receiver.sequences())
    logger.drain(_PATIENCE_SECONDS)
    cost = timing_cost()
    everything = _joined(stretches)
    down = _joined([stretch for stretch, step in zip(stretches, STEPS, strict=True) if step.command == "kill"])
    return {
        "http_p50_ns": percentile(everything, 50) - cost,
        "http_p99_ns": percentile(everything, 99) - cost,
        "down_p99_ns": percentile(down, 99) - cost,
        "growth_bytes": max(stretch.most_bytes for stretch in stretches[1:]) - stretches[0].most_bytes,
        "events": sent,
        "lost": sum(number not in arrived for number in range(sent)),
    }


def _bursts(emit: Emit, first: int, seconds: float) -> Stretch:
    took = array("q")
    most = 0
    due = time.perf_counter_ns()
    end = due + int(seconds * NS)
    while due < end:
        due = max(due + INTERVAL_NS, time.perf_counter_ns())
        time.sleep(max(0, due - time.perf_counter_ns()) / NS)
        took.extend(time_calls(emit, first + len(took), BURST))
        most = max(most, rss_bytes())
    return Stretch(took, most)


def _joined(stretches: list[Stretch]) -> "array[int]":
    joined = array("q")
    for stretch in stretches:
        joined.extend(stretch.took)
    return joined


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not done() and time.monotonic() < deadline:
        time.sleep(0.2)


if __name__ == "__main__":
    main()
