"""What the ids of the active span cost one log call: the very lines of the call, beside a loop that does nothing.

Measured without a span, with one, and with one in a request that counts its events by level for ``with_tracing()``.
The scenario fails if the call no longer has these lines.
"""

import inspect
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import fapilog
from benchmarks.asgi_apps.traced import Nowhere
from benchmarks.harness import arguments, report, span
from fapilog.context import RequestContext, Scope, SpanNotes
from fapilog.logger import methods

CALLS = 1_000
LEVEL = 20
_LINES = (
    "span = queue.current_context().get(queue.span_key)",
    "ids = None if span is None else span.get_span_context()",
    "if scope.notes is not None:",
    "scope.notes.levels[levelno] += 1",
)


def main() -> None:
    """Run it."""
    blocks = int(arguments().pick(2_001, 501))
    source = inspect.getsource(methods.make_level_method)
    gone = [line for line in _LINES if line not in source]
    if gone:
        raise RuntimeError(f"the log call has changed, and this scenario with it: {gone}")
    logger = fapilog.LoggerBuilder().add_sink(Nowhere()).build()
    logger.info("started")
    queue = logger._origin.queue  # noqa: SLF001 - the call's own way
    request = RequestContext({"request_id": "6f1c2a7e9b3d4c5f"})
    bound, counting = Scope({}, request), Scope({}, request, SpanNotes())
    figures = {
        "absent_ns": _median(queue, bound, blocks, nullcontext),
        "active_ns": _median(queue, bound, blocks, span),
        "counted_ns": _median(queue, counting, blocks, span),
    }
    logger.drain()
    report(**figures)


def _median(queue: Any, scope: Scope, blocks: int, around: Callable[[], Any]) -> float:
    with around():
        pairs = [(_lookup(queue, scope, LEVEL), _nothing(queue, scope, LEVEL)) for _ in range(blocks)]
    return statistics.median(with_it - without for with_it, without in pairs) / CALLS


def _lookup(queue: Any, scope: Any, levelno: int) -> int:
    began = time.perf_counter_ns()
    for _ in range(CALLS):
        span = queue.current_context().get(queue.span_key)
        try:
            ids = None if span is None else span.get_span_context()  # noqa: F841 - the call keeps it
        except Exception:  # noqa: BLE001 - costs nothing unless raised, and stands in the call
            raise RuntimeError from None
        if scope.notes is not None:
            scope.notes.levels[levelno] += 1
    return time.perf_counter_ns() - began


def _nothing(queue: Any, scope: Any, levelno: int) -> int:
    del queue, scope, levelno
    began = time.perf_counter_ns()
    for _ in range(CALLS):
        pass
    return time.perf_counter_ns() - began


if __name__ == "__main__":
    main()
