"""Into a SQLite file, the one receiver that is no process: acknowledged is what is committed."""

import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.remote import Sending, Start
from benchmarks.remote.senders import Ours, handled, nothing

SETUP = {
    "ours_sqlite": "add_sqlite with its index of words, batches of 500",
    "ours_sqlite_plain": "add_sqlite(full_text=False), batches of 500",
    "sqlite_wal": "logging, a handler that commits one INSERT a record, WAL; as ours, no index of words",
    "sqlite_inserts": "the same with the defaults of the module, a journal that is synced",
}
_TABLE = """
CREATE TABLE logs (id INTEGER PRIMARY KEY, time REAL, level TEXT, logger TEXT, message TEXT, request_id TEXT,
                   trace_id TEXT, span_id TEXT, data TEXT);
CREATE INDEX by_time ON logs (time);
CREATE INDEX by_request_id ON logs (request_id, time);
CREATE INDEX by_trace_id ON logs (trace_id, time);
"""


class Inserting(logging.Handler):
    """One INSERT a record.

    Args:
        connection: Where to.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Keep the connection."""
        super().__init__()
        self._connection = connection

    def emit(self, record: logging.LogRecord) -> None:
        """Insert and commit."""
        told = record.__dict__
        ids = (told["request_id"], told["trace_id"], told["span_id"])
        row = (None, record.created, record.levelname, record.name, record.getMessage(), *ids, self.format(record))
        self._connection.execute("INSERT INTO logs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        self._connection.commit()


def _ours(*, full_text: bool) -> Start:
    @contextmanager
    def start(folder: Path) -> Iterator[Sending]:
        path = folder / "ours.sqlite3"
        logger = Ours(lambda builder: builder.add_sqlite(path, full_text=full_text))
        yield Sending(logger.emit, logger.settle, lambda: _sequences(path, "events"))
        logger.stop()

    return start


def _inserting(settings: str) -> Start:
    @contextmanager
    def start(folder: Path) -> Iterator[Sending]:
        path = folder / "handler.sqlite3"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(settings + _TABLE)
            yield Sending(handled(Inserting(connection)), nothing, lambda: _sequences(path, "logs"))

    return start


def _sequences(path: Path, table: str) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [json.loads(data)["seq"] for (data,) in connection.execute(f"SELECT data FROM {table}")]  # noqa: S608 - ours


STARTS = {
    "ours_sqlite": _ours(full_text=True),
    "ours_sqlite_plain": _ours(full_text=False),
    "sqlite_wal": _inserting("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"),
    "sqlite_inserts": _inserting(""),
}
