r"""Events as the rows of a COPY in text format: columns parted by tabs, rows by newlines, NULL is ``\N``.

Source of the format: PostgreSQL documentation, "COPY", "Text Format". It is made here and not by asyncpg's binary COPY
because the parts are texts already: a timestamp needs no date object, JSON no decoding, and nothing is asked of the
server about its types before each batch.

    {"timestamp": …, "level": …, "request_id": …, …, "order": 7, "exception": {…}}
      time             level      request_id   …      data: {"order": 7, "exception": {…}}

``data`` holds what no column holds. A value that its column cannot hold whole, because it is no text or an id of over
512 characters, is in ``data`` as it was and in the column as text, cut; so nothing is lost and no index refuses a row.

PostgreSQL stores no NUL character and no lone surrogate: ``\u0000`` and ``\ud800`` stand there instead, visibly.
"""

import datetime
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from fapilog.clock import Clock
from fapilog.coerce import json_safe, to_plain, to_text
from fapilog.diagnostics import attempt
from fapilog.event import EventDict
from fapilog.serializers.json import dump_event
from fapilog.sinks.postgres.times import microseconds, moment_of

COLUMNS = ("time", "level", "logger", "message", "request_id", "trace_id", "span_id", "event_id", "data")
LONGEST_ID = 512
"""Characters; an entry of a B-tree index has at most 2704 bytes, and these are at most 2048."""

_IDS = ("request_id", "trace_id", "span_id", "event_id")
_IN_COLUMNS = frozenset({"timestamp", "level", "logger", "message", *_IDS})
_CANONICAL = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})Z", re.ASCII)
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_NULL = "\\N"


class Rows(NamedTuple):
    """A batch as rows: each with its newline, and its time in microseconds since 1970."""

    rows: list[bytes]
    times: list[int]


class RowMaker:
    """Makes rows; used by one task at a time.

    Args:
        clock: Says the time of an event whose ``timestamp`` a stage has made unreadable.

    Attributes:
        replaced: In how many texts something stands for what PostgreSQL cannot store.
    """

    def __init__(self, clock: Clock) -> None:
        """Know no second yet."""
        self.replaced = 0
        self._clock = clock
        self._second = ("", 0)

    def of(self, events: Sequence[EventDict]) -> Rows:
        """Return the rows of events; never raises for what they hold."""
        rows, times = [], []
        for event in events:
            row, time = self._row(event)
            rows.append(row)
            times.append(time)
        return Rows(rows, times)

    def take_replaced(self) -> int:
        """Return ``replaced`` and begin to count anew."""
        count, self.replaced = self.replaced, 0
        return count

    def _row(self, event: EventDict) -> tuple[bytes, int]:
        rest = {key: value for key, value in event.items() if key not in _IN_COLUMNS}
        stamp, time = self._time(event, rest)
        cells = [stamp, *(self._text(event, key, rest) for key in ("level", "logger", "message"))]
        cells += [self._id(event, key, rest) for key in _IDS]
        return b"%s\t%s\n" % ("\t".join(cells).encode(), self._data(rest)), time

    def _text(self, event: EventDict, key: str, rest: dict[str, Any]) -> str:
        value = event.get(key, "")
        if type(value) is not str:
            rest[key] = value
            value = to_text(value)
        return value if _is_plain(value) else self._cell(value)

    def _id(self, event: EventDict, key: str, rest: dict[str, Any]) -> str:
        value = event.get(key)
        if value is None:
            if key in event:
                rest[key] = None
            return _NULL
        if type(value) is str and len(value) <= LONGEST_ID and _is_plain(value):
            return value
        text = self._storable_text(value if type(value) is str else to_text(value))
        if type(value) is not str or len(text) > LONGEST_ID:
            rest[key] = value
            # Two events whose ids only begin alike are not the same event.
            if key == "event_id" and len(text) > LONGEST_ID:
                return _NULL
            text = text[:LONGEST_ID]
        return text.translate(_ESCAPES)

    def _cell(self, text: str) -> str:
        return self._storable_text(text).translate(_ESCAPES)

    def _storable_text(self, text: str) -> str:
        if not _UNSTORABLE.search(text):
            return text
        self.replaced += 1
        return str(json_safe(text)).replace("\0", "\\u0000")

    def _data(self, rest: dict[str, Any]) -> bytes:
        raw = dump_event(rest)[:-1]
        # NUL is written \u0000; a lone surrogate has become the text \ud800, written \\ud800. Either may also be
        # what somebody has logged; then nothing is found to replace.
        if b"\\u0000" in raw or b"\\\\ud" in raw:
            plain = {key if type(key) is str else to_text(key): to_plain(value) for key, value in rest.items()}
            raw = dump_event(self._storable(plain))[:-1]
        return raw.replace(b"\\", b"\\\\") if b"\\" in raw else raw

    def _storable(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._storable_text(value)
        if isinstance(value, dict):
            stored: dict[str, Any] = {}
            for key, item in value.items():
                name = self._storable_text(key) if isinstance(key, str) else key
                while name in stored or (name is not key and name in value):
                    name += "_"
                stored[name] = self._storable(item)
            return stored
        return [self._storable(item) for item in value] if isinstance(value, list) else value

    def _time(self, event: EventDict, rest: dict[str, Any]) -> tuple[str, int]:
        """Return the time as PostgreSQL reads it and in microseconds since 1970; a second's events share the work."""
        given = event.get("timestamp")
        match = _CANONICAL.fullmatch(given) if isinstance(given, str) else None
        if match and match[1] == self._second[0]:
            return match[0], self._second[1] + int(match[2])
        moment, error = attempt(_moment, given)
        if error is not None:
            if "timestamp" in event:
                rest["timestamp"] = given
            moment = moment_of(self._clock.time_ns() // 1000)
        time = microseconds(moment)
        if match and error is None:
            self._second = (match[1], time - int(match[2]))
            return match[0], time
        return moment.isoformat(), time


def _is_plain(text: str) -> bool:
    """Tell quickly whether a text can be a cell as it is; most can. False for some others that could be."""
    return text.isprintable() and "\\" not in text


def _moment(given: str) -> datetime.datetime:
    moment = datetime.datetime.fromisoformat(given)
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).astimezone(datetime.UTC)
