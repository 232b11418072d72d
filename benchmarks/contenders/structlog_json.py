"""structlog as its performance page recommends: orjson, bytes, a filtering bound logger, cached."""

import logging
import time
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson
import structlog
from structlog.typing import Processor

from benchmarks.contenders import Running
from benchmarks.contenders.ids import add_trace_ids
from benchmarks.harness import BOUND, LOGGER_NAME, MESSAGE, SECRET, order

DISTRIBUTION = "structlog"
SETUP = "make_filtering_bound_logger, cached, orjson renderer, BytesLogger on a file, merge_contextvars"


class SlowFile:
    """A file that takes its time for each write."""

    def __init__(self, seconds: float) -> None:
        """Take ``seconds`` for each."""
        self._seconds = seconds

    def write(self, data: bytes) -> int:
        """Wait, and forget the data."""
        if self._seconds:
            time.sleep(self._seconds)
        return len(data)

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def start(directory: Path) -> Running:
    """Log into a file; BytesLogger flushes after each line."""
    return configured((directory / "structlog.jsonl").open("wb"))


def start_slow(seconds: float, capacity: int) -> Running:
    """Log into a slow file; there is no queue."""
    del capacity
    return configured(cast("BinaryIO", SlowFile(seconds)))


def configure(file: BinaryIO, add_ids: Processor, *more: Processor) -> None:
    """Set structlog up to write JSON lines to ``file``, with more processors before the rendering."""
    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            add_ids,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *more,
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        logger_factory=structlog.BytesLoggerFactory(file),
    )


def configured(file: BinaryIO, *more: Processor) -> Running:
    """Set structlog up, bind the context, and return what emits."""
    configure(file, _trace_ids, *more)
    structlog.contextvars.bind_contextvars(**BOUND)
    logger = structlog.get_logger().bind(logger=LOGGER_NAME)

    def emit(seq: int) -> None:
        logger.info(MESSAGE, seq=seq, path="/orders", status=200, duration_ms=1.5)

    def quiet(seq: int) -> None:
        logger.debug(MESSAGE, seq=seq, path="/orders", status=200, duration_ms=1.5)

    def nested(seq: int) -> None:
        logger.info(MESSAGE, **order(seq))

    def secret(seq: int) -> None:
        logger.info(MESSAGE, **order(seq, SECRET))

    return Running(emit, quiet, file.close, nested, secret)


def _trace_ids(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    add_trace_ids(event)
    return event
