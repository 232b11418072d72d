"""What the two text formats share: what they escape, how they write scalars, how they keep going.

A terminal obeys control characters, hides some others and reorders text for a third kind: whoever can put those into
a log can forge lines, hide commands or retitle the window (CWE-117, CWE-150). ``UNSAFE`` is C0, DEL, C1, lone
surrogates and Unicode's Default_Ignorable_Code_Point (zero-width and bidirectional controls, fillers, tags) with the
line and paragraph separators; not U+FE00..FE0F, without which an emoji looks different but nothing is hidden.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fapilog.coerce import json_safe, to_plain, to_text
from fapilog.diagnostics import attempt, describe
from fapilog.event import EventDict, Names, to_event

UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ONE_BYTE = 0x100
_TWO_BYTES = 0x10000


class TextFormat:
    """A format that writes one event at a time. One instance belongs to one engine's worker; not thread-safe.

    Args:
        names: Names the levels.
        resource: Fields about the process, on every event.
    """

    name = ""

    def __init__(self, names: Names, resource: Mapping[str, Any]) -> None:
        """Keep what every event is completed with."""
        self._names = names
        self._resource = resource

    def render(self, event: EventDict) -> str:
        """Return the text of an event whose values are plain, line end included."""
        raise NotImplementedError

    def reset(self) -> None:
        """Do nothing: no part is kept rendered."""

    def encode_records(self, records: Sequence[Any]) -> list[bytes]:
        """Return the lines of captured records."""
        lines = []
        for record in records:
            event, error = attempt(to_event, record, self._names, self._resource)
            lines.append(self._line(self.render, event if error is None else _stand_in(error)))
        return lines

    def encode_events(self, events: Sequence[EventDict]) -> list[bytes]:
        """Return the lines of flat dicts, whatever a user's stage has put into them."""
        return [self._line(self._render_any, event) for event in events]

    def _line(self, render: Callable[[EventDict], str], event: EventDict) -> bytes:
        line, error = attempt(render, event)
        if error is not None:
            line = self.render(_stand_in(error))
        encoded: bytes = line.encode("utf-8", "backslashreplace")
        return encoded

    def _render_any(self, event: EventDict) -> str:
        plain = {key if type(key) is str else to_text(key): to_plain(value) for key, value in event.items()}
        return self.render(plain)


def _stand_in(error: Exception) -> EventDict:
    """Return what is written for an event that cannot be."""
    return {"level": "ERROR", "logger": "fapilog", "message": f"<event cannot be shown: {describe(error)}>"}


def visible(text: str) -> str:
    """Return ``text`` with each unsafe character written as Python's ``repr`` would.

    Backslashes stay as they are: this is for people. What can be read back is ``quoted`` in ``logfmt.py``.
    """
    return text if text.isascii() and text.isprintable() else UNSAFE.sub(_escape, text)


def scalar_text(value: Any) -> str:
    """Return None, a bool or a number as JSON writes it; integers and floats that JSON lacks as ``json.py`` does."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(json_safe(value))


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    code = ord(char)
    if code < _ONE_BYTE:
        return _SHORT.get(char) or f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < _TWO_BYTES else f"\\U{code:08x}"
