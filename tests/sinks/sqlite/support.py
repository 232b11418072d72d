"""Looking into a database by SQLite itself."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return all rows in the order they arrived; none if there is no file."""
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM events ORDER BY id")]


def lines_of(path: Path) -> list[bytes]:
    """Return all events as lines."""
    return [row["data"].encode() + b"\n" for row in rows_of(path)]


def integrity(path: Path) -> str:
    """Return ``ok`` if SQLite finds nothing wrong, in the tables and in the index of words."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO events_text (events_text, rank) VALUES ('integrity-check', 1)")
        return connection.execute("PRAGMA integrity_check").fetchone()[0]
