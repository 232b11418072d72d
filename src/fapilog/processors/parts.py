"""What the schemas share: reading the parts of a flat event, severities, names that do not clash.

A schema works on a shallow copy of the event. What it has a place for is *moved* out of the copy, if it is there and of
the type that the schema asks for; what is left are the user's fields, which go where the schema puts those. So nothing
gets lost, and a field of an unexpected type is a user's field like any other.
"""

from collections.abc import Container, Mapping
from typing import Any

from fapilog.coerce import to_text
from fapilog.event import EventDict
from fapilog.levels import CRITICAL, DEBUG, ERROR, INFO, STANDARD_LEVELS, WARNING

Moves = tuple[tuple[str, type, str], ...]
"""Rows of: key in the flat event, type that its value must be of, key in the schema."""

ACCESS_LOGGER = "fapilog.request"
BASE_LEVELS = (CRITICAL, ERROR, WARNING, INFO, DEBUG)
_NOTICE = 25
_TRACE = 5
_NUMBERS: Mapping[str, int] = {
    **STANDARD_LEVELS,
    "TRACE": _TRACE,
    "NOTICE": _NOTICE,
    "WARN": WARNING,
    "FATAL": CRITICAL,
    "ALERT": CRITICAL,
    "EMERGENCY": CRITICAL,
}
_NUMBERED = "LEVEL_"
_NS_IN_MS = 1_000_000


def move(fields: EventDict, target: EventDict, moves: Moves) -> None:
    """Move each value that is there, and of the right type, from ``fields`` to its place in ``target``."""
    for source, kind, name in moves:
        value = fields.get(source)
        if type(value) is kind:
            target[name] = value
            del fields[source]


def is_http(event: Mapping[Any, Any]) -> bool:
    """Tell whether the event is about an HTTP request or a WebSocket: a completion event, or a server's access line.

    Only there ``path``, ``outcome`` or ``duration_ms`` have the meaning that a schema has a place for; in other events
    they are names like any others.
    """
    logger = event.get("logger")
    return type(event.get("http_method")) is str or (type(logger) is str and logger == ACCESS_LOGGER)


def take_error(fields: EventDict, target: EventDict, moves: Moves) -> EventDict | None:
    """Move the parts of ``exception`` and return the others (frames, cause, group); None if there is no exception."""
    exception = fields.get("exception")
    if type(exception) is not dict:
        return None
    del fields["exception"]
    others = dict(exception)
    move(others, target, moves)
    return others


def level_number(level: Any) -> int:
    """Return a level's number: of the standard names, some usual ones, and ``LEVEL_<number>``; INFO for all others."""
    if type(level) is not str:
        return INFO
    number = _NUMBERS.get(level)
    if number is None and level.startswith(_NUMBERED):
        digits = level[len(_NUMBERED) :]
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= len("1000") else None
    return INFO if number is None else number


def base_level(number: int) -> int:
    """Return the standard level that a number belongs to: the highest one that is not above it, DEBUG at least."""
    return next((level for level in BASE_LEVELS if number >= level), DEBUG)


def take_duration_ns(fields: EventDict) -> int | None:
    """Take ``duration_ms`` out and return it in nanoseconds; None, and nothing is taken, if it is no duration."""
    value: Any = fields.get("duration_ms")
    if type(value) not in (int, float) or not 0 <= value < 1 << 40:
        return None
    del fields["duration_ms"]
    nanoseconds: int = round(value * _NS_IN_MS)
    return nanoseconds


def take_count(fields: EventDict, key: str) -> str | None:
    """Take a whole number out and return its decimal text; None, and nothing is taken, if it is none of 63 bits."""
    value: Any = fields.get(key)
    if type(value) is not int or not 0 <= value < 1 << 63:
        return None
    del fields[key]
    return str(value)


def add_fields(fields: EventDict, target: EventDict, reserved: Container[str] = ()) -> None:
    """Add the user's fields to ``target``; a name that is taken there, or reserved, gets ``_`` appended."""
    for key, value in fields.items():
        name = key
        if key in target or key in reserved or type(key) is not str:
            name = free_name(key if type(key) is str else to_text(key), fields, target, reserved)
        target[name] = value


def free_name(name: str, *taken: Container[Any]) -> str:
    """Return a name that is in none of ``taken``: this one, or with as many ``_`` appended as it needs."""
    while any(name in names for names in taken):
        name += "_"
    return name
