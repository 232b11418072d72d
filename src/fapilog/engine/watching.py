"""What is noted of an engine while it runs, for whoever looks at it later: the last events, and how the totals grew.

    worker ─► a slice ─┬─► Recent          the slice's JSON lines, made once for it and the sinks of the same format
                       └─► a sample of the totals, about one a second while events come

When no events come the totals do not grow, so that no timer is needed for the samples. "Submitted" is for a sample what
the worker has taken.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

from fapilog.clock import Clock
from fapilog.delivery.by_level import count_levels
from fapilog.delivery.slices import Slice
from fapilog.event import Names, timestamp
from fapilog.protocols import Format
from fapilog.recent import Recent

SAMPLE_SECONDS = 1.0
KEPT_SECONDS = 300.0
WINDOWS = {"10s": 10.0, "1m": 60.0, "5m": 300.0}
COUNTED = ("submitted", "delivered", "filtered", "dropped", "failed")


@dataclass(frozen=True)
class WatchParts:
    """What is kept for whoever looks.

    Attributes:
        form: Makes the lines that are kept, of schema ``fapilog/1``; the sinks' own where they have the same.
        max_bytes: How many bytes of lines.
    """

    form: Format
    max_bytes: int


class Sample(NamedTuple):
    """The totals at one time.

    Attributes:
        at: Seconds of the monotonic clock.
        time_ns: The same moment on the wall clock.
        totals: What was submitted, delivered, filtered, dropped, failed.
        levels: How many of each level the stages have let through.
        depth: How many were in the queue.
    """

    at: float
    time_ns: int
    totals: Mapping[str, int]
    levels: Mapping[str, int]
    depth: int


Totals = Callable[[], tuple[Mapping[str, int], int]]
"""Returns totals and depth as a :class:`Sample` has them."""


class Watching:
    """The last events and samples of one engine. Written by the worker; read by any thread.

    Args:
        parts: What is kept.
        totals: Reads the totals.
        names: Names the levels.
        clock: For the times.
    """

    def __init__(self, parts: WatchParts, totals: Totals, names: Names, clock: Clock) -> None:
        """Keep nothing yet."""
        self.recent = Recent(parts.max_bytes)
        self._form = parts.form
        self._totals = totals
        self._names = names
        self._levels: dict[int, int] = {}
        self._clock = clock
        self._began = clock.monotonic()
        self._samples: deque[Sample] = deque(maxlen=int(KEPT_SECONDS / SAMPLE_SECONDS) + 2)

    def note(self, piece: Slice) -> None:
        """Keep a slice; by the worker, before it is counted, so that a sample is of what was before it."""
        now = self._clock.monotonic()
        if not self._samples or now - self._samples[-1].at >= SAMPLE_SECONDS:
            self._samples.append(self._sample(now))
        count_levels(self._levels, piece.levels)
        self.recent.take(piece.whole(self._form), piece.levels)

    def reset(self) -> None:
        """Forget everything; in a forked child."""
        self.recent.reset()
        self._form.reset()
        self._samples.clear()
        self._levels = {}
        self._began = self._clock.monotonic()

    def history(self) -> list[dict[str, Any]]:
        """Return the samples of the last five minutes and one of now, oldest first, as plain values."""
        last = self._now()
        samples = [*list(self._samples), last]
        return [
            {"time": timestamp(each.time_ns), **each.totals, "depth": each.depth, "levels": dict(each.levels)}
            for each in samples
            if last.at - each.at <= KEPT_SECONDS
        ]

    def rates(self) -> dict[str, dict[str, Any]]:
        """Return how many events a second there were in each of ``WINDOWS``, by what became of them and by level.

        A window is as long as there was something to see, if that is shorter; ``seconds`` tells.
        """
        now = self._now()
        samples = list(self._samples)
        return {name: _rate(samples, now, seconds, self._began) for name, seconds in WINDOWS.items()}

    def _sample(self, now: float) -> Sample:
        totals, depth = self._totals()
        levels = {self._names.name(number): count for number, count in list(self._levels.items())}
        return Sample(now, self._clock.time_ns(), totals, levels, depth)

    def _now(self) -> Sample:
        """Return a sample that counts as submitted also what still is in the queue."""
        sample = self._sample(self._clock.monotonic())
        return sample._replace(totals={**sample.totals, "submitted": sample.totals["submitted"] + sample.depth})


def _rate(samples: list[Sample], now: Sample, seconds: float, began: float) -> dict[str, Any]:
    """Return the rates between the beginning of a window and now.

    A window begins between two samples. What came between them came within about a second of the former, for else there
    would be one more, and counts by its share of that time.
    """
    since = now.at - seconds
    place = bisect_left(samples, since, key=attrgetter("at"))
    after = samples[place] if place < len(samples) else now
    before = samples[place - 1] if place else after
    gap = after.at - before.at
    grown = min(1.0, (since - before.at) / (gap if gap < 2 * SAMPLE_SECONDS else SAMPLE_SECONDS)) if gap else 1.0
    span = max(min(seconds, now.at - began), 0.001)

    def rate(last: int, one: int, other: int) -> float:
        return round(max(0.0, last - one - grown * (other - one)) / span, 3)

    per_second = {name: rate(now.totals[name], before.totals[name], after.totals[name]) for name in COUNTED}
    levels = {name: rate(n, before.levels.get(name, 0), after.levels.get(name, 0)) for name, n in now.levels.items()}
    return {"seconds": round(span, 3), **per_second, "levels": {name: each for name, each in levels.items() if each}}
