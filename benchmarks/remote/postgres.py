"""Into a table of a real PostgreSQL server, started for the run."""

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.remote import Sending, Start, Unavailable
from benchmarks.remote.senders import Ours, handled
from tests.services.postgres import PostgresServer, binaries

BATCH = 500
SETUP = {
    "ours_postgres": "add_postgres, COPY, batches of 500",
    "postgres_inserts": "logging, a handler with one prepared INSERT a record by asyncpg; columns and indexes as ours",
    "postgres_executemany": "the same with executemany of 500 records",
}
_INSERT = """
INSERT INTO logs (time, level, logger, message, request_id, trace_id, span_id, data)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_TABLE = """
CREATE TABLE logs (time timestamptz NOT NULL, level text, logger text, message text, request_id text, trace_id text,
                   span_id text, event_id text, data jsonb);
CREATE INDEX ON logs (time);
CREATE INDEX ON logs (time) WHERE level NOT IN ('DEBUG', 'INFO');
CREATE INDEX ON logs (request_id, time) WHERE request_id IS NOT NULL;
CREATE INDEX ON logs (trace_id, time) WHERE trace_id IS NOT NULL;
"""
_MAIN = ("request_id", "trace_id", "span_id")
_KEYS = ("tenant", "seq", "path", "status", "duration_ms", "trace_flags")


class Inserting(logging.Handler):
    """Executes ``INSERT`` for so many records at once.

    Args:
        dsn: The database.
        at_once: How many.
    """

    def __init__(self, dsn: str, at_once: int) -> None:
        """Connect, and make the table."""
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._at_once = at_once
        self._rows: list[tuple[Any, ...]] = []
        self._connection: asyncpg.Connection = self._loop.run_until_complete(asyncpg.connect(dsn))
        self._loop.run_until_complete(self._connection.execute(_TABLE))
        self._statement = self._loop.run_until_complete(self._connection.prepare(_INSERT))

    def emit(self, record: logging.LogRecord) -> None:
        """Insert the record, or keep it for later."""
        told = record.__dict__
        data = json.dumps({key: told[key] for key in _KEYS})
        when = datetime.fromtimestamp(record.created, UTC)
        row = (when, record.levelname, record.name, record.getMessage(), *(told[key] for key in _MAIN), data)
        if self._at_once == 1:
            self._loop.run_until_complete(self._statement.fetch(*row))
            return
        self._rows.append(row)
        if len(self._rows) >= self._at_once:
            self.settle()

    def settle(self) -> None:
        """Insert what was kept."""
        rows, self._rows = self._rows, []
        if rows:
            self._loop.run_until_complete(self._statement.executemany(rows))

    def stop(self) -> None:
        """Disconnect."""
        self._loop.run_until_complete(self._connection.close())
        self._loop.close()


@contextmanager
def ours(folder: Path) -> Iterator[Sending]:
    """Copy by our sink."""
    with _server(folder) as server:
        logger = Ours(lambda builder: builder.add_postgres(server.dsn))
        yield Sending(logger.emit, logger.settle, lambda: _sequences(server))
        logger.stop()


def _inserting(at_once: int) -> Start:
    @contextmanager
    def start(folder: Path) -> Iterator[Sending]:
        with _server(folder) as server:
            handler = Inserting(server.dsn, at_once)
            yield Sending(handled(handler), handler.settle, lambda: _sequences(server))
            handler.stop()

    return start


@contextmanager
def _server(folder: Path) -> Iterator[PostgresServer]:
    try:
        binaries()
    except FileNotFoundError as error:
        raise Unavailable("PostgreSQL is not installed (apt-get install postgresql)") from error
    with PostgresServer(folder) as server:
        yield server


def _sequences(server: PostgresServer) -> list[int]:
    return [row["seq"] for row in server.fetch("SELECT (data->>'seq')::int AS seq FROM logs")]


STARTS = {"ours_postgres": ours, "postgres_inserts": _inserting(1), "postgres_executemany": _inserting(BATCH)}
