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
from fapilog.filters.keys import OWN, checked_key, key_of
from fapilog.protocols import Summary

SUMMARY_SECONDS = 10.0
_OTHERS = ("…",)


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
        _positive(self.per_second, "with_rate_limit(per_second)")
        if self.burst is not None:
            _positive(self.burst, "with_rate_limit(burst)", least=1)
        object.__setattr__(self, "key", checked_key(self.key, "with_rate_limit(key)"))
        whole(self.max_keys, "with_rate_limit(max_keys)", 1)


class _Bucket:
    __slots__ = ("at", "held", "level", "tokens")

    def __init__(self, tokens: float, at: float) -> None:
        self.tokens = tokens
        self.at = at
        self.held = 0
        self.level = "WARNING"


class RateLimit:
    """Holds back what its bucket has no token for, whatever its level, and tells how many those were.

    Errors are held back as well: an error in a loop is the flood that this is for, and its first ones have gone on.
    Every ten seconds one summary for each kind of which events were held back tells how many.
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
        self._buckets: OrderedDict[tuple[Any, ...], _Bucket] = OrderedDict()
        self._others = _Bucket(self._burst, clock.monotonic())
        self._held: dict[tuple[Any, ...], _Bucket] = {}
        self._tell_at = math.inf

    def __call__(self, event: EventDict) -> bool:
        """Tell whether the event goes on."""
        if event["logger"] == OWN:
            return True
        now = self._clock.monotonic()
        key = self._key(event)
        bucket = self._bucket(key, now)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) * self._rate)
        bucket.at = now
        if bucket.tokens >= 1.0:
            bucket.tokens -= 1.0
            return True
        bucket.held += 1
        bucket.level = event["level"]
        self._held[_OTHERS if bucket is self._others else key] = bucket
        self._tell_at = min(self._tell_at, now + SUMMARY_SECONDS)
        return False

    def due(self, final: bool) -> list[Summary]:  # noqa: FBT001 - the contract of `Summarising`
        """Return how many events of each kind were held back since it was last told."""
        if not self._held or not (final or self._clock.monotonic() >= self._tell_at):
            return []
        summaries = []
        for key, bucket in self._held.items():
            kind = {"others": True} if key == _OTHERS else dict(zip(self._names, key, strict=True))
            summaries.append(Summary(bucket.level, "events rate limited", {"count": bucket.held, "of": kind}))
            bucket.held = 0
        self._held.clear()
        self._tell_at = math.inf
        return summaries

    def _bucket(self, key: tuple[Any, ...], now: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is not None:
            self._buckets.move_to_end(key)
            return bucket
        if len(self._buckets) >= self._max:
            oldest = next(iter(self._buckets.values()))
            if oldest.held or oldest.tokens + (now - oldest.at) * self._rate < self._burst:
                return self._others
            self._buckets.popitem(last=False)
        bucket = self._buckets[key] = _Bucket(self._burst, now)
        return bucket


def _positive(value: Any, where: str, least: float = 0.0) -> None:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not usable or value <= 0 or value < least:
        raise ConfigError.wrong(where, value, f"a number of at least {least:g}" if least else "a number above zero")
