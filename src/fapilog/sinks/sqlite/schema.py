"""The tables: made in a new file, recognised in one that exists.

    events        one row an event; ``data`` is the whole event as JSON, the other columns are for finding it
    events_text   the words of ``message`` and ``exception`` (FTS5, which reads the texts themselves from ``events``)

``time`` is microseconds since 1970 in UTC: an integer sorts, compares and indexes in eight bytes, without a rule for
the form of a text. The indexes are those that ``query`` uses; warnings and worse have one of their own, being few.

The words of a batch are added by one statement: a trigger for each row would take as long again as all the rest. Rows
may be removed by anybody, for which there is a trigger; rows are added by the sink alone.
"""

import sqlite3
from collections.abc import Sequence
from itertools import chain

from fapilog.sinks.sqlite.rows import Row

APPLICATION_ID = 0x66617069
"""``fapi`` in the file's header, where ``file`` and we recognise it."""
VERSION = 1
FEW = 30
"""From this level on (WARNING) events are in the index of the few."""

_TABLES = f"""
    CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        time INTEGER NOT NULL,
        level TEXT NOT NULL,
        level_number INTEGER NOT NULL,
        logger TEXT NOT NULL,
        message TEXT NOT NULL,
        request_id TEXT,
        trace_id TEXT,
        span_id TEXT,
        event_id TEXT UNIQUE,
        exception TEXT,
        data TEXT NOT NULL
    );
    CREATE INDEX events_time ON events (time);
    CREATE INDEX events_few ON events (time) WHERE level_number >= {FEW};
    CREATE INDEX events_request_id ON events (request_id, time) WHERE request_id IS NOT NULL;
    CREATE INDEX events_trace_id ON events (trace_id, time) WHERE trace_id IS NOT NULL;
"""
_TEXT = """
    CREATE VIRTUAL TABLE events_text USING fts5 (message, exception, content = events, content_rowid = id);
    CREATE TRIGGER events_text_delete AFTER DELETE ON events BEGIN
        INSERT INTO events_text (events_text, rowid, message, exception)
        VALUES ('delete', old.id, old.message, old.exception);
    END;
"""
COLUMNS = (
    "time",
    "level",
    "level_number",
    "logger",
    "message",
    "request_id",
    "trace_id",
    "span_id",
    "event_id",
    "exception",
    "data",
)
_AT_ONCE = (200, 20, 1)
_STATE = """
    SELECT (SELECT coalesce(max(id), 0) FROM events), EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'events_text')
"""
_INSERT_TEXT = (
    "INSERT INTO events_text (rowid, message, exception) SELECT id, message, exception FROM events WHERE id > ?"
)


class UnusableError(Exception):
    """The file is a database, but not one that this version can use."""


def has_full_text() -> bool:
    """Tell whether the SQLite library that Python was built with has FTS5."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE VIRTUAL TABLE probe USING fts5 (text)")
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return True


def prepare(connection: sqlite3.Connection, *, full_text: bool) -> None:
    """Make the tables in an empty database, or see that those that are there can be used.

    An index of words that is wanted and missing is built, which reads every event once.

    Raises:
        UnusableError: If it is a database of something else, or of a newer version.
        sqlite3.Error: If it cannot be read or written.
    """
    connection.execute("BEGIN IMMEDIATE")
    if not is_ours(connection):
        _run(connection, _TABLES)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    if full_text and not indexes_text(connection):
        _run(connection, _TEXT)
        connection.execute("INSERT INTO events_text (events_text) VALUES ('rebuild')")
    connection.execute("COMMIT")


def insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> int:
    """Add rows in one transaction, and return how many were not there before.

    Raises:
        sqlite3.Error: If nothing was added; the transaction may still be open.
    """
    connection.execute("BEGIN IMMEDIATE")
    # Asked each time: another process may have had the index built meanwhile.
    last, indexed = connection.execute(_STATE).fetchone()
    added = begin = 0
    for size in _AT_ONCE:
        while len(rows) - begin >= size:
            values = list(chain.from_iterable(rows[begin : begin + size]))
            added += connection.execute(_inserting(size), values).rowcount
            begin += size
    if indexed:
        connection.execute(_INSERT_TEXT, (last,))
    connection.execute("COMMIT")
    return added


def _inserting(count: int) -> str:
    """Return the statement that adds so many rows.

    One at a time would give up the interpreter's lock for each row, and get it back after 5 ms when the application
    is busy: at most 200 events a second.
    """
    row = f"({', '.join('?' * len(COLUMNS))})"
    values = ", ".join([row] * count)
    return f"INSERT INTO events ({', '.join(COLUMNS)}) VALUES {values} ON CONFLICT (event_id) DO NOTHING"  # noqa: S608


def is_ours(connection: sqlite3.Connection) -> bool:
    """Tell whether our tables are there; False if there is nothing at all.

    Raises:
        UnusableError: If it is a database of something else, or of a newer version.
    """
    application = _number(connection, "PRAGMA application_id")
    version = _number(connection, "PRAGMA user_version")
    if application == APPLICATION_ID:
        if version > VERSION:
            text = f"it is of version {version}, made by a newer fapilog; this one knows up to {VERSION}"
            raise UnusableError(text)
        return True
    if application or version or _number(connection, "SELECT count(*) FROM sqlite_schema"):
        raise UnusableError("it is a database of something else; fapilog needs a file of its own")
    return False


def indexes_text(connection: sqlite3.Connection) -> bool:
    """Tell whether the database has the index of words."""
    return bool(_number(connection, "SELECT count(*) FROM sqlite_schema WHERE name = 'events_text'"))


def _number(connection: sqlite3.Connection, sql: str) -> int:
    return int(connection.execute(sql).fetchone()[0])


def _run(connection: sqlite3.Connection, script: str) -> None:
    """Run statements inside the transaction; ``executescript`` would commit it first."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
