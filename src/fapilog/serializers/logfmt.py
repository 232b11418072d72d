"""logfmt: one line of ``key=value`` pairs an event, for tools and eyes that are used to it.

    timestamp=2026-11-21T07:00:11.000123Z level=INFO logger=shop message="Order placed" order.id=7 tags.0=gift

- Keys in the order of the wire. Objects and arrays are flattened, members joined by dots, elements by their position;
  empty ones are ``{}`` and ``[]``. A key keeps its text except for spaces, ``=``, ``"`` and what
  :data:`fapilog.serializers.text.UNSAFE` names, which become ``_``; a clash gets ``_`` appended.
- A text without spaces, ``=``, ``"``, backslashes and unsafe characters stands bare; any other is in double quotes with
  JSON's escapes, so that a JSON parser reads the quoted part back exactly. logfmt has no types: ``7`` may have been
  a number or a text.
- Of an exception ``type``, ``message`` and ``stacktrace`` are written; ``frames``, ``cause`` and ``group`` are left
  out, because the stack trace holds them all.

There is no standard; quoting follows what the parsers of Grafana Loki and Go's kr/logfmt read.
"""

import re
from collections.abc import Iterator
from typing import Any

from fapilog.event import EventDict
from fapilog.serializers.text import UNSAFE, TextFormat, scalar_text

_TO_QUOTE = re.compile(rf"{UNSAFE.pattern}|[\s\"=\\]")
_TO_ESCAPE = re.compile(rf"{UNSAFE.pattern}|[\"\\]")
_NOT_IN_KEY = re.compile(rf"{UNSAFE.pattern}|[\s=\"]")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class LogfmtFormat(TextFormat):
    """Writes events as logfmt, see the module and :class:`fapilog.serializers.text.TextFormat`."""

    name = "logfmt"
    reshape = None

    def render(self, event: EventDict) -> str:
        """Return the line of an event."""
        pairs: dict[str, str] = {}
        for key, value in event.items():
            for path, text in _flat(key, _without_frames(value) if key == "exception" else value):
                name = _NOT_IN_KEY.sub("_", path) or "_"
                while name in pairs:
                    name += "_"
                pairs[name] = text
        return " ".join([f"{name}={text}" for name, text in pairs.items()]) + "\n"


def quoted(text: str) -> str:
    """Return a text bare, if nothing in it needs quotes, or as a JSON string."""
    return f'"{_TO_ESCAPE.sub(_escape, text)}"' if not text or _TO_QUOTE.search(text) else text


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, quoted(value)
    elif isinstance(value, dict):
        if not value:
            yield path, "{}"
        for key, item in value.items():
            yield from _flat(f"{path}.{key}", item)
    elif isinstance(value, list):
        if not value:
            yield path, "[]"
        for index, item in enumerate(value):
            yield from _flat(f"{path}.{index}", item)
    else:
        yield path, quoted(scalar_text(value))


def _without_frames(exception: Any) -> Any:
    """Return an ``exception`` object without what its ``stacktrace`` says as well; all of it, if there is none."""
    if not (isinstance(exception, dict) and isinstance(exception.get("stacktrace"), str)):
        return exception
    return {key: exception[key] for key in exception if key not in ("frames", "cause", "group")}


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if char in _ESCAPES:
        return _ESCAPES[char]
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
