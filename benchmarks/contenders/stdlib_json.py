"""Standard library logging with a JSON formatter, written in the caller's thread."""

import logging
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

import orjson

from benchmarks.contenders import Running
from benchmarks.contenders.ids import add_trace_ids
from benchmarks.harness import BOUND, LOGGER_NAME, MESSAGE

DISTRIBUTION = None
SETUP = "logging, FileHandler, a formatter of a few lines over orjson, a filter for context and trace ids"
context: ContextVar[dict[str, str]] = ContextVar("context")
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class AddContext(logging.Filter):
    """Puts bound context and trace ids on every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add to the record and let it pass."""
        record.__dict__.update(context.get())
        add_trace_ids(record.__dict__)
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a record: the standard parts, then whatever else is on the record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        event = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        event.update((key, value) for key, value in record.__dict__.items() if key not in _STANDARD)
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(event).decode()


class SlowHandler(logging.Handler):
    """Takes its time for each record."""

    def __init__(self, seconds: float) -> None:
        """Take ``seconds`` for each."""
        super().__init__()
        self._seconds = seconds

    def emit(self, record: logging.LogRecord) -> None:
        """Format the record, then wait."""
        self.format(record)
        if self._seconds:
            time.sleep(self._seconds)


def start(directory: Path) -> Running:
    """Log into a file."""
    handler = logging.FileHandler(directory / "stdlib.jsonl", encoding="utf-8")
    return attach(json_formatted(handler), handler.close)


def start_slow(seconds: float, capacity: int) -> Running:
    """Log into a slow handler; there is no queue."""
    del capacity
    handler = SlowHandler(seconds)
    return attach(json_formatted(handler), handler.close)


def json_formatted(handler: logging.Handler) -> logging.Handler:
    """Give the handler the JSON formatter."""
    handler.setFormatter(JsonFormatter())
    return handler


def attach(handler: logging.Handler, stop: Callable[[], object]) -> Running:
    """Make a logger of its own with this one handler, and bind the context."""
    logger = logging.getLogger(LOGGER_NAME)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addFilter(AddContext())
    logger.addHandler(handler)
    context.set(dict(BOUND))

    def emit(seq: int) -> None:
        logger.info(MESSAGE, extra={"seq": seq, "path": "/orders", "status": 200, "duration_ms": 1.5})

    def quiet(seq: int) -> None:
        logger.debug(MESSAGE, extra={"seq": seq, "path": "/orders", "status": 200, "duration_ms": 1.5})

    return Running(emit, quiet, stop)
