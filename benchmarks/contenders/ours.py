"""The fapilog of this repository, through its public names."""

import time
from collections.abc import Sized
from pathlib import Path

import fapilog
from benchmarks.contenders import Running
from benchmarks.harness import BOUND, LOGGER_NAME, MESSAGE, SECRET, order

DISTRIBUTION = None
SETUP = 'LoggerBuilder, with_backpressure("wait", None), add_file, bind_context; trace ids are built in'


class SlowSink:
    """A sink that takes its time for each batch."""

    name = "slow"

    def __init__(self, seconds: float) -> None:
        """Take ``seconds`` for each."""
        self._seconds = seconds

    async def open(self) -> None:
        """Do nothing."""

    def write(self, batch: Sized) -> None:
        """Wait, and forget the batch."""
        del batch
        if self._seconds:
            time.sleep(self._seconds)

    async def close(self) -> None:
        """Do nothing."""


def start(directory: Path) -> Running:
    """Log into a file."""
    builder = fapilog.LoggerBuilder().with_name(LOGGER_NAME).with_backpressure("wait", None)
    return bound(builder.add_file(directory / "ours.jsonl", max_bytes="10 GB").build())


def start_slow(seconds: float, capacity: int) -> Running:
    """Log into a slow sink."""
    builder = fapilog.LoggerBuilder().with_name(LOGGER_NAME).with_queue(capacity=capacity, max_bytes="1 GB")
    return bound(builder.add_sink(SlowSink(seconds)).build())


def bound(logger: fapilog.SyncLoggerFacade) -> Running:
    """Bind the context, and return what emits."""
    fapilog.bind_context(**BOUND)

    def emit(seq: int) -> None:
        logger.info(MESSAGE, seq=seq, path="/orders", status=200, duration_ms=1.5)

    def quiet(seq: int) -> None:
        logger.debug(MESSAGE, seq=seq, path="/orders", status=200, duration_ms=1.5)

    def nested(seq: int) -> None:
        logger.info(MESSAGE, **order(seq))

    def secret(seq: int) -> None:
        logger.info(MESSAGE, **order(seq, SECRET))

    return Running(emit, quiet, logger.drain, nested, secret)
