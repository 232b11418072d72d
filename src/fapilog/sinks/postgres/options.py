"""What can be chosen about the PostgreSQL sink; importing this imports no ``asyncpg``."""

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from fapilog import checks
from fapilog.errors import ConfigError
from fapilog.sinks.postgres.identifiers import split_table
from fapilog.units import parse_duration

PARTITIONS = ("day", "week", "month")
_DSN = (
    'an address such as "postgresql://user:password@host:5432/database?sslmode=verify-full", '
    "with / ? # @ in user name and password as %2F %3F %23 %40"
)


@dataclass(frozen=True, repr=False)
class PostgresOptions:
    """A table of a PostgreSQL database; see :class:`fapilog.sinks.postgres.sink.PostgresSink`.

    Attributes:
        dsn: The address of the database, as a URL; required. It may hold the password and is shown without it. What
            it leaves out comes from the variables of libpq (``PGHOST``, ``PGPASSWORD``, ``PGPASSFILE``, …).
        table: The table, ``"name"`` or ``"schema.name"``, written exactly so; a name with a dot in it goes in double
            quotes. Default ``"logs"``.
        create: Whether to make the table with its indexes where it is missing; a schema is not made. Default True.
        partition: ``"day"``, ``"week"`` or ``"month"``: the table is partitioned by time, and partitions are made when
            they are needed. Default None, one table.
        keep: With ``partition``: partitions whose events are all older than this are dropped, such as ``"30d"``.
            Default None, never.
        dedupe: Whether an event whose ``event_id`` is already there is left out. Default False, which is quicker; then
            a batch that is sent again after its acknowledgement was lost is there twice.
        ca_file: A file of certificates (PEM) that the server's certificate is checked with, its name included. Default
            None: as ``sslmode`` in the address says.
        timeout: How long one batch may take, connecting included. Default ``"10s"``.
        name: The sink's name in routes, figures and diagnostics. Default ``"postgres"``.
    """

    dsn: str = field(repr=False)
    table: str = "logs"
    create: bool = True
    partition: Literal["day", "week", "month"] | None = None
    keep: float | str | None = None
    dedupe: bool = False
    ca_file: str | None = None
    timeout: float | str = "10s"
    name: str = "postgres"

    def __post_init__(self) -> None:
        """Check the values; the database is looked at by ``open``.

        Raises:
            ConfigError: If one cannot be used.
        """
        _check_dsn(self.dsn)
        split_table(self.table, "add_postgres(table)")
        checks.flag(self.create, "add_postgres(create)")
        if self.partition is not None and (not isinstance(self.partition, str) or self.partition not in PARTITIONS):
            raise ConfigError.unknown("add_postgres(partition)", self.partition, PARTITIONS)
        if self.keep is not None:
            parse_duration(self.keep, "add_postgres(keep)")
            if self.partition is None:
                raise ConfigError.wrong("add_postgres(keep)", self.keep, "None, or a duration together with partition")
        checks.flag(self.dedupe, "add_postgres(dedupe)")
        if self.ca_file is not None:
            checks.text(self.ca_file, "add_postgres(ca_file)")
        parse_duration(self.timeout, "add_postgres(timeout)")
        checks.text(self.name, "add_postgres(name)")

    def __repr__(self) -> str:
        """Show the options, and of the address only host and database."""
        shown = {**vars(self), "dsn": shown_dsn(self.dsn)}
        return f"PostgresOptions({', '.join(f'{key}={value!r}' for key, value in shown.items())})"


def shown_dsn(dsn: str) -> str:
    """Return host, port and database of a checked address: without user, password and parameters."""
    parts = urlsplit(dsn)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _check_dsn(dsn: object) -> None:
    usable = isinstance(dsn, str) and dsn.isprintable() and " " not in dsn
    try:
        parts = urlsplit(str(dsn)) if usable else None
    except ValueError:
        parts = None
    # A raw / ? # or @ in a password moves a part of it to where the host or the path is, which are shown.
    if (
        parts is None
        or parts.scheme not in ("postgres", "postgresql")
        or "#" in str(dsn)
        or str(dsn).count("@") > 1
        or "@" in parts.path + parts.query
    ):
        raise ConfigError.hidden("add_postgres(dsn)", dsn, _DSN)
