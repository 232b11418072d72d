"""Reading the events of a database, while others write it or nobody does."""

import datetime
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

import orjson

from fapilog import checks
from fapilog.errors import ConfigError, FapilogError
from fapilog.levels import LevelTable
from fapilog.sinks.sqlite.rows import microseconds
from fapilog.sinks.sqlite.schema import FEW, UnusableError, indexes_text, is_ours

Moment = datetime.datetime | str | float

_BUSY_SECONDS = 5.0
_ALL = -1
_MICROSECONDS = 1_000_000
_FURTHEST_SECONDS = 9e12  # in microseconds that is what fits into 64 bits
_MOMENT = 'a datetime with a time zone, text of RFC 3339 such as "2026-11-21T09:00:00Z", or seconds since 1970'


def query(
    path: str | os.PathLike[str],
    *,
    request_id: str | None = None,
    trace_id: str | None = None,
    level: str | int | None = None,
    logger: str | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    text: str | None = None,
    limit: int | None = 100,
    newest_first: bool = True,
) -> list[dict[str, Any]]:
    """Return the events that fulfil all conditions, as they were logged: flat dicts, with their ``event_id``.

    It opens the database for reading only, and waits for nobody who writes. The directory must be writable, or a
    writer have the database open: reading beside a write-ahead log needs a file for the locks. Safe in any thread.

    Args:
        path: The database file.
        request_id: Only events of this request.
        trace_id: Only events of this trace.
        level: Only events of this level or a higher one: a name in any case, a number, or ``LEVEL_<number>``. Names
            of an application's own are known if the database has an event of that level.
        logger: Only events of this logger, or of those below it (``"app"`` finds ``"app.db"``, too).
        since: Only events from this moment on: a datetime with a time zone, text of RFC 3339, or seconds since 1970.
        until: Only events before this moment.
        text: Only events whose message, or exception (``Type: message``), has all of these words: in any
            order, in any case, accents ignored. A word that ends with ``*`` finds all that begin with it. Signs part
            words and mean nothing else: ``user-id`` finds these two words beside each other.
        limit: At most so many events. Default 100; None all, which are then in memory at once.
        newest_first: By time, the newest first (default), or the oldest first; events of one microsecond in the order
            they arrived, or its reverse.

    Raises:
        ConfigError: If a condition cannot be used.
        FapilogError: If the file is not there, cannot be read, is damaged, is no database of fapilog, or has no index
            of words and ``text`` is given.
    """
    conditions: list[str] = []
    values: dict[str, Any] = {}
    for name, value in (("request_id", request_id), ("trace_id", trace_id)):
        if value is not None:
            conditions.append(f"{name} = :{name}")
            values[name] = _bindable(checks.text(value, f"query({name})"))
    if logger is not None:
        checks.text(logger, "query(logger)")
        conditions.append("(logger = :logger OR substr(logger, 1, length(:below)) = :below)")
        values |= {"logger": _bindable(logger), "below": _bindable(logger) + "."}
    for name, sign, moment in (("since", ">=", since), ("until", "<", until)):
        if moment is not None:
            conditions.append(f"time {sign} :{name}")
            values[name] = _moment(moment, f"query({name})")
    if text is not None:
        conditions.append("id IN (SELECT rowid FROM events_text WHERE events_text MATCH :text)")
        values["text"] = match_words(text)
    values["limit"] = _ALL if limit is None else min(checks.whole(limit, "query(limit)", 1), (1 << 63) - 1)
    direction = "DESC" if checks.flag(newest_first, "query(newest_first)") else "ASC"
    return _read(Path(path).absolute(), conditions, values, level, direction)


def _read(
    place: Path, conditions: list[str], values: dict[str, Any], level: str | int | None, direction: str
) -> list[dict[str, Any]]:
    if not place.is_file():
        raise FapilogError(f"{place}: there is no such file")
    uri = f"file:{quote_from_bytes(os.fsencode(place))}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
            if not is_ours(connection):
                return []
            if "text" in values and not indexes_text(connection):
                raise FapilogError(f"{place}: this database has no index of words (full_text), text cannot be searched")
            if level is not None:
                number = _level(connection, level)
                conditions += ["level_number >= :level", *([f"level_number >= {FEW}"] if number >= FEW else [])]
                values["level"] = number
            where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
            order = f"ORDER BY time {direction}, id {direction} LIMIT :limit"
            found = connection.execute(f"SELECT data FROM events {where} {order}", values)  # noqa: S608 - constants
            return [orjson.loads(data) for (data,) in found]
    except (sqlite3.Error, UnusableError, orjson.JSONDecodeError) as error:
        raise FapilogError(f"{place}: cannot be read: {error}") from error


def match_words(text: str) -> str:
    """Return words as an expression of FTS5 that finds texts with all of them, and in which no sign has a meaning.

    Raises:
        ConfigError: If there is no word in it.
    """
    checks.text(text, "query(text)")
    terms = []
    for word in _bindable(text).replace("\0", " ").split():
        if not any(character.isalnum() for character in word):
            continue
        begins = word.endswith("*")
        quoted = word.rstrip("*").replace('"', '""')
        terms.append(f'"{quoted}"{"*" if begins else ""}')
    if not terms:
        raise ConfigError.wrong("query(text)", text, "at least one word, of letters or digits")
    return " AND ".join(terms)


def _level(connection: sqlite3.Connection, level: str | int) -> int:
    levels = LevelTable()
    try:
        return levels.number(level, "query(level)")
    except ConfigError:
        if not isinstance(level, str):
            raise
        # A name that an application has registered; only its events know the number.
        sql = "SELECT level_number FROM events WHERE level = ? LIMIT 1"
        found: Sequence[int] | None = connection.execute(sql, (_bindable(level.strip().upper()),)).fetchone()
        if found is None:
            raise
        return int(found[0])


def _moment(moment: Moment, where: str) -> int:
    """Return microseconds since 1970."""
    if isinstance(moment, str):
        try:
            moment = datetime.datetime.fromisoformat(moment.strip())
        except ValueError:
            raise ConfigError.wrong(where, moment, _MOMENT) from None
    if isinstance(moment, datetime.datetime):
        if moment.utcoffset() is None:
            raise ConfigError.wrong(where, moment, _MOMENT)
        return microseconds(moment)
    # NaN is not less than anything.
    if isinstance(moment, bool) or not isinstance(moment, int | float) or not abs(moment) < _FURTHEST_SECONDS:
        raise ConfigError.wrong(where, moment, _MOMENT)
    return round(moment * _MICROSECONDS)


def _bindable(text: str) -> str:
    """Return a text as it was stored: lone surrogates as their escapes."""
    return text.encode("utf-8", "backslashreplace").decode()
