"""Sampling: a share of the events, of the traces, or as many a second as are wanted. Errors are exempt.

The decision for a trace follows OpenTelemetry's consistent probability sampling: the least significant 56 bits of the
trace id are compared with a threshold, so that every process decides alike (OpenTelemetry specification, tracestate
probability sampling, rejection threshold ``T`` and randomness ``R``).
"""

import random
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fapilog.checks import share
from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.errors import ConfigError
from fapilog.event import EventDict
from fapilog.filters.keys import OWN

BY = ("event", "trace")
_RANDOM_BITS = 56
_RANDOM_DIGITS = _RANDOM_BITS // 4
_SAMPLED = 1
_STEP_SECONDS = 0.25
_STEPS = 8

LevelNumber = Callable[[str | int, str], int]


@dataclass(frozen=True)
class SamplingOptions:
    """What share of the events goes on.

    Attributes:
        rate: From 0 to 1. With ``by="trace"`` the share of the traces whose sampled flag is not known.
        by: ``"event"`` decides for each event; ``"trace"`` once for all events of a trace, or else of a request, in
            every process alike, and by the trace's sampled flag where there is one.
        target_per_second: Instead of ``rate``: so many events a second go on, whatever comes.
        exempt: Events of this level and above all go on.
    """

    rate: float | None = None
    by: Literal["event", "trace"] = "event"
    target_per_second: float | None = None
    exempt: str | int = "ERROR"

    def __post_init__(self) -> None:
        """Check everything.

        Raises:
            ConfigError: If a value cannot be used, or they do not go together.
        """
        if self.rate is not None:
            share(self.rate, "with_sampling(rate)")
        if self.by not in BY:
            raise ConfigError.unknown("with_sampling(by)", self.by, BY)
        target = self.target_per_second
        if target is not None and (
            isinstance(target, bool) or not isinstance(target, int | float) or not 0 < target < 1e9
        ):
            raise ConfigError.wrong("with_sampling(target_per_second)", target, "a number of events above zero")
        if target is not None and (self.rate is not None or self.by == "trace"):
            raise ConfigError.wrong(
                "with_sampling(target_per_second)", target, 'a target, or rate and by="trace", not both'
            )
        if target is None and self.rate is None and self.by == "event":
            raise ConfigError.wrong("with_sampling(rate)", self.rate, "a number from 0 to 1, or a target_per_second")
        if isinstance(self.exempt, bool) or not isinstance(self.exempt, str | int):
            raise ConfigError.wrong("with_sampling(exempt)", self.exempt, "the name or number of a level")


class Exempt:
    """Tells whether an event is one that no sampling holds back: severe enough, or the toolkit's own."""

    def __init__(self, level: str | int, number: LevelNumber) -> None:
        """Look the level up."""
        self._least = number(level, "with_sampling(exempt)")
        self._number = number
        self._known: dict[str, bool] = {}

    def __call__(self, event: EventDict) -> bool:
        """Tell it."""
        level = event["level"]
        known = self._known.get(level)
        if known is None:
            known = self._known[level] = self._number(level, "level") >= self._least
        return known or event["logger"] == OWN


class Sampler:
    """Lets a share of the events through, evenly: every tenth for 0.1, beginning somewhere in the first ten.

    Even spacing keeps the share exact at any time, which chance does not; a stream that repeats with the same period as the
    share is the price.
    """

    name = "sampling"

    def __init__(self, options: SamplingOptions, number: LevelNumber, clock: Clock = SYSTEM_CLOCK) -> None:
        """Begin at a random place, so that processes do not all choose the same events."""
        del clock
        self._rate = 1.0 if options.rate is None else options.rate
        self._exempt = Exempt(options.exempt, number)
        self._saved = random.random()  # noqa: S311 - nothing depends on its being secret

    def __call__(self, event: EventDict) -> bool:
        """Tell whether the event goes on."""
        if self._exempt(event):
            return True
        self._saved += self._rate
        if self._saved < 1.0:
            return False
        self._saved -= 1.0
        return True


class TraceSampler:
    """Lets whole traces through. The verdict follows from the event alone, in every process alike."""

    name = "trace_sampling"

    def __init__(self, options: SamplingOptions, number: LevelNumber, clock: Clock = SYSTEM_CLOCK) -> None:
        """Work the threshold out."""
        self._rate = options.rate
        self._threshold = round((1.0 - (1.0 if options.rate is None else options.rate)) * (1 << _RANDOM_BITS))
        self._exempt = Exempt(options.exempt, number)
        self._others = Sampler(options, number, clock)

    def __call__(self, event: EventDict) -> bool:
        """Tell whether the event goes on."""
        if self._exempt(event):
            return True
        trace = event.get("trace_id")
        if trace:
            flags = _hexadecimal(event.get("trace_flags"))
            if flags is not None:
                return bool(flags & _SAMPLED)
            randomness = _hexadecimal(trace[-_RANDOM_DIGITS:])
            return (_hashed(trace) if randomness is None else randomness) >= self._threshold
        request = event.get("request_id")
        return _hashed(request) >= self._threshold if request else self._others(event)


class AdaptiveSampler:
    """Lets about as many events a second through as are wanted: the share follows how many come.

    How many come is counted in steps of a quarter of a second over two seconds; the share of a step is the target over
    the larger of that average and what the last step alone came to, so that a burst is met within a step and a calm within
    two seconds. Exempt events go on and are not counted.
    """

    name = "adaptive_sampling"

    def __init__(self, options: SamplingOptions, number: LevelNumber, clock: Clock = SYSTEM_CLOCK) -> None:
        """Begin with everything going on."""
        self._target = options.target_per_second or 1.0
        self._exempt = Exempt(options.exempt, number)
        self._clock = clock
        self._counts: deque[int] = deque(maxlen=_STEPS)
        self._count = 0
        self._passed = 0
        self._ends = clock.monotonic() + _STEP_SECONDS
        self._share = 1.0
        self._saved = 1.0

    def __call__(self, event: EventDict) -> bool:
        """Tell whether the event goes on."""
        if self._exempt(event):
            return True
        now = self._clock.monotonic()
        if now >= self._ends:
            self._turn(now)
        self._count += 1
        # A burst within the step, before its share is known: what the target allows for the step, and no more.
        if self._passed >= 2 * self._target * _STEP_SECONDS + 1 and self._share == 1.0:
            return False
        self._saved += self._share
        if self._saved < 1.0:
            return False
        self._saved = min(self._saved - 1.0, 1.0)
        self._passed += 1
        return True

    def _turn(self, now: float) -> None:
        missed = int((now - self._ends) / _STEP_SECONDS)
        self._counts.append(self._count)
        self._counts.extend([0] * min(missed, _STEPS))
        last = 0 if missed else self._count
        average = sum(self._counts) / len(self._counts)
        rate = max(average, last) / _STEP_SECONDS
        self._share = 1.0 if rate <= self._target else self._target / rate
        self._count = self._passed = 0
        self._ends += (missed + 1) * _STEP_SECONDS


def sampler(options: SamplingOptions, number: LevelNumber, clock: Clock = SYSTEM_CLOCK) -> Callable[[EventDict], bool]:
    """Return the filter that the options ask for."""
    if options.target_per_second is not None:
        return AdaptiveSampler(options, number, clock)
    return (TraceSampler if options.by == "trace" else Sampler)(options, number, clock)


def _hexadecimal(text: object) -> int | None:
    try:
        return int(text, 16) if isinstance(text, str) else None
    except ValueError:
        return None


def _hashed(value: object) -> int:
    """Return 56 bits that follow from a text alone, the same in every process."""
    data = str(value).encode("utf-8", "backslashreplace")
    return (zlib.crc32(data) << (_RANDOM_BITS - 32)) | (zlib.adler32(data) & 0xFFFFFF)
