"""The first event of each kind in a while; the others of that kind are held back, and counted all together."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from fapilog.checks import whole
from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.event import EventDict
from fapilog.filters.keys import Key, checked_key, key_of, repeats_nothing
from fapilog.units import parse_duration


@dataclass(frozen=True)
class FirstSeenOptions:
    """When an event counts as new.

    Attributes:
        key: Names of the fields that make a kind.
        window: How long a kind is remembered after its first event: seconds, or such as ``"5m"``.
        max_keys: How many kinds are remembered; the oldest is forgotten first, and its next event is new again.
    """

    key: tuple[str, ...] = ("logger", "message")
    window: float | str = "5m"
    max_keys: int = 10_000

    def __post_init__(self) -> None:
        """Check everything.

        Raises:
            ConfigError: If a value cannot be used.
        """
        object.__setattr__(self, "key", checked_key(self.key, "with_first_seen(key)"))
        parse_duration(self.window, "with_first_seen(window)")
        whole(self.max_keys, "with_first_seen(max_keys)", 1)


class FirstSeen:
    """Lets the first event of each kind through."""

    name = "first_seen"

    def __init__(
        self, options: FirstSeenOptions, number: Callable[[str | int, str], int], clock: Clock = SYSTEM_CLOCK
    ) -> None:
        """Start with nothing seen."""
        del number
        self._key = key_of(options.key)
        self._window = parse_duration(options.window, "with_first_seen(window)")
        self._max = options.max_keys
        self._clock = clock
        self._seen: OrderedDict[Key, float] = OrderedDict()

    def __call__(self, event: EventDict) -> bool:
        """Tell whether the event goes on."""
        if repeats_nothing(event):
            return True
        now = self._clock.monotonic()
        key = self._key(event)
        until = self._seen.get(key)
        if until is not None and now < until:
            return False
        self._seen.pop(key, None)
        if len(self._seen) >= self._max:
            self._seen.popitem(last=False)
        self._seen[key] = now + self._window
        return True
