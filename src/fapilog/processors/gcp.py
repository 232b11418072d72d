"""The schema ``gcp``: the special JSON fields of Google Cloud Logging's structured logging.

A collector on Google Cloud moves the special fields into its ``LogEntry``; all others are ``jsonPayload``. A user's
fields stay at the top; one named like a special field gets ``_`` appended. An exception is written as Error Reporting
expects it: ``stack_trace``, ``serviceContext`` and, from ERROR on, the type of a reported error.
"""

import re
from typing import Any

from fapilog.event import EventDict
from fapilog.levels import ERROR, INFO
from fapilog.processors.parts import (
    Moves,
    add_fields,
    base_level,
    is_http,
    level_number,
    move,
    take_count,
    take_duration_ns,
    take_error,
)

REPORTED_ERROR = "type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent"
SEVERITIES = {"DEBUG": "DEBUG", "INFO": "INFO", "WARNING": "WARNING", "ERROR": "ERROR", "CRITICAL": "CRITICAL"}
_BASE = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}
_TRACE = "logging.googleapis.com/trace"
_SPAN = "logging.googleapis.com/spanId"
_SAMPLED = "logging.googleapis.com/trace_sampled"
_LABELS = "logging.googleapis.com/labels"
RESERVED = frozenset(
    {
        *("severity", "message", "time", "timestamp", "timestampSeconds", "timestampNanos", "httpRequest"),
        *("@type", "serviceContext", "stack_trace", "exception", "eventTime"),
        *(_TRACE, _SPAN, _SAMPLED, _LABELS, "logging.googleapis.com/traceSampled"),
        *("logging.googleapis.com/insertId", "logging.googleapis.com/logName", "logging.googleapis.com/operation"),
        *("logging.googleapis.com/severity", "logging.googleapis.com/sourceLocation"),
        *("logging.googleapis.com/http_request", "logging.googleapis.com/monitored_resource"),
    }
)
_HEAD: Moves = (("message", str, "message"), ("timestamp", str, "time"))
_IDS: Moves = (("trace_id", str, _TRACE), ("span_id", str, _SPAN))
_HTTP: Moves = (
    ("http_method", str, "requestMethod"),
    ("path", str, "requestUrl"),
    ("status_code", int, "status"),
    ("user_agent", str, "userAgent"),
    ("client_ip", str, "remoteIp"),
)
_SIZES = (("request_bytes", "requestSize"), ("response_bytes", "responseSize"))
_LABELLED: Moves = (
    ("logger", str, "logger"),
    ("service", str, "service"),
    ("version", str, "version"),
    ("env", str, "env"),
    ("host", str, "host"),
)
_FLAGS = re.compile("[0-9a-f]{2}")
_NS = 1_000_000_000


def gcp(event: EventDict) -> EventDict:
    """Return the event with the special fields of Cloud Logging."""
    fields = dict(event)
    result: EventDict = {}
    level = fields.get("level")
    if type(level) is str and level in SEVERITIES:
        result["severity"] = SEVERITIES[fields.pop("level")]
    else:
        # The name of a level that is not among the five stays beside it.
        result["severity"] = _severity(level)
    move(fields, result, _HEAD)
    _add_trace(fields, result)
    if is_http(event):
        request = _request(fields)
        if request:
            result["httpRequest"] = request
    labels: EventDict = {}
    move(fields, labels, _LABELLED)
    pid = take_count(fields, "pid")
    if pid is not None:
        labels["pid"] = pid
    others = take_error(fields, result, (("stacktrace", str, "stack_trace"),))
    if others is not None:
        _report(result, labels, others, level_number(level))
    add_fields(fields, result, RESERVED)
    if labels:
        result[_LABELS] = labels
    return result


def _add_trace(fields: EventDict, result: EventDict) -> None:
    move(fields, result, _IDS)
    flags = fields.get("trace_flags")
    if type(flags) is str and _FLAGS.fullmatch(flags):
        result[_SAMPLED] = bool(int(flags, 16) & 1)
        if flags in ("00", "01"):
            # Flags with other bits than that for sampling are kept beside it.
            del fields["trace_flags"]


def _request(fields: EventDict) -> EventDict:
    request: EventDict = {}
    move(fields, request, _HTTP)
    for key, name in _SIZES:
        size = take_count(fields, key)
        if size is not None:
            request[name] = size
    if type(fields.get("http_version")) is str:
        request["protocol"] = "HTTP/" + fields.pop("http_version")
    duration = take_duration_ns(fields)
    if duration is not None:
        seconds, rest = divmod(duration, _NS)
        request["latency"] = f"{seconds}.{rest:09d}".rstrip("0").rstrip(".") + "s"
    return request


def _report(result: EventDict, labels: EventDict, others: EventDict, number: int) -> None:
    if number >= ERROR:
        result["@type"] = REPORTED_ERROR
    if "service" in labels:
        context = {"service": labels["service"]}
        if "version" in labels:
            context["version"] = labels["version"]
        result["serviceContext"] = context
    if others:
        result["exception"] = others


def _severity(level: Any) -> str:
    number = level_number(level)
    base = base_level(number)
    return "NOTICE" if base == INFO and number != INFO else _BASE[base]
