"""A span that ended, as it is, or a copy of it that holds at most 8 192 characters of text.

The SDK bounds how many attributes and events a span has, 128 of each, and not how long a text is: a request's body, a
prompt or a stack trace on each of 2 000 spans would be gigabytes.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Any, NamedTuple

from fapilog.coerce import MAX_INT_BITS, cut_text
from fapilog.diagnostics import type_name
from fapilog.otel.exceptions import last_lines

MOST_TEXT = 8_192
"""How many characters of one span are held. A number counts as 16."""
_LONGEST_TEXT = 2_048
_LONGEST_STACK = 4_096
_MOST_ATTRIBUTES = 128
_MOST_EVENTS = 32
_MOST_LINKS = 32
_LEAST = 16
_DEEPEST = 6
_SMALLEST, _LARGEST = -(1 << 63), 1 << 64
_STACK = "exception.stacktrace"
_PEM = "-----BEGIN"
_CUT = "<cut>"
_SMALL = frozenset((bool, float, type(None)))


class CutEvent(NamedTuple):
    """What is held of an event of a span; its attributes are those of the SDK's event."""

    name: str
    timestamp: int
    attributes: dict[str, Any]


class CutLink(NamedTuple):
    """What is held of a link."""

    context: Any


class CutSpan(NamedTuple):
    """What is held of a span with much text; its attributes are those of the SDK's ``ReadableSpan``."""

    context: Any
    parent: Any
    name: str
    kind: Any
    start_time: int | None
    end_time: int | None
    status: Any
    attributes: dict[str, Any]
    events: list[CutEvent]
    links: list[CutLink]
    resource: Any
    instrumentation_scope: Any


class CutStatus(NamedTuple):
    """What is held of a status."""

    status_code: Any
    description: str | None


def small(span: Any) -> tuple[int, Any] | None:
    """Return the trace id of a span and the span; None if it may have too much text, which :func:`held` looks into.

    Nearly every span has little: this is for the request that waits. It reads what the SDK keeps behind its properties,
    which copy: 1 µs for a dozen attributes instead of 2.5, where the span has cost the SDK 24.

    Raises:
        AttributeError, TypeError: If the SDK has it otherwise; :func:`held` does without.
    """
    # ruff: noqa: SLF001 - as said above
    attributes = span._attributes._dict
    room = MOST_TEXT - len(span._name) - len("".join(attributes))
    smallest, largest = _SMALLEST, _LARGEST
    for value in attributes.values():
        kind = type(value)
        if kind is str:
            room -= len(value)
        elif kind is int:
            if not smallest < value < largest:
                return None
        elif kind not in _SMALL:
            return None
    if room <= 0 or span._events or span._links or span._status.description or len(attributes) > _MOST_ATTRIBUTES:
        return None
    return span._context.trace_id, span


def held(span: Any) -> tuple[int, Any]:
    """Return the trace id of a span, and the span or what is to be held of it if it has much text.

    Costs 2.5 µs for a span that stays as it is; for one that is cut much less than it took to make it.
    """
    description = span.status.description
    room = MOST_TEXT - len(span.name) - (0 if description is None else len(description))
    room = _left(span.attributes, room)
    events, links = span.events, span.links
    if len(events) > _MOST_EVENTS or len(links) > _MOST_LINKS or any(link.attributes for link in links):
        room = 0
    for event in events:
        if room > 0:
            room = _left(event.attributes, room - len(event.name) - _LEAST)
    return span.context.trace_id, span if room > 0 else _cut(span)


def _left(attributes: Any, room: int) -> int:
    """Return how much room attributes leave; 0 or less if there is too little, or a value has to be looked into."""
    items = attributes.copy().items() if attributes else ()
    if len(items) > _MOST_ATTRIBUTES:
        return 0
    for key, value in items:
        room -= len(key) if type(key) is str else MOST_TEXT
        kind = type(value)
        if kind is str:
            room -= len(value)
        elif kind is int:
            room -= _LEAST if _SMALLEST < value < _LARGEST else MOST_TEXT
        elif kind is tuple and len(value) <= _LEAST:
            for item in value:
                room -= len(item) if type(item) is str else _LEAST if type(item) in _SMALL else MOST_TEXT
        elif kind not in _SMALL:
            room -= MOST_TEXT
    return room


class _Room:
    """How many characters are left."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MOST_TEXT


def _cut(span: Any) -> CutSpan:
    room = _Room()
    status = span.status
    description = None if status.description is None else _text(status.description, room)
    name = _text(span.name, room)
    # What went wrong comes first, should there not be room for all.
    events = [
        CutEvent(_text(event.name, room), event.timestamp, _attributes(event.attributes, room))
        for event in islice(_of(span.events), _MOST_EVENTS)
        if room.left > 0
    ]
    return CutSpan(
        span.context,
        span.parent,
        name,
        span.kind,
        span.start_time,
        span.end_time,
        CutStatus(status.status_code, description),
        _attributes(span.attributes, room),
        events,
        [CutLink(link.context) for link in islice(_of(span.links), _MOST_LINKS)],
        span.resource,
        span.instrumentation_scope,
    )


def _of(items: Iterable[Any] | None) -> Iterable[Any]:
    return items or ()


def _attributes(attributes: Any, room: _Room) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in (attributes.copy() if attributes else {}).items():
        if room.left <= 0:
            kept["…"] = f"<cut: {len(attributes)} attributes>"
            break
        name = _text(key, room)
        kept[name] = _stack(value, room) if key == _STACK and type(value) is str else _value(value, room, 0)
    return kept


def _stack(text: str, room: _Room) -> str:
    """Return the end of a stack trace, where the error was; the beginning if half a private key could be left."""
    limit = max(_LEAST, min(room.left, _LONGEST_STACK))
    kept = cut_text(text, limit) if _PEM in text else last_lines(text, limit)
    room.left -= len(kept) + _LEAST
    return kept


def _text(value: Any, room: _Room) -> str:
    text = value if type(value) is str else str.__str__(value) if issubclass(type(value), str) else _note(value)
    kept = cut_text(text, max(_LEAST, min(room.left, _LONGEST_TEXT)))
    room.left -= len(kept) + _LEAST
    return kept


def _note(value: object) -> str:
    return f"<{type_name(value)}>"


def _value(value: Any, room: _Room, depth: int) -> Any:
    """Return a value cut; nothing of the user's is called."""
    kind = type(value)
    if room.left <= 0 or depth > _DEEPEST:
        return _CUT
    if kind in _SMALL or (kind is int and value.bit_length() <= MAX_INT_BITS):
        room.left -= _LEAST
        return value
    if kind is str:
        return _text(value, room)
    if kind is int:
        return _text(f"<integer of {value.bit_length()} bits>", room)
    if kind is bytes:
        return _text(f"<{len(value)} bytes>", room)
    if kind in (tuple, list):
        return [_value(item, room, depth + 1) for item in value if room.left > 0]
    if kind is dict:
        return {_text(key, room): _value(item, room, depth + 1) for key, item in value.items() if room.left > 0}
    return _text(value, room)
