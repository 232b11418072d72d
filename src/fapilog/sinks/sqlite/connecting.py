"""Opening the database file for writing, and what the errors of SQLite mean for the events."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from fapilog.errors import SinkError
from fapilog.sinks.file.locks import try_lock
from fapilog.sinks.file.opening import DIRECTORY_MODE, FILE_MODE
from fapilog.sinks.sqlite.schema import UnusableError, prepare

_PAUSE_SECONDS = 0.02
_TRIES = 50
_HEAL_SECONDS = 30.0
_PASSING = {
    sqlite3.SQLITE_BUSY: "another process is writing for longer than busy_timeout",
    sqlite3.SQLITE_LOCKED: "another process is writing for longer than busy_timeout",
    sqlite3.SQLITE_PROTOCOL: "another process is writing for longer than busy_timeout",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "input/output error",
    sqlite3.SQLITE_NOMEM: "out of memory",
    sqlite3.SQLITE_INTERRUPT: "interrupted",
}
_BROKEN = {
    sqlite3.SQLITE_READONLY: "the file, or its directory, may not be written to",
    sqlite3.SQLITE_PERM: "the file may not be accessed",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_CORRUPT: "the database is damaged; move it away, and a new one is made",
    sqlite3.SQLITE_NOTADB: "this file is no SQLite database; fapilog needs a file of its own",
}
_OF_AN_EVENT = frozenset({0, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH})
"""What a value can be to blame for; 0 is an error of the module itself, which could not bind it."""


class Settings(NamedTuple):
    """How the file is opened."""

    path: Path
    full_text: bool
    synchronous: str
    busy_seconds: float
    log_bytes: int


def connect(settings: Settings) -> sqlite3.Connection:
    """Open the database, made if it is not there: the directory with mode 0750, the files with 0640, less the umask.

    Raises:
        SinkError: Retryable if it is busy, the disk full or failing; not if it can never be used as it is.
    """
    try:
        _make_file(settings.path)
    except OSError as error:
        raise SinkError(f"{settings.path}: cannot be made: {error.strerror or error}") from error
    connection: sqlite3.Connection | None = None
    try:
        # isolation_level=None: transactions begin and end where this package says so.
        connection = sqlite3.connect(
            settings.path, timeout=settings.busy_seconds, isolation_level=None, check_same_thread=False
        )
        _set_up(connection, settings)
    except (sqlite3.Error, UnusableError, SinkError) as error:
        if connection is not None:
            connection.close()
        raise opening_error(settings.path, error) from error
    return connection


def opening_error(path: Path, error: Exception) -> SinkError:
    """Return the error of an ``open`` that failed."""
    if isinstance(error, SinkError):
        return error
    code = _code(error)
    if code in _PASSING:
        return SinkError(f"{path}: {_PASSING[code]}", retryable=True)
    return SinkError(f"{path}: {_BROKEN.get(code, error)}")


def writing_error(path: Path, error: sqlite3.Error | SinkError) -> SinkError:
    """Return the error of a ``write`` that failed: nothing of its batch was taken.

    Events wait for a database that somebody has to repair; half a minute between two attempts is enough.
    """
    if isinstance(error, SinkError):  # of a connection that had to be made anew
        return error if error.retryable else SinkError(str(error), retryable=True, retry_after=_HEAL_SECONDS)
    code = _code(error)
    if code in _PASSING:
        return SinkError(f"{path}: {_PASSING[code]}", retryable=True)
    text = f"{path}: {_BROKEN.get(code, f'{type(error).__name__}: {error}')}"
    return SinkError(text) if code in _OF_AN_EVENT else SinkError(text, retryable=True, retry_after=_HEAL_SECONDS)


def _code(error: Exception) -> int:
    """Return the primary result code of SQLite, 0 if there is none: its lowest eight bits."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _make_file(path: Path) -> None:
    """Make an empty file with its mode; SQLite gives the same one to the files beside it.

    An existing one is not opened here: closing a descriptor would give up the locks that other connections of this
    process hold on the file (POSIX). Where there is none, files of its log are those of a database that was moved away:
    a new one must not take them for its own.
    """
    path.parent.mkdir(DIRECTORY_MODE, parents=True, exist_ok=True)
    if path.exists():
        return
    with _alone(path.parent):
        if not path.exists():
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Keep other processes from making the file, too, for at most a second; where directories cannot be locked, not."""
    descriptor = os.open(directory, os.O_RDONLY) if os.name == "posix" else -1
    try:
        tries = _TRIES if descriptor >= 0 else 0
        while tries and not try_lock(descriptor, exclusive=True):
            tries -= 1
            time.sleep(_PAUSE_SECONDS)
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _set_up(connection: sqlite3.Connection, settings: Settings) -> None:
    # Only an empty database takes this one, and only before it has a write-ahead log.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    _use_log(connection, settings)
    page = int(connection.execute("PRAGMA page_size").fetchone()[0])
    connection.execute(f"PRAGMA synchronous = {settings.synchronous}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {max(1, settings.log_bytes // page)}")
    connection.execute(f"PRAGMA journal_size_limit = {settings.log_bytes}")
    prepare(connection, full_text=settings.full_text)


def _use_log(connection: sqlite3.Connection, settings: Settings) -> None:
    """Switch to the write-ahead log; several processes that start at once may have to take turns.

    SQLite does not wait by itself here, as two that wait for each other would do so for ever.
    """
    deadline = time.monotonic() + settings.busy_seconds
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
            continue
        if mode != "wal":
            text = "this file system has no shared memory, which the write-ahead log needs; use a local one"
            raise SinkError(f"{settings.path}: {text}")
        return
