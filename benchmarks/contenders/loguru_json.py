"""loguru with ``serialize=True``, written in the caller's thread.

``enqueue=True`` was tried and is slower both for the caller and end to end (it pickles every record into a
pipe), so it is only used where a slow sink would otherwise stop the caller.
"""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from loguru import logger

from benchmarks.contenders import Running
from benchmarks.contenders.ids import add_trace_ids
from benchmarks.harness import BOUND, MESSAGE

DISTRIBUTION = "loguru"
SETUP = "serialize=True, enqueue=False (enqueue=True for the slow sink), contextualize, a patcher for trace ids"


def start(directory: Path) -> Running:
    """Log into a file."""
    logger.remove()
    logger.add(directory / "loguru.jsonl", serialize=True, enqueue=False, level="INFO")
    return _bound()


def start_slow(seconds: float, capacity: int) -> Running:
    """Log into a slow function behind loguru's own queue, which has no bound."""
    del capacity

    def slow(_message: object) -> None:
        if seconds:
            time.sleep(seconds)

    logger.remove()
    logger.add(slow, serialize=True, enqueue=True, level="INFO")
    return _bound()


def _bound() -> Running:
    logger.configure(patcher=_trace_ids)
    ExitStack().enter_context(logger.contextualize(**BOUND))  # never closed: bound for the whole process

    def emit(seq: int) -> None:
        logger.info(MESSAGE, seq=seq, path="/orders", status=200, duration_ms=1.5)

    def quiet(seq: int) -> None:
        logger.debug(MESSAGE, seq=seq, path="/orders", status=200, duration_ms=1.5)

    return Running(emit, quiet, logger.remove)


def _trace_ids(record: Any) -> None:
    add_trace_ids(record["extra"])
