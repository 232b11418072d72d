"""What can be chosen about the SQLite sink; importing this imports no ``sqlite3``."""

import os
from dataclasses import dataclass
from typing import Literal

from fapilog import checks
from fapilog.errors import ConfigError
from fapilog.units import parse_duration, parse_size

SYNCHRONOUS = ("normal", "full", "off")
LEAST_BYTES = 1_000_000
_PATH = 'the path of a file, as text; there is no database in memory (":memory:"), add_memory() keeps events there'


@dataclass(frozen=True, repr=False)
class SqliteOptions:
    """A SQLite database; see :class:`fapilog.sinks.sqlite.sink.SqliteSink`.

    Attributes:
        path: The database file; required. Its directory is made if need be.
        max_age: Events older than this are removed, such as ``"30d"``. Default None, never.
        max_bytes: About how much all files of the database may take together, at least 1 MB: the oldest events are
            removed. Default None, without limit.
        full_text: Whether a new database gets an index of the words of messages and exceptions. Default True.
        synchronous: ``"normal"`` (default): what was written survives the end of the process, and the last
            moments may be lost with the power; ``"full"``: not those either; ``"off"``: a loss of power may
            damage the database.
        busy_timeout: How long to wait for another process that is writing. Default ``"5s"``.
        name: The sink's name in routes, figures and diagnostics. Default ``"sqlite"``.
    """

    path: str
    max_age: float | str | None = None
    max_bytes: int | str | None = None
    full_text: bool = True
    synchronous: Literal["normal", "full", "off"] = "normal"
    busy_timeout: float | str = "5s"
    name: str = "sqlite"

    def __post_init__(self) -> None:
        """Check the values; the place on the disk is checked by ``open``.

        Raises:
            ConfigError: If one cannot be used.
        """
        if not isinstance(self.path, str):
            raise ConfigError.hidden("add_sqlite(path)", self.path, _PATH)
        if self.path in ("", ":memory:") or "\0" in self.path or self.path.endswith(("/", os.sep)):
            raise ConfigError.wrong("add_sqlite(path)", self.path, _PATH)
        if self.max_age is not None:
            parse_duration(self.max_age, "add_sqlite(max_age)")
        if self.max_bytes is not None and parse_size(self.max_bytes, "add_sqlite(max_bytes)") < LEAST_BYTES:
            raise ConfigError.wrong("add_sqlite(max_bytes)", self.max_bytes, "at least 1 MB, or None for no limit")
        checks.flag(self.full_text, "add_sqlite(full_text)")
        if self.synchronous not in SYNCHRONOUS:
            raise ConfigError.unknown("add_sqlite(synchronous)", self.synchronous, SYNCHRONOUS)
        parse_duration(self.busy_timeout, "add_sqlite(busy_timeout)")
        checks.text(self.name, "add_sqlite(name)")

    def __repr__(self) -> str:
        """Show the options; none of them is a secret."""
        return (
            f"SqliteOptions(path={self.path!r}, max_age={self.max_age!r}, max_bytes={self.max_bytes!r}, "
            f"full_text={self.full_text}, synchronous={self.synchronous!r}, busy_timeout={self.busy_timeout!r}, "
            f"name={self.name!r})"
        )
