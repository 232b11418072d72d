"""A sink whose latency jumps from 1 ms to 200 ms a batch for some seconds and back, under a steady load.

Against batches of 500, one at a time: at 200 ms a batch that is room for 2 500 events a second, so a fixed
configuration has to drop under 6 000, and all the more under the double load of 12 000. Every 50 ms what the engine
shows of itself is written down, for the picture (``benchmarks.adaptive_plot``).
"""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Sized
from itertools import pairwise
from typing import Any, NamedTuple

import fapilog
from benchmarks.contenders.ours import bound
from benchmarks.harness import LOGGER_NAME, NS, Emit, arguments, report
from benchmarks.venvs import HOME

LOADS = {"fixed": 6_000, "adaptive": 6_000, "fixed_double": 12_000, "adaptive_double": 12_000}
"""Events a second of each contender."""
BURSTS_PER_SECOND = 200
CAPACITY = 10_000
QUICK_SECONDS = 0.001
SLOW_SECONDS = 0.2
LEVELS = ("normal", "elevated", "high", "critical")
_LOOK_SECONDS = 0.05
_PATIENCE_SECONDS = 60.0


class Sink:
    """Takes ``latency`` seconds for a batch.

    Attributes:
        latency: Changed while it runs.
        in_flight: How many batches it has at the moment.
        taken: How many events it has taken.
        last: How many events the last batch had.
    """

    name = "receiver"

    def __init__(self) -> None:
        """Be quick."""
        self.latency = QUICK_SECONDS
        self.in_flight = self.taken = self.last = 0

    async def open(self) -> None:
        """Do nothing."""

    async def write(self, batch: Sized) -> None:
        """Wait as long as a receiver would; the latency is the one of the moment at which the batch came."""
        self.in_flight += 1
        self.last = len(batch)
        await asyncio.sleep(self.latency)
        self.in_flight -= 1
        self.taken += len(batch)

    async def close(self) -> None:
        """Do nothing."""


class Look(NamedTuple):
    """What was seen at one moment; ``seconds`` since the beginning."""

    seconds: float
    latency_ms: float
    waiting: int
    level: int
    limit: int
    batch: int
    in_flight: int
    dropped: int


class Phases(NamedTuple):
    """When, in seconds since the beginning, the sink becomes slow, quick again, and the load ends."""

    slow: float
    quick: float
    end: float


class Loaded(NamedTuple):
    """What logs an event, and how often it is called."""

    emit: Emit
    per_second: int


def main() -> None:
    """Run one of the two."""
    args = arguments()
    slow = args.pick(6.0, 3.5)
    phases = Phases(1.5, 1.5 + slow, 1.5 + slow + args.pick(6.0, 4.0))
    sink = Sink()
    builder = fapilog.LoggerBuilder().with_name(LOGGER_NAME).with_queue(capacity=CAPACITY, max_bytes="1 GB")
    builder = builder.with_shutdown_timeout(_PATIENCE_SECONDS).add_sink(sink)
    if args.contender.startswith("adaptive"):
        builder = builder.with_adaptive()
    logger = builder.build()
    running = bound(logger)
    running.emit(0)
    logger.flush(_PATIENCE_SECONDS)
    engine: Any = logger._engine()  # noqa: SLF001 - what the debug route shows
    looks = _run(Loaded(running.emit, LOADS[args.contender]), sink, engine.snapshot, phases)
    logger.drain(_PATIENCE_SECONDS)
    HOME.mkdir(exist_ok=True)
    kept = {"phases": phases._asdict(), "looks": [look._asdict() for look in looks]}
    (HOME / f"adaptive-{args.contender}.json").write_text(json.dumps(kept))
    report(**figures(looks, phases))


def figures(looks: list[Look], phases: Phases) -> dict[str, float]:
    """Return what is told of a run."""
    steps = [(before.level, after.level) for before, after in pairwise(looks) if before.level != after.level]
    turns = sum(first[1] < first[0] and second[1] > second[0] for first, second in pairwise(steps))
    return {
        "dropped": looks[-1].dropped,
        "most_waiting": max(look.waiting for look in looks),
        "most_in_flight": max(look.in_flight for look in looks),
        "level_changes": len(steps),
        "turns": turns,
        "normal_ns": NS * _since(looks, phases.quick, lambda look: look.level > 0),
        "drained_ns": NS * _since(looks, phases.quick, lambda look: look.waiting > CAPACITY // 10),
    }


def _since(looks: list[Look], begin: float, still: Callable[[Look], bool]) -> float:
    """Return the seconds from ``begin`` to the last look at which something still was."""
    return max([look.seconds - begin for look in looks if look.seconds > begin and still(look)], default=0.0)


def _run(loaded: Loaded, sink: Sink, shown: Callable[[], dict[str, Any]], phases: Phases) -> list[Look]:
    looks: list[Look] = []
    began = time.monotonic()
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(looks, sink, shown, began, ended))
    watcher.start()
    number = 0
    while (seconds := time.monotonic() - began) < phases.end:
        sink.latency = SLOW_SECONDS if phases.slow <= seconds < phases.quick else QUICK_SECONDS
        due = int(seconds * loaded.per_second)
        while number < due:
            loaded.emit(number)
            number += 1
        time.sleep(1 / BURSTS_PER_SECOND)
    ended.set()
    watcher.join()
    return looks


def _watch(
    looks: list[Look], sink: Sink, shown: Callable[[], dict[str, Any]], began: float, ended: threading.Event
) -> None:
    while not ended.wait(_LOOK_SECONDS):
        seen = shown()
        row = seen["sinks"][Sink.name]
        pressure = row.get("pressure", {"level": "normal", "max_events": 500, "in_flight": 1})
        looks.append(
            Look(
                time.monotonic() - began,
                sink.latency * 1000,
                row["in_flight"],
                LEVELS.index(pressure["level"]),
                pressure["max_events"],
                sink.last,
                sink.in_flight,
                sum(row["dropped"].values()),
            )
        )


if __name__ == "__main__":
    main()
