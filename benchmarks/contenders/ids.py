"""The ids of the active span, for contenders that do not read them themselves."""

from collections.abc import MutableMapping
from typing import Any

from opentelemetry import trace


def add_trace_ids(fields: MutableMapping[str, Any]) -> None:
    """Add ``trace_id``, ``span_id`` and ``trace_flags`` to ``fields`` if a span is active."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        fields["trace_id"] = f"{context.trace_id:032x}"
        fields["span_id"] = f"{context.span_id:016x}"
        fields["trace_flags"] = f"{context.trace_flags:02x}"
