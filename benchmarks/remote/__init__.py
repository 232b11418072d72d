"""The contenders of ``benchmarks.sinks``: ours and a rival for each kind of receiver. Each sends the same events.

A module of this package is a kind of receiver. ``STARTS`` has what starts each of its contenders, with the receiver
in a process of its own; ``SETUP`` tells of each in a few words.
"""

import importlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from benchmarks.harness import Emit

KINDS: Mapping[str, tuple[str, ...]] = {
    "http": ("ours_http", "structlog_httpx"),
    "loki": ("ours_loki", "logging_loki"),
    "cloudwatch": ("ours_cloudwatch", "watchtower", "ours_cloudwatch_moto", "watchtower_moto"),
    "otlp": ("ours_otlp", "otel_sdk", "otel_handler"),
    "sqlite": ("ours_sqlite", "ours_sqlite_plain", "sqlite_wal", "sqlite_inserts"),
    "postgres": ("ours_postgres", "postgres_inserts", "postgres_executemany"),
    "redis": ("ours_redis", "redis_xadd"),
    "kafka": ("ours_kafka", "kafka_produce", "kafka_flush"),
}
"""The contenders of each module."""


class Sending(NamedTuple):
    """A logger that is set up and sends to a receiver."""

    emit: Emit
    """One INFO event with four scalar fields, the number given among them."""
    settle: Callable[[], object]
    """Return when the receiver has acknowledged everything."""
    sequences: Callable[[], Iterable[int]]
    """Ask the receiver for the numbers of the events it has."""


Start = Callable[[Path], AbstractContextManager[Sending]]
"""Starts the receiver, which may write to the directory, and the logger; both end with the block."""


class Unavailable(Exception):  # noqa: N818 - it is no error of ours
    """The receiver is not installed here."""


class Kind(Protocol):
    """What a module in this package offers."""

    SETUP: Mapping[str, str]
    STARTS: Mapping[str, Start]


def load(contender: str) -> Start:
    """Import the module of one contender, and no other."""
    name = next(kind for kind, contenders in KINDS.items() if contender in contenders)
    return cast("Kind", importlib.import_module(f"benchmarks.remote.{name}")).STARTS[contender]
