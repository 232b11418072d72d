"""Sampling: a share of the events, of the traces, or as many a second as are wanted. Errors are exempt.

The decision for a trace follows OpenTelemetry's consistent probability sampling: the least significant 56 bits of the
trace id are compared with a threshold, so that every process decides alike, and what a low rate keeps a higher one
keeps, too (OpenTelemetry specification, tracestate probability sampling: rejection threshold T, randomness R).
"""

import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from fapilog.checks import share
from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.errors import ConfigError
from fapilog.event import EventDict
from fapilog.filters.bucket import Bucket
from fapilog.filters.shares import Chance, Exempt, LevelNumber, Share

BY = ("event", "trace")
_MOST_PER_SECOND = 1e9
_RANDOM_BITS = 56
_HASHED_BITS = 32
_TRACE_DIGITS = (16, 32)
_FLAG_DIGITS = (2,)
_SAMPLED = 1
_STEP_SECONDS = 0.25
_STEPS = 8
_LEAST_BURST = 5.0


@dataclass(frozen=True)
class SamplingOptions:
    """What share of the events goes on.

    Attributes:
        rate: From 0 to 1; default all. With ``by="trace"`` the share of the traces whose sampled flag is not known.
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
        if self.target_per_second is not None:
            self._check_target(self.target_per_second)
        if isinstance(self.exempt, bool) or not isinstance(self.exempt, str | int):
            raise ConfigError.wrong("with_sampling(exempt)", self.exempt, "the name or number of a level")

    def _check_target(self, target: Any) -> None:
        where = "with_sampling(target_per_second)"
        number = isinstance(target, int | float) and not isinstance(target, bool)
        if not (number and 0 < target <= _MOST_PER_SECOND):
            raise ConfigError.wrong(where, target, "a number of events above zero, at most 1e9")
        if self.rate is not None or self.by == "trace":
            raise ConfigError.wrong(where, target, 'a target, or rate and by="trace", not both')


class Sampler:
    """Lets a share of the events through, chosen by chance but exact in number."""

    name = "sampling"

    def __init__(
        self,
        options: SamplingOptions,
        number: LevelNumber,
        clock: Clock = SYSTEM_CLOCK,
        chance: Chance | None = None,
    ) -> None:
        """Start with nothing counted; without a rate everything goes on."""
        del clock
        self._rate = 1.0 if options.rate is None else options.rate
        self._exempt = Exempt(options.exempt, number)
        self._share = Share(chance)

    def __call__(self, event: EventDict) -> bool:
        """Tell whether the event goes on."""
        return self._exempt(event) or self._share.take(self._rate)


class TraceSampler:
    """Lets whole traces through. The verdict follows from the event alone, in every process alike.

    In this order: the sampled flag, the trace id, the request id; what has none of them is sampled by the event.
    """

    name = "trace_sampling"

    def __init__(
        self,
        options: SamplingOptions,
        number: LevelNumber,
        clock: Clock = SYSTEM_CLOCK,
        chance: Chance | None = None,
    ) -> None:
        """Work the threshold out."""
        rate = 1.0 if options.rate is None else options.rate
        self._threshold = round((1.0 - rate) * (1 << _RANDOM_BITS))
        self._exempt = Exempt(options.exempt, number)
        self._others = Sampler(options, number, clock, chance)

    def __call__(self, event: EventDict) -> bool:
        """Tell whether the event goes on."""
        if self._exempt(event):
            return True
        trace = event.get("trace_id")
        if trace:
            flags = _hexadecimal(event.get("trace_flags"), _FLAG_DIGITS)
            return bool(flags & _SAMPLED) if flags is not None else _randomness(trace) >= self._threshold
        request = event.get("request_id")
        return _hashed(request) >= self._threshold if request else self._others(event)


class AdaptiveSampler:
    """Lets about as many events a second through as are wanted: the share follows how many come.

    How many come is the average over the last two seconds, in steps of a quarter; the share is the target over that.
    A token bucket of one second's target, at least 5, corrects what an average knows too late: at the beginning of a
    flood nothing goes on for which there is no token, and as soon as all are back, after it, everything does. So in any
    ``t`` seconds at most ``target * (t + 1)`` events go on, ``target * t + 5`` for targets below 5, and of a calm that
    keeps below the target all do, two seconds after the flood at the latest. Exempt events go on and are not counted.
    """

    name = "adaptive_sampling"

    def __init__(
        self,
        options: SamplingOptions,
        number: LevelNumber,
        clock: Clock = SYSTEM_CLOCK,
        chance: Chance | None = None,
    ) -> None:
        """Begin with everything going on."""
        self._target = options.target_per_second or 1.0
        self._exempt = Exempt(options.exempt, number)
        self._clock = clock
        now = clock.monotonic()
        self._bucket = Bucket(self._target, max(_LEAST_BURST, self._target), now)
        self._share = Share(chance)
        self._rate = 1.0
        self._counts: deque[int] = deque(maxlen=_STEPS)
        self._count = 0
        self._ends = now + _STEP_SECONDS

    def __call__(self, event: EventDict) -> bool:
        """Tell whether the event goes on."""
        if self._exempt(event):
            return True
        now = self._clock.monotonic()
        if now >= self._ends:
            self._turn(now)
        self._count += 1
        picked = self._share.take(self._rate)
        return (self._bucket.full(now) or picked) and self._bucket.take(now)

    def _turn(self, now: float) -> None:
        """Begin a new step; those in which nothing came have passed unseen."""
        empty = int((now - self._ends) / _STEP_SECONDS)
        self._counts.append(self._count)
        self._counts.extend([0] * min(empty, _STEPS))
        self._count = 0
        self._ends += (empty + 1) * _STEP_SECONDS
        wanted = self._target * len(self._counts) * _STEP_SECONDS
        came = sum(self._counts)
        self._rate = 1.0 if came <= wanted else wanted / came


def sampler(
    options: SamplingOptions, number: LevelNumber, clock: Clock = SYSTEM_CLOCK, chance: Chance | None = None
) -> Callable[[EventDict], bool]:
    """Return the filter that the options ask for."""
    if options.target_per_second is not None:
        return AdaptiveSampler(options, number, clock, chance)
    return (TraceSampler if options.by == "trace" else Sampler)(options, number, clock, chance)


def _randomness(trace: object) -> int:
    """Return the 56 bits of a trace id that tell whether it is sampled; of an id of another form, a hash."""
    number = _hexadecimal(trace, _TRACE_DIGITS)
    return _hashed(trace) if number is None else number & ((1 << _RANDOM_BITS) - 1)


def _hexadecimal(text: object, digits: tuple[int, ...]) -> int | None:
    if not (isinstance(text, str) and len(text) in digits and text.isalnum()):
        return None
    try:
        return int(text, 16)
    except ValueError:
        return None


def _hashed(value: object) -> int:
    """Return 56 bits that follow from a text alone, the same in every process."""
    return zlib.crc32(str(value).encode("utf-8", "backslashreplace")) << (_RANDOM_BITS - _HASHED_BITS)
