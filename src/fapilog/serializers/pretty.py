"""Events for a person at a terminal.

    09:12:03.123 INFO     shop.orders   Order placed                     order=7 total=12.5  req=…8f3a12c9
    09:12:03.140 ERROR    shop.payment  Charge failed                    order=7
        │ Traceback (most recent call last):
        │   File "/app/shop/payment.py", line 31, in charge
        │     gateway.submit(card)
        │ shop.errors.Declined: card expired

- The time of day is the local one of the process, which is what the clock beside the terminal shows; the date, the
  zone and the microseconds are in the JSON format. What cannot be read as a time is shown as it is.
- Fields that say the same on every event (service, env, version, host, pid) are left out, span id and trace flags too;
  request and trace id are shortened to the end that tells them apart, and are whole in the JSON format.
- A text with line breaks, an object too long for the line, a traceback go below, behind a bar. A new line of the log
  starts at the left margin, and nothing in an event can print there.
- Every part that comes from an event is escaped by :func:`fapilog.serializers.text.visible`. The only control
  characters written are the line ends and this module's own colours.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from unicodedata import east_asian_width

from fapilog.coerce import SCALARS, to_text
from fapilog.diagnostics import attempt
from fapilog.event import ERROR_KEYS, RESERVED, EventDict, Names
from fapilog.serializers.readable import (
    BLUE,
    BOLD,
    CYAN,
    DIM,
    GREEN,
    LINE_WIDTH,
    LOUD_RED,
    YELLOW,
    Styled,
    capped,
    name_text,
    split_lines,
    styled_trace,
    traceback_lines,
    value_lines,
    value_text,
)
from fapilog.serializers.text import TextFormat, visible

_LEVEL_STYLES = {"DEBUG": BLUE, "INFO": GREEN, "WARNING": YELLOW, "ERROR": LOUD_RED, "CRITICAL": "1;37;41"}
_LEVEL_WIDTH = 8
_NARROW_LOGGER, _WIDE_LOGGER = 12, 24
_MESSAGE_WIDTH = 32
_WHOLE_ID = 12
_ID_END = 8
_BAR = "    │ "
_SHOWN_APART = frozenset((*RESERVED, *ERROR_KEYS))


class PrettyFormat(TextFormat):
    """Writes events for people, see the module and :class:`fapilog.serializers.text.TextFormat`.

    Args:
        names: Names the levels.
        resource: Fields about the process; an event's that are the same are not shown.
        color: Whether to write colours, see :func:`choose_color`.
    """

    name = "pretty"
    reshape = None

    def __init__(self, names: Names, resource: Mapping[str, Any], *, color: bool) -> None:
        """Start with the narrowest columns."""
        super().__init__(names, resource)
        self._color = color
        self._logger_width = _NARROW_LOGGER

    def render(self, event: EventDict) -> str:
        """Return the line of an event, and the lines below it."""
        first, *more = capped(split_lines(to_text(event.get("message", ""))))
        inline: list[str] = []
        below: list[Styled] = [(line, "") for line in more]
        for key, value in event.items():
            if key not in _SHOWN_APART and not self._is_resource(key, value):
                self._field(key, value, inline, below)
        if event.get("stack") is not None:
            below.append(("Stack (most recent call last):", DIM))
            below += styled_trace(split_lines(to_text(event["stack"])))
        if event.get("exception") is not None:
            below += traceback_lines(event["exception"])
        line = self._head(event) + self._painted(BOLD, first)
        ids = _short_ids(event)
        if inline:
            line += " " * (_MESSAGE_WIDTH - _width(visible(first))) + "  " + " ".join(inline)
        if ids:
            line += "  " + self._painted(DIM, ids)
        bar = self._painted(DIM, _BAR)
        return "\n".join([line, *[f"{bar}{self._painted(style, text)}".rstrip() for text, style in below], ""])

    def _head(self, event: EventDict) -> str:
        level = to_text(event.get("level", ""))
        logger = visible(to_text(event.get("logger", "")))
        if len(logger) > _WIDE_LOGGER:
            logger = "…" + logger[1 - _WIDE_LOGGER :]
        # The column only grows: the lines of one screen stay aligned.
        self._logger_width = max(self._logger_width, len(logger))
        time = self._painted(DIM, _time_of_day(event.get("timestamp")))
        level = self._painted(_LEVEL_STYLES.get(level, BOLD), level.ljust(_LEVEL_WIDTH))
        return f"{time} {level} {self._painted(CYAN, logger.ljust(self._logger_width))}  "

    def _field(self, key: str, value: Any, inline: list[str], below: list[Styled]) -> None:
        """Put one field on the line, or below it if it does not fit there."""
        name = name_text(key)
        if isinstance(value, str) and "\n" in value:
            lines = split_lines(value)
        else:
            text = value_text(value)
            if len(text) <= LINE_WIDTH or not isinstance(value, dict | list):
                inline.append(self._painted(DIM, f"{name}=") + visible(text))
                return
            lines = list(value_lines(value))
        below.append((f"{name}:", CYAN))
        below += [(f"  {line}", "") for line in capped(lines)]

    def _is_resource(self, key: str, value: Any) -> bool:
        """Tell whether a field only repeats what is on every event; a call's own ``version=2`` is shown."""
        own = self._resource.get(key, self)
        return type(own) is type(value) and type(value) in SCALARS and bool(own == value)

    def _painted(self, style: str, text: str) -> str:
        """Return text of an event escaped, in a style."""
        text = visible(text)
        return f"\x1b[{style}m{text}\x1b[0m" if self._color and style and text else text


def choose_color(stream_is_tty: bool, environ: Mapping[str, str]) -> bool:  # noqa: FBT001 - the one fact it is about
    """Tell whether to write colours.

    In this order: ``NO_COLOR`` not empty, no (no-color.org); ``FORCE_COLOR`` not empty, yes (force-color.org);
    ``TERM=dumb``, no; else as ``stream_is_tty`` says. CPython's own tracebacks use the same order.
    """
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return stream_is_tty and environ.get("TERM") != "dumb"


def _time_of_day(stamp: Any) -> str:
    if stamp is None:
        return "--:--:--.---"
    moment, unreadable = attempt(datetime.fromisoformat, stamp)
    # A year at the edge of the calendar has no local time in every zone.
    if unreadable is None:
        moment, unreadable = attempt(moment.astimezone)
    return to_text(stamp) if unreadable is not None else f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"


def _short_ids(event: EventDict) -> str:
    shown = []
    for key, label in (("request_id", "req"), ("trace_id", "trace")):
        if event.get(key) is not None:
            text = to_text(event[key])
            shown.append(f"{label}={text if len(text) <= _WHOLE_ID else '…' + text[-_ID_END:]}")
    return " ".join(shown)


def _width(text: str) -> int:
    """Return how many columns a text takes; CJK characters take two."""
    return len(text) if text.isascii() else sum(2 if east_asian_width(char) in "WF" else 1 for char in text)
