"""The schema ``otel``: a record of the OpenTelemetry log data model (specification 1.55, stable).

Keys are the field names of the data model. Attributes and resource follow the semantic conventions 1.44. 64-bit numbers
are decimal text, as in the JSON mapping of OTLP, because not every reader of JSON has 64-bit integers. A user's fields
are attributes; one named like an attribute that fapilog has set in the same record gets ``_`` appended.
"""

import re
from datetime import UTC, datetime
from typing import Any

from fapilog.diagnostics import attempt
from fapilog.event import EventDict
from fapilog.processors.parts import (
    Moves,
    add_fields,
    base_level,
    is_http,
    level_number,
    move,
    take_error,
)

SEVERITIES = {"DEBUG": 5, "INFO": 9, "WARNING": 13, "ERROR": 17, "CRITICAL": 21}
_BASE = {10: 5, 20: 9, 30: 13, 40: 17, 50: 21}
_TRACE_SEVERITY = 1
_LOWEST = 10
_RESOURCE: Moves = (
    ("service", str, "service.name"),
    ("version", str, "service.version"),
    ("env", str, "deployment.environment.name"),
    ("host", str, "host.name"),
    ("pid", int, "process.pid"),
)
_HTTP: Moves = (
    ("http_method", str, "http.request.method"),
    ("http_method_original", str, "http.request.method_original"),
    ("http_route", str, "http.route"),
    ("path", str, "url.path"),
    ("status_code", int, "http.response.status_code"),
    ("request_bytes", int, "http.request.body.size"),
    ("response_bytes", int, "http.response.body.size"),
    ("client_ip", str, "client.address"),
    ("peer_ip", str, "network.peer.address"),
    ("user_agent", str, "user_agent.original"),
    ("http_version", str, "network.protocol.version"),
)
_ERROR: Moves = (
    ("type", str, "exception.type"),
    ("message", str, "exception.message"),
    ("stacktrace", str, "exception.stacktrace"),
)
_TRACE_ID, _SPAN_ID, _FLAGS = re.compile("[0-9a-f]{32}"), re.compile("[0-9a-f]{16}"), re.compile("[0-9a-f]{2}")
_IDS = (("trace_id", "TraceId", _TRACE_ID), ("span_id", "SpanId", _SPAN_ID), ("trace_flags", "TraceFlags", _FLAGS))
_SERVER_ERRORS, _NO_STATUS = 500, 600
_EPOCH_DAY = 719_163
_MICROSECOND_NS = 1_000


def otel(event: EventDict) -> EventDict:
    """Return the event as a log record of OpenTelemetry."""
    fields = dict(event)
    result: EventDict = {}
    time_ns = _time_ns(fields.get("timestamp"))
    if time_ns is not None:
        del fields["timestamp"]
        result["Timestamp"] = result["ObservedTimestamp"] = str(time_ns)
    _add_ids(fields, result)
    level = fields.get("level")
    if type(level) is str:
        result["SeverityText"] = fields.pop("level")
    result["SeverityNumber"] = SEVERITIES.get(level) if type(level) is str and level in SEVERITIES else _severity(level)
    if "message" in fields:
        result["Body"] = fields.pop("message")
    resource: EventDict = {}
    move(fields, resource, _RESOURCE)
    for key in [key for key in fields if type(key) is str and key.startswith("k8s.")]:
        resource[key] = fields.pop(key)
    if resource:
        result["Resource"] = resource
    if type(fields.get("logger")) is str:
        result["InstrumentationScope"] = {"Name": fields.pop("logger")}
    attributes = _attributes(event, fields)
    if attributes:
        result["Attributes"] = attributes
    return result


def _attributes(event: EventDict, fields: EventDict) -> EventDict:
    attributes: EventDict = {}
    others = take_error(fields, attributes, _ERROR)
    if is_http(event):
        _add_http(fields, attributes)
    if others:
        # Not `exception`: an attribute is not named like a namespace of others.
        attributes["fapilog.exception"] = others
    add_fields(fields, attributes)
    return attributes


def _add_http(fields: EventDict, attributes: EventDict) -> None:
    move(fields, attributes, _HTTP)
    headers = fields.get("request_headers")
    if type(headers) is dict and all(type(name) is str and name == name.lower() for name in headers):
        del fields["request_headers"]
        attributes.update({f"http.request.header.{name}": [value] for name, value in headers.items()})
    status = attributes.get("http.response.status_code")
    if "exception.type" in attributes:
        attributes["error.type"] = attributes["exception.type"]
    elif status is not None and _SERVER_ERRORS <= status < _NO_STATUS:
        attributes["error.type"] = str(status)


def _add_ids(fields: EventDict, result: EventDict) -> None:
    """Move the ids that are such; what else the context has bound under these names is an attribute."""
    for key, name, pattern in _IDS:
        value = fields.get(key)
        if type(value) is str and pattern.fullmatch(value):
            del fields[key]
            result[name] = int(value, 16) if pattern is _FLAGS else value


def _severity(level: Any) -> int:
    number = level_number(level)
    if number < _LOWEST:
        return _TRACE_SEVERITY
    base = base_level(number)
    # A level between two standard ones is the next severity of the lower one's range, such as INFO2.
    return _BASE[base] + (number != base)


def _time_ns(stamp: Any) -> int | None:
    """Return the nanoseconds since 1970; None if it is no such time: the data model has no negative ones."""
    if type(stamp) is not str:
        return None
    moment, error = attempt(datetime.fromisoformat, stamp)
    if error is None and moment.tzinfo not in (None, UTC):
        moment, error = attempt(moment.astimezone, UTC)
    if error is not None or moment.tzinfo is None:
        return None
    days = moment.toordinal() - _EPOCH_DAY
    seconds = days * 86_400 + moment.hour * 3_600 + moment.minute * 60 + moment.second
    return (seconds * 1_000_000 + moment.microsecond) * _MICROSECOND_NS if days >= 0 else None
