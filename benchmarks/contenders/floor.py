"""Not a logger: the least that any logger with a queue does at the call, and no more."""

import time
from collections import deque
from pathlib import Path

from opentelemetry import trace

from benchmarks.contenders import Running
from benchmarks.harness import BOUND, MESSAGE

DISTRIBUTION = None
SETUP = "appends time, message, fields, context and span to a deque of bounded length; writes nothing"


def start(directory: Path) -> Running:
    """Keep the last thousand."""
    del directory
    return _kept()


def start_slow(seconds: float, capacity: int) -> Running:
    """Keep the last thousand."""
    del seconds, capacity
    return _kept()


def _kept() -> Running:
    kept: deque[object] = deque(maxlen=1_000)
    bound = dict(BOUND)

    def capture(message: str, **fields: object) -> None:
        kept.append((time.time_ns(), message, fields, bound, trace.get_current_span()))

    def emit(seq: int) -> None:
        capture(MESSAGE, seq=seq, path="/orders", status=200, duration_ms=1.5)

    def quiet(seq: int) -> None:
        del seq

    return Running(emit, quiet, kept.clear)
