"""No lines at all: for a sink that reads dicts and wants them in the shape that JSON lines have."""

from collections.abc import Callable, Sequence
from typing import Any

from fapilog.event import EventDict


class EventsFormat:
    """Gives empty lines.

    Args:
        reshape: Gives the flat dict another schema; default ``fapilog/1``, the flat dict itself.
    """

    name = "events"

    def __init__(self, reshape: Callable[[EventDict], EventDict] | None = None) -> None:
        """Hold the shape."""
        self.reshape = reshape

    def encode_records(self, records: Sequence[Any]) -> list[bytes]:
        """Return an empty line for each record."""
        return [b""] * len(records)

    def encode_events(self, events: Sequence[EventDict]) -> list[bytes]:
        """Return an empty line for each event."""
        return [b""] * len(events)

    def reset(self) -> None:
        """Nothing is kept."""
