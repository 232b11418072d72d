"""The published fapilog 0.18.1, in a virtual environment of its own: its import name is ours.

It has no trace ids. It is set to wait, and to drop nothing.
"""

import asyncio
import importlib
from pathlib import Path
from typing import Any

from benchmarks.contenders import Running
from benchmarks.harness import BOUND, LOGGER_NAME, MESSAGE

DISTRIBUTION = "fapilog"
SETUP = "LoggerBuilder, drop_on_full=False, file sink; no trace ids"
_fapilog: Any = importlib.import_module("fapilog")


class SlowSink:
    """A sink that takes its time for each event."""

    name = "slow"

    def __init__(self, seconds: float) -> None:
        """Take ``seconds`` for each."""
        self._seconds = seconds

    async def start(self) -> None:
        """Do nothing."""

    async def stop(self) -> None:
        """Do nothing."""

    async def write(self, entry: dict[str, Any]) -> None:
        """Wait, and forget the event."""
        del entry
        if self._seconds:
            await asyncio.sleep(self._seconds)


def start(directory: Path) -> Running:
    """Log into a file."""
    builder = _fapilog.LoggerBuilder().with_name(LOGGER_NAME).with_level("INFO").with_queue_size(10_000)
    builder = builder.with_backpressure(wait_ms=60_000, drop_on_full=False)
    return _bound(builder.add_file(str(directory), max_bytes="10 GB").build())


def start_slow(seconds: float, capacity: int) -> Running:
    """Log into a slow sink."""
    core = {"max_queue_size": capacity, "backpressure_wait_ms": 60_000, "drop_on_full": False, "main_queue_mb": 1_000}
    settings = _fapilog.Settings(core=core)
    return _bound(_fapilog.get_logger(LOGGER_NAME, settings=settings, sinks=[SlowSink(seconds)]))


def _bound(logger: Any) -> Running:
    logger.bind(**BOUND)

    def emit(seq: int) -> None:
        logger.info(MESSAGE, seq=seq, path="/orders", status=200, duration_ms=1.5)

    def quiet(seq: int) -> None:
        logger.debug(MESSAGE, seq=seq, path="/orders", status=200, duration_ms=1.5)

    def stop() -> None:
        asyncio.run(logger.stop_and_drain())

    return Running(emit, quiet, stop)
