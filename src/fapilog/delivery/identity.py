"""An ``event_id`` for every event that may be sent twice, so that a receiver can drop the second copy.

    5f0c1de2a9b07c44-1207      the run of an engine in one process, and the number of the event in it

An event has the same id in every sink and at every attempt, also after it waited on disk. The id is put behind the
other keys of a line, whatever its schema; a field of the user's that has this name is kept as ``event_id_``.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

from fapilog.event import EventDict
from fapilog.protocols import Format

EVENT_ID = "event_id"
_MARK = b'"event_id":'


class IdRange(NamedTuple):
    """The ids of the events of a slice."""

    stream: str
    first: int

    def at(self, index: int) -> str:
        """Return the id of one event of the slice."""
        return f"{self.stream}-{self.first + index}"


class EventIds:
    """Gives out ids. Used by one worker at a time; a forked child makes its own."""

    def __init__(self) -> None:
        """Begin a stream of a random name."""
        self._stream = os.urandom(8).hex()
        self._next = 0

    def take(self, count: int) -> IdRange:
        """Return the next ids."""
        first = self._next
        self._next += count
        return IdRange(self._stream, first)


class Numbered:
    """A format, or none, whose events have ids: what a sink with ``event_ids`` is given.

    Args:
        base: Makes the lines; None for a sink that reads dicts only.
    """

    def __init__(self, base: Format | None) -> None:
        """Hold the format."""
        self.base = base
        self.name = f"{base.name if base is not None else ''}+{EVENT_ID}"

    @property
    def reshape(self) -> Callable[[EventDict], EventDict] | None:
        """The base's."""
        return None if self.base is None else self.base.reshape

    def encode_records(self, records: Sequence[Any]) -> list[bytes]:
        """Return the base's lines, which have no ids yet: a record does not know its own."""
        return [] if self.base is None else self.base.encode_records(records)

    def encode_events(self, events: Sequence[EventDict]) -> list[bytes]:
        """Return the base's lines of events, with ids where the events have them."""
        return [] if self.base is None else self.base.encode_events(events)

    def reset(self) -> None:
        """Reset the base."""
        if self.base is not None:
            self.base.reset()


def line_with_id(line: bytes, event_id: str) -> bytes:
    """Return a JSON line with the id at its end; any other line as it is."""
    if not line.endswith(b"}\n"):
        return line
    if _MARK in line:
        line = orjson.dumps(_renamed(orjson.loads(line))) + b"\n"
    return b'%s,"event_id":"%s"}\n' % (line[:-2], event_id.encode("ascii"))


def event_with_id(event: EventDict, event_id: str) -> EventDict:
    """Return a copy of a flat dict with the id."""
    return {**_renamed(event), EVENT_ID: event_id}


def _renamed(event: EventDict) -> EventDict:
    """Return an event whose own ``event_id``, if it has one, has another name."""
    if EVENT_ID not in event:
        return event
    other = f"{EVENT_ID}_"
    while other in event:
        other += "_"
    return {other if key == EVENT_ID else key: value for key, value in event.items()}
