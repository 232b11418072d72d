"""A span around each delivery of a batch, linked to the spans whose events it ships.

A batch holds events of many traces, so its delivery can be a child of none: it is a trace of its own, and links say
what it has carried. There is no convention for it; names are ours but for ``error.type``.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TracerProvider,
)

from fapilog.diagnostics import attempt, class_name
from fapilog.errors import SinkError
from fapilog.otel.links import flags_of, names_span, span_context_of, tracer_of
from fapilog.protocols import Batch

MOST_LINKS = 128
"""What the SDK keeps of a span's links by default (``OTEL_SPAN_LINK_COUNT_LIMIT``)."""
SINK = "fapilog.sink.name"
EVENTS = "fapilog.batch.events"
BYTES = "fapilog.batch.bytes"
FAILED = "fapilog.batch.failed"
LEFT_OUT = "fapilog.links.left_out"


class DeliverySpans:
    """Opens the span of a delivery. It holds nothing but the provider, and so may be used anywhere and after a fork.

    The span is of kind CLIENT: the receiver is another system, and nothing of the span is sent along that it could go
    on with, which would make it a PRODUCER. It is not active while the sink writes. A tracer that does not record costs
    a few microseconds a batch, and the events are not looked at.

    Args:
        tracer_provider: Where spans are made; default the global one of when a batch is delivered.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None) -> None:
        """Start nothing."""
        self._provider = tracer_provider

    def __call__(self, sink: str, batch: Batch) -> AbstractContextManager[None]:
        """Start the span of a delivery; it ends with the ``with`` block that the sink's ``write`` is called in."""
        span, _ = attempt(self._started, sink, batch)
        delivery = _Delivery(INVALID_SPAN if span is None else span, len(batch))
        attempt(delivery.link, batch)
        return delivery

    def _started(self, sink: str, batch: Batch) -> Span:
        # An empty context, so that it has no parent whatever is active.
        return tracer_of(self._provider).start_span(
            f"send {sink}",
            context=Context(),
            kind=SpanKind.CLIENT,
            attributes={SINK: sink, EVENTS: len(batch), BYTES: batch.size_bytes},
        )


class _Delivery:
    """Ends a span, and says on it what failed. Never raises."""

    def __init__(self, span: Span, events: int) -> None:
        self._span = span
        self._events = events

    def link(self, batch: Batch) -> None:
        """Link the span to those of the events."""
        if not self._span.is_recording():
            return
        spans, left_out = spans_of(batch)
        for context in spans:
            self._span.add_link(context)
        if left_out:
            self._span.set_attribute(LEFT_OUT, left_out)

    def __enter__(self) -> None:
        """Do nothing: the span is not to be the active one."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the span."""
        if error is not None:
            attempt(self._note, error)
        attempt(self._span.end)

    def _note(self, error: BaseException) -> None:
        """Say what failed, under the same name as in the accounts; not what the error says, which is not redacted."""
        named = error.failed_indexes if isinstance(error, SinkError) else None
        failed = self._events if named is None else len(named)
        self._span.set_attribute(FAILED, failed)
        self._span.set_attribute("error.type", error.reason if isinstance(error, SinkError) else class_name(error))
        self._span.set_status(Status(StatusCode.ERROR, f"{failed} of {self._events} events not delivered"))


def spans_of(batch: Batch) -> tuple[list[SpanContext], int]:
    """Return the distinct spans of a batch's events in order of appearance, and how many more there are.

    If there are too many, sampled ones come first: a link to one that was not sampled leads nowhere.
    """
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for event in batch.identities():
        trace, span = event.get("trace_id"), event.get("span_id")
        if type(trace) is str and type(span) is str and (trace, span) not in found and names_span(event):
            found[trace, span] = event
    events = list(found.values())
    if len(events) > MOST_LINKS:
        events.sort(key=lambda event: not flags_of(event) & TraceFlags.SAMPLED)
    contexts = [span_context_of(event, is_remote=False) for event in events[:MOST_LINKS]]
    return [context for context in contexts if context is not None], len(events) - len(contexts)
