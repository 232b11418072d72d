"""The builders' methods for sinks that send events elsewhere; each takes the options of its sink."""

import os
from typing import Literal, Self

from fapilog.config.base import Filling
from fapilog.sinks.sqlite.options import SqliteOptions


class RemoteSinkMethods(Filling):
    """One method for each kind of sink. Each needs the extra of its name, such as ``pip install 'fapilog[http]'``."""

    # --- http
    # --- webhook
    # --- loki
    # --- cloudwatch
    # --- postgres
    # --- sqlite
    def add_sqlite(
        self,
        path: str | os.PathLike[str],
        *,
        max_age: float | str | None = None,
        max_bytes: int | str | None = None,
        full_text: bool = True,
        synchronous: Literal["normal", "full", "off"] = "normal",
        busy_timeout: float | str = "5s",
        name: str = "sqlite",
    ) -> Self:
        """Keep events in a SQLite database, which :func:`fapilog.sinks.sqlite.query` reads; needs no extra.

        Args:
            path: The database file; its directory is made if need be.
            max_age: Remove events that are older, such as ``"30d"``; default never.
            max_bytes: Remove the oldest events when all files together take more, at least 1 MB; default never.
            full_text: Whether a new database gets an index of the words of messages and exceptions.
            synchronous: ``"normal"``, or ``"full"`` to lose nothing with the power, or ``"off"``.
            busy_timeout: How long to wait for another process that is writing.
            name: The sink's name in routes, figures and diagnostics.
        """
        place = os.fspath(path) if isinstance(path, os.PathLike) else path
        choice = SqliteOptions(place, max_age, max_bytes, full_text, synchronous, busy_timeout, name)
        self._sinks.append(choice)
        return self

    # --- otlp
    # --- kafka
    # --- redis
