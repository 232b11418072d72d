"""The PostgreSQL sink: its life cycle, one batch as one transaction, and what delivery is told of failures."""

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.diagnostics import attempt
from fapilog.errors import SinkError
from fapilog.protocols import Batch
from fapilog.sinks.postgres import connecting, partitions, schema
from fapilog.sinks.postgres.errors import (
    FAILURES,
    UNDEFINED_TABLE,
    WrongTableError,
    keeps_connection,
    sink_error,
    sqlstate,
)
from fapilog.sinks.postgres.identifiers import quoted, split_table
from fapilog.sinks.postgres.options import PostgresOptions, shown_dsn
from fapilog.sinks.postgres.rows import COLUMNS, RowMaker
from fapilog.units import parse_duration

STAGING = "fapilog_staging"
_MAKE_STAGING = f"CREATE TEMPORARY TABLE IF NOT EXISTS {STAGING} ({{columns}}) ON COMMIT DELETE ROWS"
_CLOSE_SECONDS = 0.5
_LOOK_MICROSECONDS = 3_600_000_000
_NO_PARTITION = "23514"
_MICROSECONDS = 1_000_000
_FIGURES = ("events", "duplicates", "rejected", "replaced_texts", "connects", "partitions_made", "partitions_dropped")


class PostgresSink:
    """Puts events into a table of PostgreSQL, by COPY.

    A batch is one transaction: all of it is in the table afterwards, or nothing, also if this process or the server is
    killed meanwhile. When the connection breaks after the server has committed and before it could say so, the batch is
    sent again and is there twice; with ``dedupe`` it is not.

    There is one connection, made anew at the next write after it was lost, and one batch at a time on it: COPY of 500
    events takes a few milliseconds, and a second connection would mix up their order. ``open``, ``write`` and ``close``
    belong to one event loop; ``health`` and ``figures`` may be read by any thread. In a forked child ``open`` makes a
    connection of its own and leaves the parent's alone.

    Args:
        options: What was chosen.
        clock: The time of an event that has no readable one of its own; which partitions are needed and old.

    Attributes:
        figures: How many ``events`` were acknowledged, of them ``duplicates`` that were already there; ``rejected``
            because they had no partition; in how many texts NUL or a lone surrogate was replaced
            (``replaced_texts``); how often it ``connects``; ``partitions_made``, ``partitions_dropped``, and how
            often one could not be dropped (``retention_failed``).
    """

    format = None
    event_ids = True

    def __init__(self, options: PostgresOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        """Connect to nothing yet."""
        self.name = options.name
        self.figures: Counter[str] = Counter(dict.fromkeys((*_FIGURES, "retention_failed"), 0))
        self._options = options
        self._clock = clock
        self._timeout = parse_duration(options.timeout, "add_postgres(timeout)")
        self._keep = None if options.keep is None else round(parse_duration(options.keep, "keep") * _MICROSECONDS)
        names = split_table(options.table, "add_postgres(table)")
        self._wanted = schema.Wanted(*names, options.partition is not None, options.dedupe)
        self._where = f"{shown_dsn(options.dsn)}, table {options.table!r}"
        self._rows = RowMaker(clock)
        self._connection: Any = None
        self._inherited: list[Any] = []
        self._pid = os.getpid()
        self._lock = asyncio.Lock()
        self._opened = False
        self._last_error = ""
        self._forget()

    def __repr__(self) -> str:
        """Show where events go."""
        return f"PostgresSink({self._where!r})"

    async def open(self) -> None:
        """Connect, and make the table where it is missing.

        Raises:
            SinkError: Retryable if the server cannot be reached, is starting, full or read-only; not retryable if it
                refuses the user, or if database, schema, table or permissions are not as they must be.
        """
        self._leave_to_parent()
        self._lock = asyncio.Lock()
        async with self._lock:
            self._drop()
            await self._do(self._ready(self._deadline()), opening=True)
        self._opened = True

    async def write(self, batch: Batch) -> None:
        """Put a batch into the table; return when the server has committed it.

        Raises:
            SinkError: Retryable if nothing was taken and may be later; not retryable if PostgreSQL refuses the batch,
                or naming the events that have no partition and get none, where the others were taken.
        """
        if not self._opened:
            raise SinkError("the sink is not open", retryable=True)
        async with self._lock:
            await self._do(self._write(batch, self._deadline()), opening=False)

    async def close(self) -> None:
        """Say good-bye to the server, for at most half a second."""
        self._opened = False
        self._leave_to_parent()
        connection, self._connection = self._connection, None
        if connection is not None:
            await connecting.close(connection, _CLOSE_SECONDS)

    def health(self) -> dict[str, Any]:
        """Return how the last open or write went, and where events go."""
        connection = self._connection
        return {
            "status": "failing" if self._last_error else "ok" if self._opened else "closed",
            "connected": connection is not None and not connection.is_closed(),
            "server": shown_dsn(self._options.dsn),
            "table": self._options.table,
            "last_error": self._last_error,
        }

    def _leave_to_parent(self) -> None:
        """In a forked child: start without a connection; that of the parent is kept from being closed here."""
        if self._pid == os.getpid():
            return
        if self._connection is not None:
            self._inherited.append(self._connection)
        self._connection, self._pid = None, os.getpid()
        self._forget()

    def _forget(self) -> None:
        """Know nothing about the table."""
        self._table: schema.Table | None = None
        self._spans = partitions.Spans()
        self._looked: int | None = None

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._timeout

    async def _do(self, work: Any, *, opening: bool) -> None:
        try:
            await work
        except SinkError as error:
            self._last_error = str(error)
            raise
        except (*FAILURES, WrongTableError) as error:
            failure = self._failure(error, opening=opening)
            if not keeps_connection(error):
                self._drop()
            self._last_error = str(failure)
            # Not "from": what the server says may quote what an event holds.
            raise failure from None
        except asyncio.CancelledError:
            self._drop()
            raise
        self._last_error = ""

    def _failure(self, error: BaseException, *, opening: bool) -> SinkError:
        code = sqlstate(error)
        unplaced = code == _NO_PARTITION and getattr(error, "constraint_name", None) is None
        lost = (code == UNDEFINED_TABLE and self._options.create) or (unplaced and self._options.partition is not None)
        if lost and not opening and self._table is not None:
            # Somebody has dropped the table or a partition: the next write makes it anew.
            self._forget()
            return SinkError(f"{self._where}: the table or a partition of it is gone", retryable=True)
        return sink_error(error, self._where, opening=opening)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._forget()
        if connection is not None:
            # It may belong to a loop that is closed by now.
            attempt(connection.terminate)

    async def _ready(self, deadline: float) -> Any:
        """Return the connection, with a table that can be written to."""
        if self._connection is None or self._connection.is_closed():
            self._drop()
            self._connection = await connecting.connect(self._options.dsn, self._options.ca_file, self._left(deadline))
            self.figures["connects"] += 1
        if self._table is None:
            self._table = await self._within(self._prepare(self._connection), deadline)
        return self._connection

    async def _prepare(self, connection: Any) -> schema.Table:
        await schema.check_server(connection)
        table = await schema.find(connection, self._wanted)
        if table is None:
            if not self._options.create:
                raise WrongTableError("the table is not there, and create=False")
            table = await schema.make(connection, self._wanted)
        if self._options.partition is not None:
            await self._look_after(connection, table, [])
        if self._options.dedupe:
            await connection.execute(_MAKE_STAGING.format(columns=schema.column_types()))
        return table

    async def _write(self, batch: Batch, deadline: float) -> None:
        made = self._rows.of(batch.flat)
        self.figures["replaced_texts"] += self._rows.take_replaced()
        connection = await self._ready(deadline)
        kept = range(len(batch))
        refused: set[int] = set()
        if self._options.partition is not None and self._table is not None and self._needs_looking(made.times):
            refused = await self._within(self._look_after(connection, self._table, made.times), deadline)
        rejected = {index: "no partition holds its time" for index in kept if made.times[index] in refused}
        rows = [row for index, row in enumerate(made.rows) if index not in rejected]
        if rows:
            self.figures["duplicates"] += len(rows) - await self._within(self._send(connection, rows), deadline)
            self.figures["events"] += len(rows)
        if rejected:
            self.figures["rejected"] += len(rejected)
            text = f"{self._where}: {len(rejected)} events have times too far from now for a partition"
            raise SinkError(text, failed_indexes=rejected, rejected=rejected)

    async def _send(self, connection: Any, rows: Sequence[bytes]) -> int:
        """Return how many rows were added."""
        table = self._table
        if table is None:
            raise ConnectionError("no table")
        # Bytes by themselves would be taken for the name of a file.
        data = memoryview(b"".join(rows))
        if not self._options.dedupe:
            # One statement is a transaction by itself.
            await connection.copy_to_table(table.name, schema_name=table.schema, source=data, columns=COLUMNS)
            return len(rows)
        columns = ", ".join(map(quoted, COLUMNS))
        async with connection.transaction():
            await connection.copy_to_table(STAGING, schema_name="pg_temp", source=data, columns=COLUMNS)
            done = await connection.execute(
                f"INSERT INTO {quoted(table.schema, table.name)} ({columns}) SELECT {columns} FROM pg_temp.{STAGING} "  # noqa: S608 - quoted
                'ON CONFLICT (event_id, "time") DO NOTHING'
            )
        return int(done.rpartition(" ")[2])

    def _needs_looking(self, times: Sequence[int]) -> bool:
        now = self._now()
        if self._looked is None or not 0 <= now - self._looked < _LOOK_MICROSECONDS:
            return True
        return not all(map(self._spans.covers, times))

    async def _look_after(self, connection: Any, table: schema.Table, times: Sequence[int]) -> set[int]:
        """Make the partitions that are needed now and in the next hours, and drop old ones; return who gets none."""
        now, kind = self._now(), self._options.partition or ""
        # First: events that are late enough to be dropped are there until the next time.
        if self._keep is not None:
            dropped, failed = await partitions.drop(connection, table, now - self._keep)
            self.figures["partitions_dropped"] += dropped
            self.figures["retention_failed"] += failed
        ahead = int(partitions.period(kind, now).end)
        self._spans, refused, made = await partitions.make(connection, table, kind, [*times, now, ahead], now)
        self.figures["partitions_made"] += made
        self._looked = now
        return refused

    def _now(self) -> int:
        return self._clock.time_ns() // 1000

    def _left(self, deadline: float) -> float:
        return max(0.0, deadline - asyncio.get_running_loop().time())

    async def _within(self, work: Any, deadline: float) -> Any:
        return await connecting.finish(self._connection, work, self._left(deadline))
