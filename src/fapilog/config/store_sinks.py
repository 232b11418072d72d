"""The builders' methods for sinks that put events into databases and streams; each takes the options of its sink."""

import os
from collections.abc import Mapping, Sequence
from typing import Literal, Self

from fapilog.config.base import Filling
from fapilog.sinks.kafka.options import KafkaOptions
from fapilog.sinks.postgres.options import PostgresOptions
from fapilog.sinks.redis.options import RedisOptions
from fapilog.sinks.sqlite.options import SqliteOptions


class StoreSinkMethods(Filling):
    """One method for each kind of sink. Each needs the extra of its name, but for SQLite, which Python brings along."""

    def add_postgres(
        self,
        dsn: str,
        table: str = "logs",
        *,
        create: bool = True,
        partition: Literal["day", "week", "month"] | None = None,
        keep: float | str | None = None,
        dedupe: bool = False,
        ca_file: str | None = None,
        timeout: float | str = "10s",
        name: str = "postgres",
    ) -> Self:
        """Put events into a table of a PostgreSQL database.

        Args:
            dsn: The address of the database, such as ``"postgresql://user:password@host/database"``.
            table: The table, ``"name"`` or ``"schema.name"``, written exactly so.
            create: Whether to make the table with its indexes where it is missing.
            partition: ``"day"``, ``"week"`` or ``"month"``: the table is partitioned by time.
            keep: With ``partition``: drop partitions whose events are all older, such as ``"30d"``; default never.
            dedupe: Whether an event whose ``event_id`` is already there is left out.
            ca_file: A PEM file of certificates to check the server's with; default as ``sslmode`` in ``dsn`` says.
            timeout: How long one batch may take, connecting included.
            name: The sink's name in routes, figures and diagnostics.
        """
        choice = PostgresOptions(
            dsn=dsn,
            table=table,
            create=create,
            partition=partition,
            keep=keep,
            dedupe=dedupe,
            ca_file=ca_file,
            timeout=timeout,
            name=name,
        )
        self._sinks.append(choice)
        return self

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

    def add_kafka(
        self,
        servers: str | Sequence[str],
        topic: str,
        *,
        key: Literal["request", "trace", "logger", "none"] = "request",
        compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "none",
        tls: bool = False,
        ca_file: str | None = None,
        sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None,
        sasl_username: str | None = None,
        sasl_password: str | None = None,
        config: Mapping[str, str] | None = None,
        timeout: float | str = "10s",
        name: str = "kafka",
    ) -> Self:
        """Send events to a Kafka topic, with what belongs to one request in order in one partition.

        Args:
            servers: Some brokers, ``host:port``: one text, separated by commas, or a list.
            topic: The topic.
            key: What events must have in common to stay in order: the request id, the trace id, the logger, nothing.
            compression: How batches are compressed.
            tls: Whether to speak TLS.
            ca_file: A PEM file of the authorities to trust instead of the system's.
            sasl_mechanism: How to log in.
            sasl_username: The user name.
            sasl_password: The password.
            config: More properties of librdkafka, by name.
            timeout: How long one batch may take, at least a second.
            name: The sink's name in routes, figures and diagnostics.
        """
        choice = KafkaOptions(
            servers=servers,
            topic=topic,
            key=key,
            compression=compression,
            tls=tls,
            ca_file=ca_file,
            sasl_mechanism=sasl_mechanism,
            sasl_username=sasl_username,
            sasl_password=sasl_password,
            config={} if config is None else config,
            timeout=timeout,
            name=name,
        )
        self._sinks.append(choice)
        return self

    def add_redis(
        self,
        url: str,
        *,
        key: str = "fapilog",
        max_length: int | None = 1_000_000,
        max_age: float | str | None = None,
        username: str | None = None,
        password: str | None = None,
        ca_file: str | None = None,
        timeout: float | str = "10s",
        name: str = "redis",
    ) -> Self:
        """Send events to a stream of a Redis server, a batch in one transaction.

        Args:
            url: ``redis://host:port/db``, ``rediss://`` for TLS, or ``unix:///path?db=0``.
            key: The stream.
            max_length: About how many entries it keeps; None never trims by length.
            max_age: About how long it keeps them; default as long as there is room.
            username: The ACL user, where the URL names none.
            password: The password, where the URL has none.
            ca_file: A PEM file of the authorities to trust instead of the system's.
            timeout: How long one batch may take, connecting included.
            name: The sink's name in routes, figures and diagnostics.
        """
        choice = RedisOptions(
            url=url,
            key=key,
            max_length=max_length,
            max_age=max_age,
            username=username,
            password=password,
            ca_file=ca_file,
            timeout=timeout,
            name=name,
        )
        self._sinks.append(choice)
        return self
