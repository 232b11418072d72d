"""To a stream of a real Redis server, started for the run, which syncs what it acknowledges."""

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from benchmarks.remote import Sending, Unavailable
from benchmarks.remote.senders import Ours, handled, nothing
from tests.services.redis import COMMAND, RedisServer

SETUP = {
    "ours_redis": "add_redis, a transaction a batch of 500",
    "redis_xadd": "logging, a handler that sends one XADD a record by redis.Redis, trimmed as ours, the JSON formatter",
}


class Adding(logging.Handler):
    """One XADD a record.

    Args:
        client: Where to.
    """

    def __init__(self, client: redis.Redis) -> None:
        """Keep the client."""
        super().__init__()
        self._client = client

    def emit(self, record: logging.LogRecord) -> None:
        """Add one."""
        self._client.xadd("fapilog", {"event": self.format(record)}, maxlen=1_000_000, approximate=True)


@contextmanager
def ours(folder: Path) -> Iterator[Sending]:
    """Add by our sink."""
    with _server(folder) as server:
        logger = Ours(lambda builder: builder.add_redis(server.url))
        yield Sending(logger.emit, logger.settle, lambda: _sequences(server))
        logger.stop()


@contextmanager
def xadd(folder: Path) -> Iterator[Sending]:
    """Add by a handler."""
    with _server(folder) as server, redis.Redis.from_url(server.url) as client:
        yield Sending(handled(Adding(client)), nothing, lambda: _sequences(server))


@contextmanager
def _server(folder: Path) -> Iterator[RedisServer]:
    if shutil.which(COMMAND) is None:
        raise Unavailable("redis-server is not installed (apt-get install redis-server)")
    with RedisServer(folder) as server:
        yield server


def _sequences(server: RedisServer) -> list[int]:
    return [json.loads(entry["event"])["seq"] for entry in server.entries()]


STARTS = {"ours_redis": ours, "redis_xadd": xadd}
