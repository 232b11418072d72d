"""The schema ``datadog``: Datadog's reserved and standard attributes for logs.

Ids are written as Datadog's tracers inject them: the trace id as 32 hexadecimal digits, the span id as an unsigned
decimal. A user's fields stay at the top, where Datadog makes attributes of them; one named like an attribute that
Datadog reads, or that fapilog writes, gets ``_`` appended.
"""

import re
from typing import Any

from fapilog.event import EventDict
from fapilog.levels import INFO
from fapilog.processors.parts import (
    Moves,
    add_fields,
    base_level,
    is_http,
    level_number,
    move,
    take_duration_ns,
    take_error,
)

STATUSES = {"DEBUG": "debug", "INFO": "info", "WARNING": "warning", "ERROR": "error", "CRITICAL": "critical"}
_BASE = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}
RESERVED = frozenset(
    {
        *("timestamp", "@timestamp", "_timestamp", "Timestamp", "eventTime", "date", "published_date"),
        *("status", "severity", "level", "message", "msg", "log", "service", "host", "hostname"),
        *("source", "ddsource", "ddtags", "trace_id", "span_id", "dd", "contextMap", "syslog"),
        *("dd.trace_id", "dd.span_id", "dd.service", "dd.env", "dd.version", "contextMap.dd.trace_id"),
        *("syslog.timestamp", "syslog.severity", "syslog.hostname", "syslog.appname"),
        *("error", "error.kind", "error.message", "error.stack", "logger", "logger.name", "duration"),
        *("http", "http.method", "http.status_code", "http.url", "http.url_details", "http.useragent"),
        *("http.route", "http.version", "http.referer"),
        *("http.request_id", "network", "network.client.ip", "network.bytes_read", "network.bytes_written"),
    }
)
_HEAD: Moves = (("timestamp", str, "timestamp"), ("message", str, "message"))
_ENDS: Moves = (("service", str, "service"), ("host", str, "host"))
_ERROR: Moves = (("type", str, "kind"), ("message", str, "message"), ("stacktrace", str, "stack"))
_HTTP: Moves = (
    ("http_method", str, "method"),
    ("status_code", int, "status_code"),
    ("http_route", str, "route"),
    ("user_agent", str, "useragent"),
    ("http_version", str, "version"),
)
_NETWORK: Moves = (("request_bytes", int, "bytes_read"), ("response_bytes", int, "bytes_written"))
_SPAN_ID = re.compile("[0-9a-f]{16}")


def datadog(event: EventDict) -> EventDict:
    """Return the event with the attributes of Datadog."""
    fields = dict(event)
    result: EventDict = {}
    move(fields, result, _HEAD)
    origin: EventDict = {}
    move(fields, origin, (("logger", str, "name"),))
    level = fields.get("level")
    if type(level) is str:
        del fields["level"]
        result["status"] = STATUSES[level] if level in STATUSES else _status(level)
        if level not in STATUSES:
            # Datadog guesses a status from a name's first letter: AUDIT would be an alert.
            origin["level"] = level
    if origin:
        result["logger"] = origin
    move(fields, result, _ENDS)
    _add_ids(fields, result)
    _add_http(event, fields, result)
    error: EventDict = {}
    others = take_error(fields, error, _ERROR)
    if others is not None:
        result["error"] = {**error, **others}
    add_fields(fields, result, RESERVED)
    return result


def _add_ids(fields: EventDict, result: EventDict) -> None:
    ids: EventDict = {}
    move(fields, ids, (("trace_id", str, "trace_id"), ("span_id", str, "span_id")))
    span = ids.get("span_id")
    if span is not None and _SPAN_ID.fullmatch(span):
        ids["span_id"] = str(int(span, 16))
    if "service" in result:
        ids["service"] = result["service"]
    move(fields, ids, (("env", str, "env"), ("version", str, "version")))
    if ids:
        result["dd"] = ids


def _add_http(event: EventDict, fields: EventDict, result: EventDict) -> None:
    http: EventDict = {}
    move(fields, http, (("request_id", str, "request_id"),))
    if is_http(event):
        move(fields, http, _HTTP)
        if type(fields.get("path")) is str:
            http["url_details"] = {"path": fields.pop("path")}
        network: EventDict = {}
        if type(fields.get("client_ip")) is str:
            network["client"] = {"ip": fields.pop("client_ip")}
        move(fields, network, _NETWORK)
        if network:
            result["network"] = network
        duration = take_duration_ns(fields)
        if duration is not None:
            result["duration"] = duration
    if http:
        result["http"] = http


def _status(level: Any) -> str:
    number = level_number(level)
    base = base_level(number)
    return "notice" if base == INFO and number != INFO else _BASE[base]
