"""An event as a row: the columns that it can be found by, and the whole of it as JSON."""

import datetime
import re
from typing import Any

from fapilog.clock import Clock
from fapilog.coerce import json_safe, to_text
from fapilog.diagnostics import attempt
from fapilog.errors import ConfigError
from fapilog.event import EventDict
from fapilog.levels import INFO, LevelTable
from fapilog.serializers.json import dump_event

Row = tuple[int, str, int, str, str, str | None, str | None, str | None, str | None, str | None, str]

_CANONICAL = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})Z", re.ASCII)
_MOST_NAMES = 256


class Rows:
    """Makes rows. Used by one thread at a time.

    Args:
        levels: Which level names there are.
        clock: Says the time of an event whose ``timestamp`` a stage has made unreadable.
    """

    def __init__(self, levels: LevelTable, clock: Clock) -> None:
        """Know no level and no second yet."""
        self._levels = levels
        self._clock = clock
        self._numbers: dict[str, int] = {}
        self._second = ("", 0)

    def of(self, event: EventDict) -> Row:
        """Return the row of an event; never raises for what it holds."""
        get = event.get
        level = _text(get("level", ""))
        number = self._numbers.get(level)
        return (
            self._time(get("timestamp")),
            level,
            self._number(level) if number is None else number,
            _text(get("logger", "")),
            _text(get("message", "")),
            _text_or_none(get("request_id")),
            _text_or_none(get("trace_id")),
            _text_or_none(get("span_id")),
            _text_or_none(get("event_id")),
            _exception(get("exception")),
            dump_event(event)[:-1].decode(),
        )

    def _time(self, timestamp: Any) -> int:
        """Return microseconds since 1970; the events of a second share the work."""
        match = _CANONICAL.fullmatch(timestamp) if isinstance(timestamp, str) else None
        if match and match[1] == self._second[0]:
            return self._second[1] + int(match[2])
        moment, error = attempt(datetime.datetime.fromisoformat, timestamp)
        if error is not None:
            return self._clock.time_ns() // 1000
        whole, error = attempt(microseconds, moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC))
        if error is not None:
            return self._clock.time_ns() // 1000
        if match:
            self._second = (match[1], whole - int(match[2]))
        return int(whole)

    def _number(self, level: str) -> int:
        """Return a level's number; a name that is none counts as INFO."""
        try:
            number = self._levels.number(level, "level")
        except ConfigError:
            number = INFO
        if len(self._numbers) >= _MOST_NAMES:
            self._numbers.clear()
        self._numbers[level] = number
        return number


def microseconds(moment: datetime.datetime) -> int:
    """Return the microseconds since 1970 of a moment with a time zone, exactly."""
    return (moment - datetime.datetime.fromtimestamp(0, datetime.UTC)) // datetime.timedelta(microseconds=1)


def _text(value: Any) -> str:
    text = value if type(value) is str else to_text(value)
    return text if text.isascii() else str(json_safe(text))


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _exception(value: Any) -> str | None:
    """Return ``Type: message`` of a rendered exception."""
    if not isinstance(value, dict):
        return _text_or_none(value)
    return f"{_text(value.get('type', ''))}: {_text(value.get('message', ''))}"
