"""The table: looked at before it is written to, made with its indexes where it is missing.

    time timestamptz, level text, logger text, message text      every event has these
    request_id, trace_id, span_id, event_id text                 null where an event has none
    data jsonb                                                   everything else

============================================  ======================================================================
index                                         for
============================================  ======================================================================
time                                          the latest events, a span of time. A B-tree: a BRIN index is smaller and
                                              quicker to keep, but cannot give the latest hundred without sorting all
time, of levels other than DEBUG and INFO     the latest errors: few rows, so a small index
request_id, time; trace_id, time              one request, one trace, in order; only where there is one
event_id, time, unique: with ``dedupe`` only  whether an event is there. With the time, because a unique index of a
                                              partitioned table must hold what it is partitioned by
============================================  ======================================================================

A table that exists is used as it is: more columns are fine, and no index is added to it, because building one locks out
every writer of what may be a large table.
"""

from typing import Any, NamedTuple

from fapilog.sinks.postgres.errors import ReadOnlyError, WrongTableError
from fapilog.sinks.postgres.identifiers import derived, lock_key, quoted
from fapilog.sinks.postgres.rows import COLUMNS

_ABOUT_SERVER = """
    SELECT current_setting('server_encoding') AS encoding, current_setting('transaction_read_only') AS read_only,
        current_schema()::text AS schema
"""
_ABOUT_TABLE = """
    SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind,
        pg_get_partkeydef(c.oid) AS key, has_any_column_privilege(c.oid, 'INSERT') AS writable,
        has_any_column_privilege(c.oid, 'SELECT') AS readable,
        EXISTS (
            SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
                AND i.indpred IS NULL AND i.indexprs IS NULL AND (
                    SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_attribute a
                    WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
                ) = ARRAY['event_id', 'time']
        ) AS unique_ids
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)
"""
_ABOUT_COLUMNS = """
    SELECT attname::text AS name, format_type(atttypid, NULL) AS type,
        attnotnull AND NOT atthasdef AND attidentity = '' AS required
    FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
"""
_TEXTS = ("text", "character varying")
_TYPES = dict.fromkeys(COLUMNS, _TEXTS) | {"time": ("timestamp with time zone",), "data": ("jsonb", "json")}
_NOT_NULL = ("time", "level", "logger", "message", "data")
_TABLE_KINDS = ("r", "p", "f")
_ORDINARY_LEVELS = "('DEBUG', 'INFO')"


class Table(NamedTuple):
    """A table that is there: its full name, and whether it is partitioned by ranges of time."""

    schema: str
    name: str
    oid: int
    by_time: bool


class Wanted(NamedTuple):
    """What the options ask of a table."""

    schema: str | None
    name: str
    partitioned: bool
    dedupe: bool


async def find(connection: Any, wanted: Wanted) -> Table | None:
    """Return the table, or None if it is not there.

    Raises:
        WrongTableError: If it cannot be used.
        asyncpg.PostgresError: If it cannot be looked at.
    """
    named = quoted(*filter(None, (wanted.schema, wanted.name)))
    row = await connection.fetchrow(_ABOUT_TABLE, named)
    if row is None:
        return None
    if row["kind"] not in _TABLE_KINDS:
        raise WrongTableError("it is no table")
    _check_columns(await connection.fetch(_ABOUT_COLUMNS, row["oid"]))
    by_time = (row["key"] or "").replace('"', "") == "RANGE (time)"
    if wanted.partitioned and not by_time:
        raise WrongTableError("the table is not partitioned by RANGE (time), which the option partition needs")
    if not row["writable"] or (wanted.dedupe and not row["readable"]):
        raise WrongTableError(f"the user lacks the permission {'SELECT' if row['writable'] else 'INSERT'} on the table")
    if wanted.dedupe and not row["unique_ids"]:
        sql = f"CREATE UNIQUE INDEX ON {quoted(row['schema'], row['name'])} (event_id, time)"
        raise WrongTableError(f"the option dedupe needs a unique index; add it by: {sql}")
    return Table(row["schema"], row["name"], row["oid"], by_time)


async def make(connection: Any, wanted: Wanted) -> Table:
    """Make the table and its indexes in one transaction, unless another process was first.

    Raises:
        WrongTableError: If it cannot be made there, or what another process made cannot be used.
        asyncpg.PostgresError: If the server refuses.
    """
    async with connection.transaction():
        schema = wanted.schema or (await connection.fetchrow(_ABOUT_SERVER))["schema"]
        if schema is None:
            raise WrongTableError("no schema of the search path exists; name one: add_postgres(table='schema.name')")
        await lock(connection, schema, wanted.name)
        found = await find(connection, wanted)
        if found is None:
            for statement in statements(schema, wanted):
                await connection.execute(statement)
            found = await find(connection, wanted._replace(schema=schema))
    if found is None:
        raise WrongTableError("the table was made and is not there")
    return found


async def lock(connection: Any, schema: str, table: str) -> None:
    """Wait until no other process makes or changes this table; until the end of the transaction."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", lock_key(schema, table))


async def check_server(connection: Any) -> None:
    """See that the server's database can hold any text.

    Raises:
        WrongTableError: If it cannot.
        ReadOnlyError: If it only reads.
    """
    row = await connection.fetchrow(_ABOUT_SERVER)
    if row["encoding"] != "UTF8":
        raise WrongTableError(f"the database has the encoding {row['encoding']}; fapilog needs one with UTF8")
    if row["read_only"] == "on":
        raise ReadOnlyError


def statements(schema: str, wanted: Wanted) -> list[str]:
    """Return what makes the table and its indexes."""
    table = quoted(schema, wanted.name)
    columns = ", ".join(
        f"{quoted(name)} {_sql_type(name)}{' NOT NULL' if name in _NOT_NULL else ''}" for name in COLUMNS
    )
    partitioned = ' PARTITION BY RANGE ("time")' if wanted.partitioned else ""
    indexes = [
        ("time_idx", '("time")', ""),
        ("few_idx", '("time")', f" WHERE level NOT IN {_ORDINARY_LEVELS}"),
        ("request_id_idx", '(request_id, "time")', " WHERE request_id IS NOT NULL"),
        ("trace_id_idx", '(trace_id, "time")', " WHERE trace_id IS NOT NULL"),
    ]
    unique = [("event_id_key", '(event_id, "time")', "")] if wanted.dedupe else []
    return [
        f"CREATE TABLE {table} ({columns}){partitioned}",
        *(f"CREATE INDEX {quoted(derived(wanted.name, name))} ON {table} {on}{where}" for name, on, where in indexes),
        *(f"CREATE UNIQUE INDEX {quoted(derived(wanted.name, name))} ON {table} {on}" for name, on, _ in unique),
    ]


def column_types() -> str:
    """Return the columns with their types, as SQL."""
    return ", ".join(f"{quoted(name)} {_sql_type(name)}" for name in COLUMNS)


def _sql_type(column: str) -> str:
    return {"time": "timestamptz", "data": "jsonb"}.get(column, "text")


def _check_columns(rows: list[Any]) -> None:
    types = {row["name"]: row["type"] for row in rows}
    missing = [name for name in COLUMNS if name not in types]
    if missing:
        raise WrongTableError(f"the table lacks the columns {', '.join(missing)}")
    for name in COLUMNS:
        if types[name] not in _TYPES[name]:
            raise WrongTableError(f"the column {name} is {types[name]}; it must be {' or '.join(_TYPES[name])}")
    required = [row["name"] for row in rows if row["required"] and row["name"] not in COLUMNS]
    if required:
        raise WrongTableError(f"more columns must be nullable or have a default, unlike {', '.join(required)}")
