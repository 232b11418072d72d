"""To an HTTP endpoint, ``tests/services/http.py``: uvicorn, which writes to a file before it answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import httpx

from benchmarks.contenders.structlog_json import configured
from benchmarks.remote import Sending
from benchmarks.remote.senders import Ours, nothing
from tests.services.http import HttpServer

SETUP = {
    "ours_http": "add_http, batches of 500",
    "structlog_httpx": "structlog as above, one httpx.Client kept alive, a POST an event",
}


class Poster:
    """A file to whoever writes to it, which posts each write.

    Args:
        url: Where to.
    """

    def __init__(self, url: str) -> None:
        """Make the client; it connects at the first write."""
        self._client = httpx.Client()
        self._url = url

    def write(self, data: bytes) -> int:
        """Post a line."""
        self._client.post(self._url, content=data).raise_for_status()
        return len(data)

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


@contextmanager
def ours(folder: Path) -> Iterator[Sending]:
    """Send by our sink."""
    with HttpServer(folder) as server:
        logger = Ours(lambda builder: builder.add_http(server.url))
        yield Sending(logger.emit, logger.settle, lambda: _sequences(server))
        logger.stop()


@contextmanager
def structlog_httpx(folder: Path) -> Iterator[Sending]:
    """Send by a file-like object under structlog."""
    with HttpServer(folder) as server:
        running = configured(cast("BinaryIO", Poster(server.url)))
        yield Sending(running.emit, nothing, lambda: _sequences(server))
        running.stop()


def _sequences(server: HttpServer) -> list[int]:
    return [event["seq"] for event in server.received()]


STARTS = {"ours_http": ours, "structlog_httpx": structlog_httpx}
