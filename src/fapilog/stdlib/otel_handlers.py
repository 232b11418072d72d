"""OpenTelemetry's handlers of ``logging`` beside ours, and an OTLP sink behind ours: each record is exported once.

    record ─► our handler ───────────────► engine ─► OTLP sink ─────────────► collector
          └─► OpenTelemetry's handler ─► our filter: stopped

OpenTelemetry's SDK and its instrumentation of ``logging`` put a handler of their own on the root logger. Where the
engine has an OTLP sink, that handler gets a filter that stops what ours has taken; our handler stands before it. What
ours does not take, below its level for example, passes. Without an OTLP sink nothing is done.
"""

import logging
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any

_PACKAGE, _CLASS = "opentelemetry.", "LoggingHandler"
_SINK_PACKAGE = "fapilog.sinks.otlp."


def exports_otlp(sinks: tuple[object, ...]) -> bool:
    """Tell whether an OTLP sink, or its options, is among the sinks of an engine."""
    return any(f"{type(sink).__module__}.".startswith(_SINK_PACKAGE) for sink in sinks)


def is_otel(handler: logging.Handler) -> bool:
    """Tell whether a handler is OpenTelemetry's own: that of the SDK, or of the instrumentation of ``logging``.

    A subclass of the user's is the user's: what it is for is not known.
    """
    kind = type(handler)
    return kind.__name__ == _CLASS and kind.__module__.startswith(_PACKAGE)


class OtelHandlers(logging.Filter):
    """The filter that OpenTelemetry's handlers get beside one of ours. Thread- and fork-safe.

    Args:
        placements: By logger name where our handler was put; looked at again with each record.
        has_sink: Tells whether the engine of now has an OTLP sink; asked when the engine has changed.
        report: Told once for each handler that got the filter.
    """

    def __init__(
        self, placements: Mapping[str, Any], has_sink: Callable[[], bool], report: Callable[[str], None]
    ) -> None:
        """Look at nothing yet."""
        super().__init__()
        self._placements = placements
        self._has_sink = has_sink
        self._report = report
        self._queue: object = None
        self._exports = False
        self._seen = 0
        self._guarded: list[logging.Handler] = []
        self._taken = threading.local()

    def note(self, record: logging.LogRecord, queue: object) -> None:
        """Remember that our handler answers for a record of this thread.

        Args:
            record: The record; not held.
            queue: The queue of the engine that it goes to.
        """
        if queue is not self._queue:
            self._queue, self._exports = queue, self._has_sink()
        if not self._exports:
            return
        # A handler may be attached after ours; then the number has changed.
        count = sum(len(placement.logger.handlers) for placement in self._placements.values())
        if count != self._seen:
            self._seen = count
            self._guard()
        self._taken.record = weakref.ref(record)

    def filter(self, record: logging.LogRecord) -> bool:
        """Let everything pass but what was noted last on this thread."""
        noted = getattr(self._taken, "record", None)
        return noted is None or noted() is not record

    def release(self) -> None:
        """Take the filter back from all handlers, once ours is on no logger any more."""
        if self._placements:
            return
        self._seen = 0
        while self._guarded:
            self._guarded.pop().removeFilter(self)

    def _guard(self) -> None:
        for name, placement in list(self._placements.items()):
            for handler in placement.logger.handlers:
                if is_otel(handler) and self not in handler.filters:
                    handler.addFilter(self)
                    self._guarded.append(handler)
                    self._report(
                        f"records of {name} go to an OTLP sink and to OpenTelemetry's own handler: the sink exports "
                        "them, the handler only what fapilog does not take"
                    )
