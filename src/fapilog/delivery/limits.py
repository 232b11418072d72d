"""How much one sink is given at once, and how often: what can be changed while it runs."""

from dataclasses import dataclass
from typing import Self

from fapilog.delivery.buffer import BatchOptions
from fapilog.units import parse_duration, parse_size


@dataclass
class Limits:
    """The bounds of a channel's batches. Written by the worker, read by the channel.

    Attributes:
        enough_events: How many events are enough for a batch to go, without waiting for more.
        enough_bytes: How many bytes are.
        max_events: Events in a batch.
        max_bytes: Bytes in a batch.
        max_age_seconds: How long an event may wait for others.
        in_flight: How many batches the sink may be given before it has taken the first. Above 1 a batch may overtake
            another one.
    """

    max_events: int
    max_bytes: int
    max_age_seconds: float
    in_flight: int = 1

    def __post_init__(self) -> None:
        """Let those be enough that there are at first: larger batches are taken when there is more, not waited for."""
        self.enough_events = self.max_events
        self.enough_bytes = self.max_bytes

    @classmethod
    def of(cls, options: BatchOptions) -> Self:
        """Return the limits that options ask for."""
        return cls(
            options.max_events,
            parse_size(options.max_bytes, "with_batch(max_bytes)"),
            parse_duration(options.max_age_seconds, "with_batch(max_age_seconds)"),
            options.max_in_flight,
        )
