"""What the collector got, beside what the log file says: the same events, and for a request its spans."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from example_app.demo.checks import COMPLETIONS, Event
from example_app.demo.collector import Receiver
from example_app.demo.server import DemoFailedError

Record = tuple[str, LogRecord]
_NS_IN_MS = 1_000_000
_MICROSECOND_NS = 1_000


def check_collected(events: Sequence[Event], collected: Receiver) -> tuple[int, int]:
    """Check that the collector has each event of the log file once, and that each request's trace has its span.

    Returns:
        How many log records the collector has, and how many spans.

    Raises:
        DemoFailedError: If an event is missing, is there twice, or has other ids; or if a span is missing.
    """
    records, spans = collected.records(), collected.spans()
    wanted, found = Counter(map(_event_key, events)), Counter(_record_key(record) for record in records)
    if wanted != found:
        missing, odd = (wanted - found).total(), (found - wanted).total()
        raise DemoFailedError(
            f"of {len(events)} events of the log file {missing} are not among the collector's {len(records)} records "
            f"as they are, and {odd} records are not in the file"
        )
    served = Counter((span.trace_id.hex(), span.span_id.hex()) for span in spans if span.kind == Span.SPAN_KIND_SERVER)
    for event in events:
        if event["message"] not in (*COMPLETIONS, "websocket_closed"):
            continue
        if served[event.get("trace_id", ""), event.get("span_id", "")] != 1:
            raise DemoFailedError(f"{event.get('request_id')}: the collector has not exactly one server span of it")
    return len(records), len(spans)


def story(request_id: str, events: Iterable[Event], collected: Receiver) -> Iterator[str]:
    """Yield what the collector knows of one request, for a person: its trace, its spans, its log records.

    Raises:
        DemoFailedError: If it is not what the log file says, or if nothing is linked to the request.
    """
    own = [event for event in events if event.get("request_id") == request_id]
    [trace_id] = {event["trace_id"] for event in own if event["message"] in COMPLETIONS}
    spans = sorted(collected.spans(), key=lambda span: span.start_time_unix_nano)
    inside = [span for span in spans if span.trace_id.hex() == trace_id]
    linked = [span for span in spans if trace_id in {link.trace_id.hex() for link in span.links}]
    caused = {event["trace_id"] for event in own if event.get("linked_trace_id") == trace_id}
    if not caused or not caused <= {span.trace_id.hex() for span in linked}:
        raise DemoFailedError(f"{request_id}: no work of it is linked to trace {trace_id} at the collector")
    yield f"  request {request_id!r} is trace {trace_id}"
    yield ""
    yield f"  {'span':<40}{'kind':<10}{'took':>9}   {'span id':<18}"
    yield from _tree(inside, {span.span_id for span in inside})
    yield ""
    yield "  other traces, linked to it: its background work, and the deliveries of its log"
    for span in linked:
        yield f"{_span_line(span, 1)}  trace {_short(span.trace_id.hex())}"
    yield ""
    yield f"  {'log record':<48}{'level':<11}{'span id':<18}"
    yield from _record_lines(request_id, trace_id, collected.records())


def _tree(spans: Sequence[Span], known: Container[bytes], parent: bytes = b"", depth: int = 1) -> Iterator[str]:
    """Yield a line for each span, the children of one below it; one whose parent is elsewhere is a root."""
    for span in spans:
        above = span.parent_span_id if span.parent_span_id in known else b""
        if above == parent:
            yield _span_line(span, depth)
            yield from _tree(spans, known, span.span_id, depth + 1)


def _span_line(span: Span, depth: int) -> str:
    kind = Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower()
    took = (span.end_time_unix_nano - span.start_time_unix_nano) / _NS_IN_MS
    name = f"{'  ' * depth}{span.name}"
    return f"  {name:<40}{kind:<10}{took:6.1f} ms   {span.span_id.hex()}"


def _record_lines(request_id: str, trace_id: str, records: Iterable[Record]) -> Iterator[str]:
    for _, record in sorted(records, key=lambda record: record[1].time_unix_nano):
        attributes = {pair.key: pair.value.string_value for pair in record.attributes}
        if attributes.get("request_id") != request_id:
            continue
        line = f"    {record.body.string_value:<46}{record.severity_text.lower():<11}{record.span_id.hex()}"
        if record.trace_id.hex() != trace_id:
            line += f"  trace {_short(record.trace_id.hex())}, caused by {_short(attributes['linked_trace_id'])}"
        yield line


def _short(trace_id: str) -> str:
    return f"{trace_id[:8]}…"


def _event_key(event: Event) -> tuple[Any, ...]:
    moment = datetime.fromisoformat(event["timestamp"])
    time_ns = (int(moment.replace(microsecond=0).timestamp()) * 1_000_000 + moment.microsecond) * _MICROSECOND_NS
    ids = (event.get("trace_id", ""), event.get("span_id", ""), event.get("request_id", ""))
    return (time_ns, event["level"], event["logger"], event["message"], *ids)


def _record_key(found: Record) -> tuple[Any, ...]:
    logger, record = found
    request_ids = [pair.value.string_value for pair in record.attributes if pair.key == "request_id"]
    ids = (record.trace_id.hex(), record.span_id.hex(), *(request_ids or [""]))
    return (record.time_unix_nano, record.severity_text, logger, record.body.string_value, *ids)
