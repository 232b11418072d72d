"""The builders' methods for sinks that send events elsewhere; each takes the options of its sink."""

import os
from typing import Literal, Self

from fapilog.config.base import Filling
from fapilog.sinks.cloudwatch.options import CloudwatchOptions
from fapilog.sinks.sqlite.options import SqliteOptions


class RemoteSinkMethods(Filling):
    """One method for each kind of sink. Each needs the extra of its name, such as ``pip install 'fapilog[http]'``."""

    # --- http
    # --- webhook
    # --- loki
    # --- cloudwatch
    def add_cloudwatch(
        self,
        group: str,
        stream: str | None = None,
        endpoint_url: str | None = None,
        *,
        region: str | None = None,
        create: bool = True,
        retention_days: int | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        session_token: str | None = None,
        timeout: float | str = "10s",
        name: str = "cloudwatch",
    ) -> Self:
        """Send events to a log group of Amazon CloudWatch Logs.

        Args:
            group: The log group.
            stream: The log stream, in which ``{host}`` and ``{pid}`` are filled; default ``"{host}/{pid}"``.
            endpoint_url: Another address of the service, such as that of a VPC endpoint; default AWS's own.
            region: The AWS region; default what boto3 finds.
            create: Whether to create the group and the stream where they are missing.
            retention_days: How long the group keeps events; default as it is.
            access_key_id: An access key; default what boto3 finds, such as the role of the task.
            secret_access_key: Its secret.
            session_token: The token of temporary credentials.
            timeout: How long one batch may take, and each connection.
            name: The sink's name in routes, figures and diagnostics.
        """
        choice = CloudwatchOptions(
            group=group,
            stream=stream,
            region=region,
            endpoint_url=endpoint_url,
            create=create,
            retention_days=retention_days,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            session_token=session_token,
            timeout=timeout,
            name=name,
        )
        self._sinks.append(choice)
        return self

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
