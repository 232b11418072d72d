"""The SQLite sink: one connection, one transaction for each batch, retention after it."""

import os
import sqlite3
import threading
import weakref
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.errors import ConfigError, SinkError
from fapilog.levels import LevelTable
from fapilog.protocols import Batch
from fapilog.sinks.sqlite.connecting import Settings, connect, opening_error, writing_error
from fapilog.sinks.sqlite.options import SqliteOptions
from fapilog.sinks.sqlite.retention import Retention, Rules
from fapilog.sinks.sqlite.rows import Rows
from fapilog.sinks.sqlite.schema import has_full_text, insert
from fapilog.units import parse_duration, parse_size

_MICROSECONDS = 1_000_000
_CLOSE_SECONDS = 0.5
_FORK_SECONDS = 1.0


class SqliteSink:
    """Keeps events in a SQLite database, where ``fapilog.sinks.sqlite.query`` finds them.

    A batch is one transaction: all of it is there afterwards, or nothing, also if the process is killed meanwhile. An
    event with an ``event_id`` that is already there is not added again, so that a batch may be sent twice. Several
    processes may write to one file on a local file system; each waits ``busy_timeout`` for its turn.

    ``write`` may be called by any one thread at a time, ``open`` and ``close`` by another. The connection is closed
    before this process forks, which waits up to a second for a running write, because no copy of it may be in the
    child; parent and child open it anew when they write. A file that is moved or removed is replaced by a new one.

    What retention removes is gone, counted in ``removed_events``.

    Args:
        options: Where and how.
        clock: Where the age of events is read.
        levels: Which level names have which numbers, for ``query(level=…)``. Default the standard ones; a name that
            is not among them counts as INFO.

    Attributes:
        path: The database file, absolute.
        figures: How many events were ``removed_events`` and ``duplicates``; how often ``retention_failed`` and
            the file was ``reopened``.

    Raises:
        ConfigError: If ``full_text`` is wanted and the SQLite library has no FTS5.
    """

    format = None
    event_ids = True
    threaded = True

    def __init__(self, options: SqliteOptions, clock: Clock = SYSTEM_CLOCK, levels: LevelTable | None = None) -> None:
        """Make no file yet."""
        if options.full_text and not has_full_text():
            allowed = "False, because the SQLite library here was built without FTS5"
            raise ConfigError.wrong("add_sqlite(full_text)", True, allowed)  # noqa: FBT003 - the value given
        self.name = options.name
        self.path = Path(options.path).absolute()
        self.figures: Counter[str] = Counter()
        max_age = options.max_age
        self._rules = Rules(
            max_age=None if max_age is None else round(parse_duration(max_age, "max_age") * _MICROSECONDS),
            max_bytes=None if options.max_bytes is None else parse_size(options.max_bytes, "max_bytes"),
        )
        self._settings = Settings(
            path=self.path,
            full_text=options.full_text,
            synchronous=options.synchronous,
            busy_seconds=parse_duration(options.busy_timeout, "busy_timeout"),
            log_bytes=self._rules.log_bytes,
        )
        self._clock = clock
        self._rows = Rows(levels or LevelTable(), clock)
        self._lock = threading.Lock()
        self._forking = 0
        self._opened = False
        self._connection: sqlite3.Connection | None = None
        self._retention: Retention | None = None
        self._identity = (0, 0)
        self._inherited: list[sqlite3.Connection] = []
        self._error = ""
        _hook_forks(self)

    async def open(self) -> None:
        """Open the database, made if it is not there.

        Raises:
            SinkError: Retryable if it is busy, the disk full or failing. Not if the directory cannot be made, the file
                is no database, damaged, of something else or of a newer version: it is left as it is.
        """
        if not self._lock.acquire(timeout=_CLOSE_SECONDS):
            raise SinkError(f"{self.path}: a write of before still hangs", retryable=True)
        try:
            self._disconnect()
            self._connect()
            self._opened = True
        finally:
            self._lock.release()

    def write(self, batch: Batch) -> None:
        """Add the events in one transaction, then remove what has to go.

        Raises:
            SinkError: If nothing of the batch was added; retryable unless its events are to blame.
        """
        rows = [self._rows.of(event) for event in batch.flat]
        with self._lock:
            if not self._opened:
                raise SinkError(f"{self.path}: the sink is not open")
            try:
                added = insert(self._current(), rows)
            except (sqlite3.Error, SinkError) as error:
                raise self._failed(error) from error
            self._error = ""
            if added < len(rows):
                self.figures["duplicates"] += len(rows) - added
            self._retain()
            if not self._opened:  # closed while this hung
                self._disconnect()

    async def close(self) -> None:
        """Close the database; one whose write hangs is closed when that comes back."""
        self._opened = False
        if self._lock.acquire(timeout=_CLOSE_SECONDS):
            self._disconnect()
            self._lock.release()

    def health(self) -> dict[str, Any]:
        """Return how the sink is: ``status``, ``bytes`` of the database file, ``last_error``."""
        retention = self._retention
        told: dict[str, Any] = {"status": "ok" if self._opened else "closed"}
        if self._error:
            told = {"status": "failing", "last_error": self._error}
        if retention is not None:
            told["bytes"] = retention.bytes
        return told

    def _retain(self) -> None:
        if self._retention is None:
            return
        try:
            self._retention.keep()
        except sqlite3.Error as error:
            # The batch is in the database: this is no reason to send it again. The next write tries again.
            self.figures["retention_failed"] += 1
            self._error = str(self._failed(error))

    def _failed(self, error: sqlite3.Error | SinkError) -> SinkError:
        """Return the error to raise; the connection is made anew by the next write, whatever state it is in."""
        self._disconnect()
        refused = writing_error(self.path, error)
        self._error = str(refused)
        return refused

    def _current(self) -> sqlite3.Connection:
        """Return the connection, a new one if there is none or the path is another file by now."""
        if self._connection is not None and self._identity != _identity(self.path):
            self.figures["reopened"] += 1
            with suppress(sqlite3.Error):
                # What is in the log belongs to the moved file; nobody would find it beside that.
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._disconnect()
        return self._connection or self._connect()

    def _connect(self) -> sqlite3.Connection:
        try:
            self._connection = connect(self._settings)
            self._retention = Retention(self._rules, self._clock, self._connection, self.figures)
        except (sqlite3.Error, SinkError) as error:
            self._disconnect()
            refused = opening_error(self.path, error)
            self._error = str(refused)
            raise refused from error
        self._identity = _identity(self.path)
        self._error = ""
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        self._retention = None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def before_fork(self) -> None:
        """Wait for a running write and close: a child must have no copy of a connection, of its locks and memory."""
        if self._lock.acquire(timeout=_FORK_SECONDS):
            self._forking = threading.get_ident()
            self._disconnect()

    def after_fork(self) -> None:
        """Go on in the parent; the next write connects."""
        if self._forking == threading.get_ident():
            self._forking = 0
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Begin anew, closed. A copy that a hanging write has left is kept, not closed: that would touch its locks."""
        self._lock = threading.Lock()
        self._forking = 0
        self._opened = False
        if self._connection is not None:
            self._inherited.append(self._connection)
        self._connection = None
        self._retention = None


def _identity(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError:
        return (0, 0)
    return state.st_dev, state.st_ino


def _hook_forks(sink: SqliteSink) -> None:
    """Let a sink know of forks for as long as it lives."""
    register = getattr(os, "register_at_fork", None)
    if register is None:
        return
    found = weakref.ref(sink)

    def tell(method: str) -> None:
        alive = found()
        if alive is not None:
            getattr(alive, method)()

    register(
        before=lambda: tell("before_fork"),
        after_in_parent=lambda: tell("after_fork"),
        after_in_child=lambda: tell("after_fork_in_child"),
    )
