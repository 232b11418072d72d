"""Which events have to go: the oldest, in small steps after a write, so that no write takes long.

    by age    time < now - max_age
    by size   pages in use > what max_bytes leaves beside the write-ahead log

Removed rows leave free pages in the file, which the next events use. What is more than the limit, or than a quarter of
the file, is given back to the file system 256 KiB at a time (``auto_vacuum = incremental``).
"""

import sqlite3
from collections import Counter
from typing import NamedTuple

from fapilog.clock import Clock

_AT_ONCE = 200
_SECONDS = 0.02
_PAGES_AT_ONCE = 64
_LEAST_FREE = 256
_LOG_SHARE = 4
_LOG_MOST = 16 * 1024 * 1024
_BATCH_SHARE = 8
_BATCH_MOST = 2 * 1024 * 1024
_INDEX_OF_LOG = 64 * 1024

_BY_AGE = (
    "DELETE FROM events WHERE id IN (SELECT id FROM events INDEXED BY events_time WHERE time < ? ORDER BY time LIMIT ?)"
)
_OLDEST = "DELETE FROM events WHERE id IN (SELECT id FROM events INDEXED BY events_time ORDER BY time, id LIMIT ?)"
_PAGES = "SELECT page_count, freelist_count FROM pragma_page_count, pragma_freelist_count"


class Rules(NamedTuple):
    """What may stay: microseconds and bytes, None for no limit."""

    max_age: int | None
    max_bytes: int | None

    @property
    def log_bytes(self) -> int:
        """How long the write-ahead log may become before it is copied into the file: 16 MiB, or a quarter of all."""
        return _LOG_MOST if self.max_bytes is None else min(_LOG_MOST, self.max_bytes // _LOG_SHARE)

    @property
    def batch_bytes(self) -> int:
        """How much is kept free for the next batch in file and log: 2 MiB, or an eighth of all."""
        return 0 if self.max_bytes is None else min(_BATCH_MOST, self.max_bytes // _BATCH_SHARE)


class Retention:
    """Keeps the rules on one connection.

    The pages in use never grow from one call to the next while they are over the limit, and shrink for at least 20 ms:
    a limit that was lowered is reached over many writes.
    """

    def __init__(self, rules: Rules, clock: Clock, connection: sqlite3.Connection, figures: Counter[str]) -> None:
        """Look how large the database is."""
        self._rules = rules
        self._clock = clock
        self._connection = connection
        self._figures = figures
        self._page = int(connection.execute("PRAGMA page_size").fetchone()[0])
        self._limit: int | None = None
        if rules.max_bytes is not None:
            self._limit = (rules.max_bytes - rules.log_bytes - rules.batch_bytes - _INDEX_OF_LOG) // self._page
        self._reached = self._used()
        self.bytes = 0

    def keep(self) -> None:
        """Remove what has to go, as far as the time allows, counted in ``removed_events``.

        Raises:
            sqlite3.Error: If the database cannot be read or written; what was removed before stays so.
        """
        deadline = self._clock.monotonic() + _SECONDS
        if self._rules.max_age is not None:
            before = self._clock.time_ns() // 1000 - self._rules.max_age
            while self._remove(_BY_AGE, before, _AT_ONCE) == _AT_ONCE and self._clock.monotonic() < deadline:
                pass
        if self._limit is not None:
            used = self._used()
            while used > self._limit and (used > self._reached or self._clock.monotonic() < deadline):
                if not self._remove(_OLDEST, _AT_ONCE):
                    break
                used = self._used()
            self._reached = used
        self._give_back()

    def _remove(self, sql: str, *values: int) -> int:
        gone = self._connection.execute(sql, values).rowcount
        self._figures["removed_events"] += gone
        return gone

    def _give_back(self) -> None:
        pages, free = self._pages()
        excess = max(pages - self._limit if self._limit is not None else 0, free - max(pages // 4, _LEAST_FREE))
        count = min(free, excess, _PAGES_AT_ONCE)
        if count > 0:
            # Not execute: it would stop after the first page, as each is a step of the statement.
            self._connection.executescript(f"PRAGMA incremental_vacuum({count})")
            pages -= count
        self.bytes = pages * self._page

    def _used(self) -> int:
        pages, free = self._pages()
        return pages - free

    def _pages(self) -> tuple[int, int]:
        """Return how many pages the file has, and how many of them are free."""
        pages, free = self._connection.execute(_PAGES).fetchone()
        return int(pages), int(free)
