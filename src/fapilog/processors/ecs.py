"""The schema ``ecs``: Elastic Common Schema, as the ECS logging specification 1.0 has it written to a log.

Keys are dotted, which the specification asks for in ``log.level`` and leaves open elsewhere, and which Filebeat expands
(``expand_keys``). A user's fields never share a name with ECS: texts, numbers and booleans are ``labels``, which are
keywords without nesting; what is nested is below ``fapilog``, since ECS advises a proper name for custom fields.
"""

from ipaddress import ip_address
from typing import Any

from fapilog.coerce import SCALARS, to_text
from fapilog.diagnostics import attempt
from fapilog.event import EventDict
from fapilog.processors.parts import Moves, free_name, is_http, move, take_duration_ns, take_error

ECS_VERSION = "8.11.0"
NAMESPACE = "fapilog"
_HEAD: Moves = (("timestamp", str, "@timestamp"), ("level", str, "log.level"), ("message", str, "message"))
_NAMES: Moves = (
    ("logger", str, "log.logger"),
    ("request_id", str, "http.request.id"),
    ("trace_id", str, "trace.id"),
    ("span_id", str, "span.id"),
)
_HTTP: Moves = (
    ("http_method", str, "http.request.method"),
    ("path", str, "url.path"),
    ("status_code", int, "http.response.status_code"),
    ("request_bytes", int, "http.request.body.bytes"),
    ("response_bytes", int, "http.response.body.bytes"),
    ("user_agent", str, "user_agent.original"),
    ("http_version", str, "http.version"),
)
_ERROR: Moves = (
    ("type", str, "error.type"),
    ("message", str, "error.message"),
    ("stacktrace", str, "error.stack_trace"),
)
_RESOURCE: Moves = (
    ("service", str, "service.name"),
    ("version", str, "service.version"),
    ("env", str, "service.environment"),
    ("host", str, "host.hostname"),
    ("pid", int, "process.pid"),
)
_OUTCOMES = {"ok": "success", "client_error": "success", "server_error": "failure", "client_disconnected": "unknown"}
_NOT_IN_LABELS = str.maketrans(dict.fromkeys(".*\\", "_"))
_NOT_IN_DATASET = str.maketrans(dict.fromkeys('\\/*?"<>| ,#:-', "_"))
_DATASET_LENGTH = 100
_DATASET_END = ".log"


def ecs(event: EventDict) -> EventDict:
    """Return the event in the Elastic Common Schema."""
    fields = dict(event)
    result: EventDict = {}
    move(fields, result, _HEAD)
    result["ecs.version"] = ECS_VERSION
    move(fields, result, _NAMES)
    if is_http(event):
        _add_http(fields, result)
    custom: EventDict = {}
    others = take_error(fields, result, _ERROR)
    if others:
        custom["exception"] = others
    move(fields, custom, (("stack", str, "stack"),))
    move(fields, result, _RESOURCE)
    if "service.name" in result:
        result["event.dataset"] = _dataset(result["service.name"])
    labels: EventDict = {}
    for key, value in fields.items():
        target = labels if type(value) in SCALARS else custom
        target[key if type(key) is str and key.isidentifier() else _label(key, fields, target)] = value
    if labels:
        result["labels"] = labels
    if custom:
        result[NAMESPACE] = custom
    return result


def _add_http(fields: EventDict, result: EventDict) -> None:
    move(fields, result, _HTTP)
    outcome = fields.get("outcome")
    if type(outcome) is str and outcome in _OUTCOMES:
        # ECS knows three outcomes, as of who serves the request; ours stays among the labels.
        result["event.outcome"] = _OUTCOMES[outcome]
    duration = take_duration_ns(fields)
    if duration is not None:
        result["event.duration"] = duration
    client = fields.get("client_ip")
    if type(client) is str:
        del fields["client_ip"]
        # Elasticsearch refuses a whole document for one address that is none, such as a test client's name.
        _, error = attempt(ip_address, client)
        result["client.ip" if error is None and "%" not in client else "client.address"] = client


def _dataset(service: str) -> str:
    return service[: _DATASET_LENGTH - len(_DATASET_END)].translate(_NOT_IN_DATASET).lower() + _DATASET_END


def _label(key: Any, *taken: EventDict) -> str:
    name = (key if type(key) is str else to_text(key)).translate(_NOT_IN_LABELS)
    return name if name == key else free_name(name, *taken)
