"""Finding events among the JSON lines that are kept, without taking every line apart.

    chunk ─► lines ─► level and logger, read at the fixed start of the line
                        └─► ids and text, looked for in the bytes ─► taken apart only where bytes do not settle it

:func:`matches` says what the filters mean; a property test holds the short cuts to it.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from fapilog.diagnostics import attempt
from fapilog.levels import LevelTable
from fapilog.recent import Chunk

Line = tuple[int, bytes]
"""Number and text of an event, without the newline."""

_LEVEL_AT = len('{"timestamp":"2026-11-21T09:00:00.000000Z')
_LEVEL = b'","level":"'
_LOGGER = b'","logger":"'
_MESSAGE = b'","message":"'
_STRUCTURE = frozenset('{}[]:,"')
_NOT_SEARCHED = ("timestamp", "level", "logger")
_KEPT_LEVELS = 200
_SIGMA, _SIGMA_AT_END = "\u03c3", "\u03c2"


class _Number(str):
    """A number as it stands in a line."""

    __slots__ = ()


class Wanted:
    """Which events are asked for. What is None is not looked at. Immutable but for what it has learned of levels.

    Args:
        levels: The level names.
        level: Takes events of this level and above, and those of a level that nobody knows.
        logger: Takes events of this logger and of those below it: ``app`` also means ``app.db``.
        text: Takes events in whose message, field names or values this text is, in capitals or not.
        request_id: Takes events of this request.
        trace_id: Takes events of this trace.

    Raises:
        ConfigError: If there is no such level.
    """

    def __init__(
        self,
        levels: LevelTable,
        *,
        level: str | None = None,
        logger: str | None = None,
        text: str | None = None,
        request_id: str | None = None,
        trace_id: str | None = None,
    ) -> None:
        """Prepare what lines are compared with."""
        self._levels = levels
        self._least = None if level is None else levels.number(level, "level")
        self._passes: dict[bytes, bool] = {}
        self._logger = logger
        self._logger_bytes = None if logger is None else _inside(logger)
        self._ids = {
            key: value for key, value in (("request_id", request_id), ("trace_id", trace_id)) if value is not None
        }
        self._id_bytes = [member(key, value) for key, value in self._ids.items()]
        self._text = None if text is None else fold(text)
        self._text_bytes = None if self._text is None else _inside(self._text)
        self._plain = text is not None and _STRUCTURE.isdisjoint(text)
        self._impossible = None in (
            *self._id_bytes,
            b"" if logger is None else self._logger_bytes,
            b"" if text is None else self._text_bytes,
        )

    @property
    def everything(self) -> bool:
        """Whether every event is wanted."""
        return self._least is None and self._logger is None and self._text is None and not self._ids

    def lines(self, chunk: Chunk) -> list[Line]:
        """Return the events of a chunk that are wanted, oldest first."""
        numbered = enumerate(chunk.data[:-1].split(b"\n"), chunk.first)
        if self.everything:
            return list(numbered)
        if self._impossible or any(member not in chunk.data for member in self._id_bytes if member):
            return []
        return [(number, line) for number, line in numbered if self.takes(line)]

    def takes(self, line: bytes) -> bool:
        """Tell whether a line is wanted."""
        if self._impossible:
            return False
        begun = _begun(line)
        if begun is None:
            return self._takes_parsed(line)
        level, logger, message_at = begun
        if self._least is not None and not self._is_grave(level):
            return False
        wanted = self._logger_bytes
        if wanted is not None and logger != wanted and not logger.startswith(wanted + b"."):
            return False
        if not all(member in line for member in self._id_bytes if member):
            return False
        settled = not self._ids
        if self._text is not None:
            if not self._may_say(line, message_at):
                return False
            settled = settled and self._plain and b"\\" not in line
        return settled or self._takes_parsed(line)

    def matches(self, event: dict[str, Any]) -> bool:
        """Tell whether an event is wanted, by looking at all of it.

        Args:
            event: As :func:`parsed` gives it.
        """
        level, logger = event.get("level"), event.get("logger")
        if self._least is not None and not (type(level) is str and self._is_grave(level.encode("utf-8", "replace"))):
            return False
        if self._logger is not None and not (
            type(logger) is str and (logger == self._logger or logger.startswith(self._logger + "."))
        ):
            return False
        if any(type(event.get(key)) is not str or event[key] != value for key, value in self._ids.items()):
            return False
        return self._text is None or any(self._text in fold(text) for text in _texts(event))

    def _takes_parsed(self, line: bytes) -> bool:
        event = parsed(line)
        return event is not None and self.matches(event)

    def _is_grave(self, level: bytes) -> bool:
        found = self._passes.get(level)
        if found is None:
            number, unknown = attempt(self._levels.number, level.decode("utf-8", "replace"), "level")
            found = unknown is not None or number >= (self._least or 0)
            if len(self._passes) >= _KEPT_LEVELS:
                self._passes.clear()
            self._passes[level] = found
        return found

    def _may_say(self, line: bytes, message_at: int) -> bool:
        """Tell whether the text is somewhere after the beginning of the message; False is certain."""
        wanted = self._text_bytes or b""
        if line.isascii():
            return line.lower().find(wanted, message_at) >= 0
        return wanted.decode() in fold(line[message_at:].decode("utf-8", "replace"))


def newest(chunks: list[Chunk], wanted: Wanted, count: int, max_bytes: int) -> list[Line]:
    """Return the last events that are wanted, oldest first.

    Args:
        chunks: Where they are, oldest first.
        wanted: Which.
        count: How many at most.
        max_bytes: How many bytes at most, but always one event if there is any.
    """
    found: list[Line] = []
    size = 0
    for chunk in reversed(chunks):
        for number, line in reversed(wanted.lines(chunk)):
            size += len(line)
            if len(found) >= count or (size > max_bytes and found):
                return found[::-1]
            found.append((number, line))
        if len(found) >= count:
            break
    return found[::-1]


def containing(chunks: Iterable[Chunk], marker: bytes) -> Iterator[Line]:
    """Yield the lines that contain some bytes; the others are not even cut out."""
    for chunk in chunks:
        data, number, end = chunk.data, chunk.first, 0
        at = data.find(marker)
        while at >= 0:
            start = data.rfind(b"\n", end, at) + 1 or end
            number += data.count(b"\n", end, start)
            end = data.find(b"\n", at) + 1
            yield number, data[start : end - 1]
            number += 1
            at = data.find(marker, end)


def member(key: str, value: str) -> bytes | None:
    """Return a key and its text as they stand in a line; None if no line can hold them."""
    inside = _inside(value)
    return None if inside is None else b'"%s":"%s"' % (key.encode(), inside)


def parsed(line: bytes) -> dict[str, Any] | None:
    """Return the event of a line, its numbers as the texts that stand there; None if it is not one."""
    event, failed = attempt(_loads, line)
    return event if failed is None and isinstance(event, dict) else None


def fold(text: str) -> str:
    """Return a text as it is compared: without the difference between capitals and small letters.

    Unlike anything more thorough, this gives each character the same whatever stands beside it, also in the JSON text.
    """
    return text.lower().replace(_SIGMA_AT_END, _SIGMA)


def _loads(line: bytes) -> Any:
    return json.loads(line, parse_int=_Number, parse_float=_Number)


def _texts(event: dict[str, Any]) -> Iterator[str]:
    """Yield what a text is looked for in: the message, the names of fields, and every value however deep."""
    rest: list[Any] = []
    for key, value in event.items():
        if key not in _NOT_SEARCHED:
            rest.append(value)
            if key != "message":
                yield key
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            yield from value
            rest.extend(value.values())
        elif isinstance(value, list):
            rest.extend(value)
        else:
            yield value if isinstance(value, str) else json.dumps(value)


def _begun(line: bytes) -> tuple[bytes, bytes, int] | None:
    """Return level, logger, and where the message starts; None if the line does not begin as the wire's lines do."""
    level_at = _LEVEL_AT + len(_LEVEL)
    if line[_LEVEL_AT:level_at] != _LEVEL:
        return None
    level_end = line.find(b'"', level_at)
    logger_at = level_end + len(_LOGGER)
    if line[level_end:logger_at] != _LOGGER:
        return None
    logger_end = line.find(b'"', logger_at)
    message_at = logger_end + len(_MESSAGE)
    # A quote that belongs to a name stands behind a backslash, and what follows it is no key.
    if line[logger_end:message_at] != _MESSAGE:
        return None
    return line[level_at:level_end], line[logger_at:logger_end], message_at


def _inside(text: str) -> bytes | None:
    """Return a text as it stands between the quotes; None for lone surrogates, which no line holds."""
    dumped, failed = attempt(orjson.dumps, text)
    return None if failed is not None else dumped[1:-1]
