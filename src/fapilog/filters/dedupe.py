"""Repetitions: the first event of a kind goes on at once, and one summary tells how often it was repeated.

t=0 "disk full" ─► on        t=1 … t=9 "disk full" ×41 ─► held back        t=10 ─► "events repeated" count=41
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fapilog.checks import whole
from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.event import EventDict
from fapilog.filters.keys import Key, checked_key, key_of, known, repeats_nothing, shown
from fapilog.protocols import Summary
from fapilog.units import parse_duration

_MOST_AT_ONCE = 64


@dataclass(frozen=True)
class DedupeOptions:
    """What counts as a repetition.

    Attributes:
        window: How long after its first event a kind is held back: seconds, or such as ``"10s"``.
        key: Names of the fields that make a kind; of an exception only the type counts.
        max_keys: How many kinds are watched at a time; the oldest gives its summary early.
    """

    window: float | str = "10s"
    key: tuple[str, ...] = ("logger", "level", "message", "exception")
    max_keys: int = 10_000

    def __post_init__(self) -> None:
        """Check everything.

        Raises:
            ConfigError: If a value cannot be used.
        """
        parse_duration(self.window, "with_dedupe(window)")
        object.__setattr__(self, "key", checked_key(self.key, "with_dedupe(key)"))
        whole(self.max_keys, "with_dedupe(max_keys)", 1)


class _Kind:
    __slots__ = ("count", "level", "logger", "message", "timestamp", "trace_id", "until")

    def __init__(self, first: EventDict, until: float) -> None:
        self.level = first.get("level", "WARNING")
        self.logger = shown(known(first.get("logger")))
        self.message = shown(known(first.get("message")))
        self.timestamp = first.get("timestamp")
        self.until = until
        self.count = 0
        self.trace_id: Any = None


class Dedupe:
    """Holds repetitions back and sums them up: what went on and the counts of the summaries make up what came.

    A kind that goes on being repeated gives one event and one summary for each window.
    """

    name = "dedupe"

    def __init__(
        self, options: DedupeOptions, number: Callable[[str | int, str], int], clock: Clock = SYSTEM_CLOCK
    ) -> None:
        """Start with nothing seen."""
        del number
        self._key = key_of(options.key)
        self._window = parse_duration(options.window, "with_dedupe(window)")
        self._max = options.max_keys
        self._clock = clock
        # In the order in which the windows end, because they are all of one length.
        self._kinds: OrderedDict[Key, _Kind] = OrderedDict()
        self._ready: list[Summary] = []

    def __call__(self, event: EventDict) -> bool:
        """Tell whether the event goes on."""
        if repeats_nothing(event):
            return True
        now = self._clock.monotonic()
        key = self._key(event)
        kind = self._kinds.get(key)
        if kind is not None and now < kind.until:
            kind.count += 1
            kind.trace_id = shown(known(event.get("trace_id")))
            return False
        if kind is not None:
            self._end(self._kinds.pop(key))
        elif len(self._kinds) >= self._max:
            self._end(self._kinds.popitem(last=False)[1])
        self._kinds[key] = _Kind(event, now + self._window)
        return True

    def due(self, final: bool) -> list[Summary]:  # noqa: FBT001 - the contract of `Summarising`
        """Return the summaries of the kinds whose window has ended; of many at a time the rest the next time."""
        if self._kinds:
            now = self._clock.monotonic()
            left = len(self._kinds) if final else _MOST_AT_ONCE
            while self._kinds and left:
                kind = next(iter(self._kinds.values()))
                if not final and now < kind.until:
                    break
                self._end(self._kinds.popitem(last=False)[1])
                left -= 1
        ready, self._ready = self._ready, []
        return ready

    def _end(self, kind: _Kind) -> None:
        if not kind.count:
            return
        fields = {
            "count": kind.count,
            "repeated_message": kind.message,
            "repeated_logger": kind.logger,
            "first_timestamp": kind.timestamp,
            "window_seconds": self._window,
        }
        if kind.trace_id is not None:
            fields["last_trace_id"] = kind.trace_id
        self._ready.append(Summary(kind.level, "events repeated", fields))
