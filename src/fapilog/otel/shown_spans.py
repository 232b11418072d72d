"""A span as JSON in the shape that the console documents, redacted as an event would be now.

attributes of the span, of each of its events  ─► plain values ─► redact, as fields at the root of an event
its name, status, scope, service; their names  ─► texts        ─► redact, as texts of an event
ids, times, kinds                              ─► as they are: they are numbers and fixed words
"""

from collections.abc import Callable, Mapping
from typing import Any

from fapilog.coerce import json_safe, to_plain_fields, to_text
from fapilog.diagnostics import attempt
from fapilog.event import timestamp

WITHHELD = "withheld: a redactor failed"
_NS_PER_MS = 1_000_000
_SERVICE = "service.name"

Fields = dict[str, Any]
Redact = Callable[[Fields], Fields | None]
"""Returns fields of an event's root redacted, ``message`` among them if it is text; None if that failed.

What it is given is its own. Thread-safe.
"""


def shown(span: Any, redact: Redact) -> Fields:
    """Return a span as JSON knows it. If a redactor fails, nothing is shown but ids, times and kinds.

    Args:
        span: A ``ReadableSpan`` of the SDK, or one like it.
        redact: Hides what is secret.
    """
    context, parent, status = span.context, span.parent, span.status
    start, end = _whole(span.start_time), _whole(span.end_time)
    scope = span.instrumentation_scope
    service = span.resource.attributes.get(_SERVICE) if span.resource is not None else None
    texts = _texts(
        redact,
        message=span.name,
        description=status.description,
        scope=None if scope is None else scope.name,
        service=service,
    )
    return {
        "trace_id": f"{context.trace_id:032x}",
        "span_id": f"{context.span_id:016x}",
        "parent_span_id": None if parent is None else f"{parent.span_id:016x}",
        "name": texts["message"] or "",
        "kind": span.kind.name,
        "start": timestamp(start),
        "end": timestamp(end),
        "duration_ms": (end - start) / _NS_PER_MS,
        "status": {"code": status.status_code.name, "description": texts["description"]},
        "attributes": _attributes(redact, span.attributes),
        "events": [_event(redact, event) for event in span.events],
        "links": [_link(link) for link in span.links],
        "scope": texts["scope"] or "",
        "resource_service": texts["service"],
    }


def _event(redact: Redact, event: Any) -> Fields:
    return {
        "name": _texts(redact, message=event.name)["message"] or "",
        "time": timestamp(_whole(event.timestamp)),
        "attributes": _attributes(redact, event.attributes),
    }


def _link(link: Any) -> Fields:
    return {"trace_id": f"{link.context.trace_id:032x}", "span_id": f"{link.context.span_id:016x}"}


def _texts(redact: Redact, **texts: Any) -> dict[str, str | None]:
    """Return texts redacted under these names; None for one that is not there or has been removed."""
    given = {key: json_safe(to_text(text)) for key, text in texts.items() if text is not None}
    redacted, error = attempt(redact, given)
    if error is not None or redacted is None:
        return {key: WITHHELD if key in given else None for key in texts}
    return {key: None if key not in given or key not in redacted else to_text(redacted[key]) for key in texts}


def _attributes(redact: Redact, attributes: Mapping[str, Any] | None) -> Fields:
    if not attributes:
        return {}
    # A copy at once: reading them one by one takes the SDK a lock for each.
    redacted, error = attempt(redact, to_plain_fields(dict(attributes)))
    if error is not None or redacted is None:
        return {"redaction": WITHHELD}
    safe: Fields = json_safe(to_plain_fields(redacted))
    return safe


def _whole(time_ns: Any) -> int:
    """Return a time as a whole number; 0 if it is none: the SDK takes whatever it is given."""
    number, error = attempt(int, time_ns)
    return number if error is None else 0
