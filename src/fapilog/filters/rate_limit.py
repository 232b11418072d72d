"""A token bucket for each kind of event: a burst at once, and then so many a second."""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fapilog.checks import whole
from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.errors import ConfigError
from fapilog.event import EventDict
from fapilog.filters.bucket import Bucket
from fapilog.filters.keys import Key, checked_key, key_of, repeats_nothing, shown
from fapilog.protocols import Summary

SUMMARY_SECONDS = 10.0
MOST_TOLD = 100
_MOST_PER_SECOND = 1e9
_MESSAGE = "events rate limited"


@dataclass(frozen=True)
class RateLimitOptions:
    """How many events of a kind go on.

    Attributes:
        per_second: How many a second in the long run.
        burst: How many at once after a calm; default ``per_second``, at least 1.
        key: Names of the fields that make a kind.
        max_keys: How many kinds have a bucket of their own; all others share one, so that new kinds are no way around
            the limit. A kind that was calm for long enough to have its bucket full gives its place away.
    """

    per_second: float = 100.0
    burst: float | None = None
    key: tuple[str, ...] = ("logger", "message")
    max_keys: int = 10_000

    def __post_init__(self) -> None:
        """Check everything.

        Raises:
            ConfigError: If a value cannot be used.
        """
        if not _usable(self.per_second) or self.per_second <= 0:
            raise ConfigError.wrong("with_rate_limit(per_second)", self.per_second, "a number above zero, at most 1e9")
        if self.burst is not None and (not _usable(self.burst) or self.burst < 1):
            raise ConfigError.wrong("with_rate_limit(burst)", self.burst, "a number of at least 1, at most 1e9")
        object.__setattr__(self, "key", checked_key(self.key, "with_rate_limit(key)"))
        whole(self.max_keys, "with_rate_limit(max_keys)", 1)


class _Held:
    __slots__ = ("count", "level")

    def __init__(self) -> None:
        self.count = 0
        self.level = ""


class RateLimit:
    """Holds back what its bucket has no token for, whatever its level, and tells how many those were.

    Errors are held back as well: an error in a loop is the flood that this is for, and its first ones have gone on.
    Ten seconds after the first was held back, one summary for each kind tells how many; of more than a hundred kinds
    for the first hundred, and one for all others.
    """

    name = "rate_limit"

    def __init__(
        self, options: RateLimitOptions, number: Callable[[str | int, str], int], clock: Clock = SYSTEM_CLOCK
    ) -> None:
        """Start with full buckets."""
        del number
        self._rate = float(options.per_second)
        self._burst = float(options.burst if options.burst is not None else max(1.0, options.per_second))
        self._names = options.key
        self._key = key_of(options.key)
        self._max = options.max_keys
        self._clock = clock
        # In the order in which they were last used.
        self._buckets: OrderedDict[Key, Bucket] = OrderedDict()
        self._shared = Bucket(self._rate, self._burst, clock.monotonic())
        self._held: dict[Key, _Held] = {}
        self._others = 0
        self._tell_at = math.inf

    def __call__(self, event: EventDict) -> bool:
        """Tell whether the event goes on."""
        if repeats_nothing(event):
            return True
        now = self._clock.monotonic()
        key = self._key(event)
        bucket = self._bucket(key, now)
        if bucket.take(now):
            return True
        self._tell_at = min(self._tell_at, now + SUMMARY_SECONDS)
        held = self._held.get(key)
        if held is None and len(self._held) < MOST_TOLD:
            held = self._held[key] = _Held()
        if held is None:
            self._others += 1
        else:
            held.count += 1
            held.level = event.get("level", "WARNING")
        return False

    def due(self, final: bool) -> list[Summary]:  # noqa: FBT001 - the contract of `Summarising`
        """Return how many events of each kind were held back since it was last told."""
        if self._tell_at == math.inf or not (final or self._clock.monotonic() >= self._tell_at):
            return []
        summaries = [self._summary(key, held) for key, held in self._held.items()]
        if self._others:
            summaries.append(Summary("WARNING", _MESSAGE, {"count": self._others, "other_kinds": True}))
        self._held.clear()
        self._others = 0
        self._tell_at = math.inf
        return summaries

    def _summary(self, key: Key, held: _Held) -> Summary:
        kind: dict[str, Any] = dict(zip(self._names, map(shown, key), strict=True))
        return Summary(held.level, _MESSAGE, {"count": held.count, "of": kind})

    def _bucket(self, key: Key, now: float) -> Bucket:
        bucket = self._buckets.get(key)
        if bucket is not None:
            self._buckets.move_to_end(key)
            return bucket
        if len(self._buckets) >= self._max:
            oldest = next(iter(self._buckets.values()))
            if not oldest.full(now):
                return self._shared
            self._buckets.popitem(last=False)
        # What the kind may have taken from the shared bucket counts: else it could have two bursts.
        self._shared.full(now)
        bucket = self._buckets[key] = Bucket(self._rate, self._burst, now, self._shared.tokens)
        return bucket


def _usable(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value <= _MOST_PER_SECOND
