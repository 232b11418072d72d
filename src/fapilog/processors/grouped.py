"""The schema ``grouped``: fapilog's own, with the keys of ``fapilog/1`` put into groups.

A name loses what its group already says (``http_method`` is ``http.method``), and is the same else. All fields that the
application logged or bound are in ``fields``, so none can clash with anything.
"""

from fapilog.event import EventDict
from fapilog.processors.parts import Moves, is_http, move

_HEAD: Moves = (
    ("timestamp", str, "timestamp"),
    ("level", str, "level"),
    ("logger", str, "logger"),
    ("message", str, "message"),
)
_TRACE: Moves = (
    ("request_id", str, "request_id"),
    ("trace_id", str, "id"),
    ("span_id", str, "span_id"),
    ("trace_flags", str, "flags"),
)
_HTTP: Moves = (
    ("http_method", str, "method"),
    ("http_method_original", str, "method_original"),
    ("http_route", str, "route"),
    ("http_version", str, "version"),
    ("path", str, "path"),
    ("status_code", int, "status_code"),
    ("outcome", str, "outcome"),
    ("duration_ms", float, "duration_ms"),
    ("total_ms", float, "total_ms"),
    ("request_bytes", int, "request_bytes"),
    ("response_bytes", int, "response_bytes"),
    ("client_ip", str, "client_ip"),
    ("peer_ip", str, "peer_ip"),
    ("user_agent", str, "user_agent"),
    ("client_request_id", str, "client_request_id"),
    ("request_headers", dict, "request_headers"),
    ("close_code", int, "close_code"),
    ("closed_by", str, "closed_by"),
    ("messages_received", int, "messages_received"),
    ("messages_sent", int, "messages_sent"),
)
_ERROR: Moves = (("exception", dict, "error"), ("stack", str, "stack"))
_SERVICE: Moves = (("service", str, "name"), ("version", str, "version"), ("env", str, "env"))
_HOST: Moves = (("host", str, "name"),)
_PROCESS: Moves = (("pid", int, "pid"),)


def grouped(event: EventDict) -> EventDict:
    """Return the event in groups: ``trace``, ``http``, ``fields``, ``error``, ``service``, ``host``, ``process``."""
    fields = dict(event)
    result: EventDict = {}
    move(fields, result, _HEAD)
    _group(fields, result, "trace", _TRACE)
    if is_http(event):
        _group(fields, result, "http", _HTTP)
    tail: EventDict = {}
    move(fields, tail, _ERROR)
    _group(fields, tail, "service", _SERVICE)
    _group(fields, tail, "host", _HOST)
    _group(fields, tail, "process", _PROCESS)
    if fields:
        result["fields"] = fields
    result.update(tail)
    return result


def _group(fields: EventDict, target: EventDict, name: str, moves: Moves) -> None:
    group: EventDict = {}
    move(fields, group, moves)
    if group:
        target[name] = group
