"""To Loki's push API, as ``fapilog.testing.loki`` speaks it: strictly, writing to a file before it answers."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import logging_loki

from benchmarks.remote import Sending
from benchmarks.remote.senders import Ours, handled, nothing
from tests.services.loki import LokiServer

SETUP = {
    "ours_loki": "add_loki, JSON, batches of 500",
    "logging_loki": "logging, python-logging-loki's LokiHandler, which pushes each record; the JSON formatter",
}


class Handler(logging_loki.LokiHandler):  # type: ignore[misc]
    """The handler as it is, except that an error ends the run."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002 - the library's name
        """Say why, and do not go on."""
        raise  # noqa: PLE0704 - called where the error is handled


@contextmanager
def ours(folder: Path) -> Iterator[Sending]:
    """Push by our sink."""
    with LokiServer(folder) as server:
        logger = Ours(lambda builder: builder.add_loki(server.url, {"app": "bench"}))
        yield Sending(logger.emit, logger.settle, lambda: _sequences(server))
        logger.stop()


@contextmanager
def rival(folder: Path) -> Iterator[Sending]:
    """Push by python-logging-loki."""
    with LokiServer(folder) as server:
        handler = Handler(url=f"{server.url}/loki/api/v1/push", tags={"app": "bench"}, version="1")
        yield Sending(handled(handler), nothing, lambda: _sequences(server))
        handler.close()


def _sequences(server: LokiServer) -> list[int]:
    return [event["seq"] for event in server.received()]


STARTS = {"ours_loki": ours, "logging_loki": rival}
