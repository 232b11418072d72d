"""What can be chosen about the flight recorder. Values only."""

from collections.abc import Sequence
from dataclasses import dataclass

from fapilog import checks
from fapilog.errors import ConfigError
from fapilog.units import parse_duration, parse_size

ERROR, SLOW = "error", "slow"
REASONS = (ERROR, SLOW)


@dataclass(frozen=True)
class FlightRecorderOptions:
    """Which events below their logger's level are kept per request, how many, and when they come out after all.

    Attributes:
        level: The lowest level that is kept. Default DEBUG. It should be below that of the loggers.
        on: What lets them out: ``error`` (the application raised, or the answer's status is 500 or above) and ``slow``.
            Default both.
        slow_seconds: From which time to the last byte of its answer a request is slow. Default 1.
        max_events: How many events of one request are kept; the oldest leave first. Default 500.
        max_bytes: How many bytes of one request. Default 256 KB. An event counts what it holds, 512 bytes at least.
        max_total_bytes: How many bytes of all requests of the process together. Default 32 MB. Above it those requests
            lose their oldest events that hold more than an equal share.
    """

    level: str | int = "DEBUG"
    on: Sequence[str] = REASONS
    slow_seconds: float | str = 1.0
    max_events: int = 500
    max_bytes: int | str = "256 KB"
    max_total_bytes: int | str = "32 MB"

    def __post_init__(self) -> None:
        """Check the values and keep ``on`` as a tuple, each word once.

        Raises:
            ConfigError: If one cannot be used.
        """
        if isinstance(self.level, bool) or not isinstance(self.level, str | int):
            raise ConfigError.wrong("with_flight_recorder(level)", self.level, "a level's name or number")
        on = (self.on,) if isinstance(self.on, str) else checks.texts(self.on, "with_flight_recorder(on)")
        for reason in on:
            if reason not in REASONS:
                raise ConfigError.unknown("with_flight_recorder(on)", reason, REASONS)
        if not on:
            raise ConfigError.wrong("with_flight_recorder(on)", self.on, "at least one of error, slow")
        object.__setattr__(self, "on", tuple(dict.fromkeys(on)))
        parse_duration(self.slow_seconds, "with_flight_recorder(slow_seconds)")
        checks.whole(self.max_events, "with_flight_recorder(max_events)", 1)
        for name in ("max_bytes", "max_total_bytes"):
            parse_size(getattr(self, name), f"with_flight_recorder({name})")
