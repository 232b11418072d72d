"""What the contenders of every kind are made of: our logger with one sink, and a standard logger with one handler."""

import logging
from collections.abc import Callable

import fapilog
from benchmarks.contenders.ours import bound
from benchmarks.contenders.stdlib_json import attach, json_formatted
from benchmarks.harness import LOGGER_NAME, Emit

PATIENCE_SECONDS = 120.0


class Ours:
    """A logger of ours that waits where its queue is full, with the batches of the default.

    Args:
        add: Adds the sink.

    Attributes:
        emit: Logs an event.
    """

    def __init__(self, add: Callable[[fapilog.LoggerBuilder], fapilog.LoggerBuilder]) -> None:
        """Build it."""
        builder = fapilog.LoggerBuilder().with_name(LOGGER_NAME).with_backpressure("wait", None)
        self._logger = add(builder).build()
        self.emit: Emit = bound(self._logger).emit

    def settle(self) -> None:
        """Wait until the sink has taken everything.

        Raises:
            TimeoutError: If it takes too long.
        """
        if not self._logger.flush(PATIENCE_SECONDS):
            raise TimeoutError("flush")

    def stop(self) -> None:
        """Let go of everything."""
        self._logger.drain(PATIENCE_SECONDS)


def handled(handler: logging.Handler, *, formatted: bool = True) -> Emit:
    """Return what logs to a handler of the standard library, as JSON unless it has a form of its own."""
    return attach(json_formatted(handler) if formatted else handler, nothing).emit


def nothing() -> None:
    """Settle what was sent and acknowledged in the call."""
