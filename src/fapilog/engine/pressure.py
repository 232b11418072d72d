"""More comes than a sink takes: batches grow, more of them go at once, and last of all the lowest levels are shed.

    fill of its buffer or the queue ─┐
    circuit open                     ├─► Pressure ─► normal ─► elevated ─► high ─► critical ─► Limits, shedding
    time it takes for a batch        ┘                ╰─ one step at a time, each held for a while ─╯

Up at once, down slowly: a level is left only when the buffer is nearly empty and the sink is quick again. A step
down that had to be taken back doubles the time before the next one, so that a load between two levels does not swing.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fapilog import checks
from fapilog.delivery.limits import Limits
from fapilog.errors import ConfigError

LEVELS = ("normal", "elevated", "high", "critical")
UP = (0.4, 0.65, 0.9)
"""From which fill on the next level holds."""
DOWN = 0.1
"""Under which fill a level may be left."""
SLOW_SECONDS = 0.1
HOLD_SECONDS = 0.3
LONGEST_HOLD_SECONDS = 60.0
REGRET_SECONDS = 5.0
"""A step up so soon after a step down takes it back."""
TICK_SECONDS = 0.05
KEPT_CHANGES = 50
_CRITICAL = 3


@dataclass(frozen=True)
class AdaptiveOptions:
    """How far an asynchronous sink's batches may grow under pressure, and what is shed at last.

    Attributes:
        max_batch: How many times more events and bytes a batch may hold than ``with_batch`` says. Default 8.
        max_in_flight: How many batches the sink may be given before it has taken the first. Above 1 a batch may
            overtake another one while there is pressure. Default 4.
        shed: Under critical pressure, once something had to be dropped, events of this level and below are dropped
            first, for this sink alone, counted as ``shed``. Default DEBUG.
    """

    max_batch: int = 8
    max_in_flight: int = 4
    shed: str | int = "DEBUG"

    def __post_init__(self) -> None:
        """Check the values; whether the level exists is checked when the engine is made.

        Raises:
            ConfigError: If one cannot be used.
        """
        checks.whole(self.max_batch, "with_adaptive(max_batch)", 1)
        checks.whole(self.max_in_flight, "with_adaptive(max_in_flight)", 1)
        if isinstance(self.shed, bool) or not isinstance(self.shed, str | int):
            raise ConfigError.wrong("with_adaptive(shed)", self.shed, "a level's name or number")


class Pressed(Protocol):
    """What is watched, and acted on: a channel."""

    limits: Limits
    shed_level: int | None

    def fill(self) -> float:
        """Return how full the buffer is, 0 to 1."""
        ...

    def latency(self) -> float:
        """Return how many seconds the sink takes for a batch."""
        ...

    def failing(self) -> bool:
        """Tell whether the sink's circuit is open."""
        ...

    def overflowed(self) -> int:
        """Return how many events have found no room so far."""
        ...


class Pressure:
    """The pressure on one channel. Used by the worker.

    Args:
        channel: What is watched and acted on.
        options: How far to go.
        shed_level: The number of the level that ``options.shed`` names.

    Attributes:
        level: An index into ``LEVELS``.
        changes: How often the level changed.
        history: The last changes: when, in seconds of the monotonic clock, from which level, to which.
    """

    def __init__(self, channel: Pressed, options: AdaptiveOptions, shed_level: int) -> None:
        """Begin at normal, with the channel's own limits."""
        self.level = 0
        self.changes = 0
        self.history: deque[tuple[float, int, int]] = deque(maxlen=KEPT_CHANGES)
        self._channel = channel
        self._options = options
        self._shed_level = shed_level
        self._events = channel.limits.max_events
        self._bytes = channel.limits.max_bytes
        self._in_flight = channel.limits.in_flight
        self._calm_since: float | None = None
        self._hold = HOLD_SECONDS
        self._fell_at = float("-inf")
        self._overflowed = channel.overflowed()

    def tick(self, queue_fill: float, now: float) -> bool:
        """Look, and act if the level changes; return whether it has.

        Args:
            queue_fill: How full the queue is, 0 to 1.
            now: Seconds of the monotonic clock.
        """
        channel = self._channel
        fill = max(queue_fill, channel.fill())
        slow = channel.failing() or channel.latency() >= SLOW_SECONDS
        wanted = max(sum(fill >= bound for bound in UP), int(slow))
        before = self.level
        if wanted > before:
            self._rise(wanted, now)
        elif before and fill < DOWN and not slow:
            self._fall(now)
        else:
            self._calm_since = None
        self._shed(fill)
        return self.level != before

    def describe(self) -> dict[str, str | int]:
        """Return what is shown of it."""
        return {
            "level": LEVELS[self.level],
            "changes": self.changes,
            "max_events": self._channel.limits.max_events,
            "in_flight": self._channel.limits.in_flight,
        }

    def _rise(self, wanted: int, now: float) -> None:
        soon = now - self._fell_at < max(REGRET_SECONDS, 4 * self._hold)
        self._hold = min(2 * self._hold, LONGEST_HOLD_SECONDS) if soon else HOLD_SECONDS
        self._set(wanted, now)

    def _fall(self, now: float) -> None:
        if self._calm_since is None:
            self._calm_since = now
        elif now - self._calm_since >= self._hold:
            self._calm_since = self._fell_at = now
            self._set(self.level - 1, now)

    def _set(self, level: int, now: float) -> None:
        self.history.append((now, self.level, level))
        self.level = level
        self.changes += 1
        self._calm_since = None
        factor = min(1 << level, self._options.max_batch)
        limits = self._channel.limits
        limits.max_events = self._events * factor
        limits.max_bytes = self._bytes * factor
        limits.in_flight = max(self._in_flight, min(1 << level, self._options.max_in_flight))

    def _shed(self, fill: float) -> None:
        """Shed only where something has been lost already at this level: room that is left is used to the end."""
        if self.level < _CRITICAL or fill < UP[0]:
            self._channel.shed_level = None
            self._overflowed = self._channel.overflowed()
        elif self._channel.overflowed() > self._overflowed:
            self._channel.shed_level = self._shed_level


def tick_all(pressures: Sequence[Pressure], queue_fill: float, now: float) -> bool:
    """Look at all of them; return whether any level has changed."""
    return any([pressure.tick(queue_fill, now) for pressure in pressures])  # noqa: C419 - each has to look
