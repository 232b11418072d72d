"""Flat events as OTLP log records: the messages of opentelemetry-proto, filled in place.

What goes where is the schema ``otel`` (:mod:`fapilog.processors.otel`: severity, ids, resource, scope, semantic
conventions); here it becomes protobuf, with what only OTLP has: ``event_id`` is the attribute ``log.record.uid``, the
field ``event_name`` or ``event.name`` is the record's event name. The events of the edge, one for each request and two
for each WebSocket, have names without it: ``fapilog.request_completed`` and the like.

    resource_logs ── resource             service.name, host.name, process.pid …, the configured attributes
        scope_logs ── scope               the logger's name
            log_records                   in the order of the batch

A new ``resource_logs`` or ``scope_logs`` begins wherever the resource or the logger changes, so that the order of the
events is the order of the records.

==========================  ==========================================================
value of a field            AnyValue
==========================  ==========================================================
text                        string; lone surrogates as a visible escape (UTF-8 has none)
True, False                 bool
whole number                int; over 64 bits its decimal text
other number                double; NaN and infinities as text, as in the JSON lines
None                        the empty AnyValue
list, object                array, key-value list
anything else               as :func:`fapilog.coerce.to_plain` renders it
==========================  ==========================================================
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from fapilog.coerce import MAX_DEPTH, json_safe, to_plain
from fapilog.event import EventDict
from fapilog.processors.parts import ACCESS_LOGGER
from fapilog.sinks.otlp.usual import UsualEvents

RECORD_UID = "log.record.uid"
EVENT_NAMES = ("event_name", "event.name")
EDGE_PREFIX = "fapilog."
EDGE_EVENTS = frozenset({
    "request_completed", "request_failed", "websocket_opened", "websocket_closed", "websocket_refused",
    "websocket_failed",
})  # fmt: skip
"""Messages of the logger ``fapilog.request`` that come with fields one can rely on: OpenTelemetry's events."""
_NAMED = frozenset(EVENT_NAMES)
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_INT64 = 1 << 63
_FIXED64 = 1 << 64


class _OddError(Exception):
    """Raised for a value that protobuf does not take as it is."""


def encode(events: Sequence[EventDict], extra: Mapping[str, Any], observed_ns: int) -> ExportLogsServiceRequest:
    """Return the request for some events. Never raises for what an event holds.

    Args:
        events: Flat events.
        extra: More attributes of the resource; what the event says itself wins.
        observed_ns: The time at which they are handed on, nanoseconds since the epoch.
    """
    request = ExportLogsServiceRequest()
    resource: Any = None
    logger: Any = None
    resource_logs: ResourceLogs | None = None
    scope_logs: ScopeLogs | None = None
    usual, shared = UsualEvents(), _Attributes()
    for event in events:
        record = usual.record(event)
        its_resource = record.get("Resource", {})
        if resource_logs is None or its_resource != resource:
            resource, scope_logs = its_resource, None
            resource_logs = request.resource_logs.add()
            _fill_attributes(resource_logs.resource.attributes, {**extra, **resource})
        its_logger = record.get("InstrumentationScope", {}).get("Name", "")
        if scope_logs is None or its_logger != logger:
            logger = its_logger
            scope_logs = resource_logs.scope_logs.add()
            scope_logs.scope.name = _utf8(logger)
        target = scope_logs.log_records.add()
        _fill_record(target, event, record, shared)
        target.observed_time_unix_nano = observed_ns
    return request


def _fill_record(target: LogRecord, event: EventDict, record: EventDict, shared: "_Attributes") -> None:
    attributes = record.get("Attributes") or {}
    time_ns = int(record.get("Timestamp", 0))
    if time_ns >= _FIXED64:
        attributes["timestamp"] = event["timestamp"]
        time_ns = 0
    event_name = "" if _NAMED.isdisjoint(attributes) else _take_name(attributes)
    if not event_name and event.get("logger") == ACCESS_LOGGER:
        event_name = _edge_name(record.get("Body"))
    if type(attributes.get("event_id")) is str:
        _put_uid(attributes)
    shared.fill(target, attributes)
    target.time_unix_nano = time_ns
    target.severity_number = record["SeverityNumber"]
    if "SeverityText" in record:
        target.severity_text = _utf8(record["SeverityText"])
    if "Body" in record:
        _fill_value(target.body, record["Body"])
    if event_name:
        target.event_name = _utf8(event_name)
    _set_ids(target, record)


def _set_ids(target: LogRecord, record: EventDict) -> None:
    if record.get("TraceId", _NO_TRACE) != _NO_TRACE:
        target.trace_id = bytes.fromhex(record["TraceId"])
    if record.get("SpanId", _NO_SPAN) != _NO_SPAN:
        target.span_id = bytes.fromhex(record["SpanId"])
    if "TraceFlags" in record:
        target.flags = record["TraceFlags"]


def _take_name(attributes: EventDict) -> str:
    for name in EVENT_NAMES:
        value = attributes.get(name)
        if type(value) is str and value:
            del attributes[name]
            return value
    return ""


def _edge_name(message: Any) -> str:
    return EDGE_PREFIX + message if type(message) is str and message in EDGE_EVENTS else ""


def _put_uid(attributes: EventDict) -> None:
    """Give the event's id its name in the semantic conventions; a field that has this name gets ``_`` appended."""
    uid = attributes.pop("event_id")
    if RECORD_UID in attributes:
        name = RECORD_UID
        while name in attributes:
            name += "_"
        attributes[name] = attributes.pop(RECORD_UID)
    attributes[RECORD_UID] = uid


class _Attributes:
    """Fills the attributes of the records of one request.

    Events of one place in a program have the same names of fields, and of one context the same objects as values: their
    records begin as copies of the first such one, in which only what differs is set.
    """

    def __init__(self) -> None:
        self._first: dict[tuple[str, ...], tuple[LogRecord, tuple[Any, ...]]] = {}

    def fill(self, target: LogRecord, attributes: EventDict) -> None:
        """Fill a record that holds nothing yet."""
        names = tuple(attributes)
        first = self._first.get(names)
        try:
            if first is None:
                _fill_pairs(target.attributes, attributes, 0)
                copy = LogRecord()
                copy.CopyFrom(target)
                self._first[names] = (copy, tuple(attributes.values()))
            else:
                target.CopyFrom(first[0])
                _set_others(target.attributes, attributes, first[1])
        except (_OddError, UnicodeEncodeError):
            _fill_safely(target.attributes, attributes)


def _set_others(target: Any, attributes: EventDict, first: tuple[Any, ...]) -> None:
    for at, value in enumerate(attributes.values()):
        if value is first[at]:
            continue
        its_value = target[at].value
        if type(value) is str:
            its_value.string_value = value
        else:
            its_value.Clear()
            _fill(its_value, value, 0)


def _fill_attributes(target: Any, attributes: EventDict) -> None:
    try:
        _fill_pairs(target, attributes, 0)
    except (_OddError, UnicodeEncodeError):
        _fill_safely(target, attributes)


def _fill_safely(target: Any, attributes: EventDict) -> None:
    del target[:]
    _fill_pairs(target, json_safe({key: to_plain(value) for key, value in attributes.items()}), 0)


def _fill_value(target: AnyValue, value: Any) -> None:
    try:
        _fill(target, value, 0)
    except (_OddError, UnicodeEncodeError):
        target.Clear()
        _fill(target, json_safe(to_plain(value)), 0)


def _fill_pairs(target: Any, pairs: EventDict, depth: int) -> None:
    add = target.add
    for key, value in pairs.items():
        if type(key) is not str:
            raise _OddError
        kind = type(value)
        its_value = add(key=key).value
        # The usual two without a further call: most of the time goes into attributes.
        if kind is str:
            its_value.string_value = value
        elif kind is int and -_INT64 <= value < _INT64:
            its_value.int_value = value
        else:
            _fill(its_value, value, depth)


def _fill(target: AnyValue, value: Any, depth: int) -> None:
    kind = type(value)
    if kind is str:
        target.string_value = value
    elif kind is bool:
        target.bool_value = value
    elif kind is int:
        _fill_int(target, value)
    elif kind is float:
        if not math.isfinite(value):
            raise _OddError
        target.double_value = value
    elif value is not None:
        _fill_container(target, value, depth)


def _fill_int(target: AnyValue, value: int) -> None:
    if -_INT64 <= value < _INT64:
        target.int_value = value
    elif -_FIXED64 < value < _FIXED64:
        target.string_value = str(value)
    else:
        raise _OddError


def _fill_container(target: AnyValue, value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _OddError
    if type(value) is dict:
        target.kvlist_value.SetInParent()
        _fill_pairs(target.kvlist_value.values, value, depth + 1)
    elif type(value) is list:
        target.array_value.SetInParent()
        add = target.array_value.values.add
        for item in value:
            _fill(add(), item, depth + 1)
    else:
        raise _OddError


def _utf8(text: str) -> str:
    return text if text.isascii() else str(json_safe(text))
