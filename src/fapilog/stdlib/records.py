"""From a record of ``logging`` to the parts of an event.

Records come from anywhere: other libraries, other processes (unpickled, half empty), factories of the user's. They
are only read, never changed: the handlers after ours get the same object.
"""

import logging
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from fapilog.coerce import to_text
from fapilog.diagnostics import attempt
from fapilog.levels import INFO

# What every record has, what formatters leave on it, and what `logging` adds since Python 3.12. The rest is `extra`.
# OpenTelemetry's instrumentation of `logging` puts the ids of the span on each record: an event has them already.
_OTEL = {"otelTraceID", "otelSpanID", "otelTraceSampled", "otelServiceName"}
_STANDARD = (
    frozenset(logging.LogRecord("", 0, "", 0, "", None, None).__dict__) | {"asctime", "message", "taskName"} | _OTEL
)
_SERVERS = ("uvicorn", "gunicorn", "hypercorn")
_UVICORN_ACCESS_ARGS = ("client_addr", "http_method", "path", "http_version", "status_code")
# The letters of the access log formats of gunicorn and hypercorn.
_ATOMS = {"h": "client_addr", "m": "http_method", "U": "path", "s": "status_code"}
_LAST_LINE = "Finished server process"
REPORTED = "__fapilog_reported__"


class Parts(NamedTuple):
    """What ``fapilog.logger.capture.submit`` takes."""

    message: str
    fields: dict[str, Any]
    exc_info: object
    stack: str | None
    time_ns: int | None


def read(record: logging.LogRecord, *, source: bool = False) -> Parts:
    """Return the parts of a record, its message formatted.

    Args:
        record: The record; attributes may be missing or of any type.
        source: Add where the call stands, under OpenTelemetry's names ``code.file.path``, ``code.line.number`` and
            ``code.function.name``.
    """
    values = vars(record)
    fields = {key if type(key) is str else to_text(key): values[key] for key in values if key not in _STANDARD}
    if is_server(values.get("name")):
        # A second rendering of the message, with escape sequences for a terminal.
        fields.pop("color_message", None)
        fields |= _access_fields(values.get("name"), values.get("args"))
    message = _message(record, values, fields)
    exc_info = values.get("exc_info")
    if not exc_info and values.get("exc_text"):
        fields.setdefault("exc_text", values["exc_text"])
    if source:
        fields |= _source(values)
    stack = values.get("stack_info")
    return Parts(message, fields, exc_info, to_text(stack) if stack else None, _time_ns(values.get("created")))


def level_of(record: logging.LogRecord) -> int:
    """Return the level number; a record without a usable one counts as INFO."""
    levelno = vars(record).get("levelno")
    return levelno if isinstance(levelno, int) else INFO


def name_of(record: logging.LogRecord) -> str:
    """Return the name of the logger; ``root`` if there is none."""
    name = vars(record).get("name")
    return name if type(name) is str and name else "root"


def is_server(name: object) -> bool:
    """Tell whether a logger belongs to an ASGI server we know."""
    return isinstance(name, str) and name.partition(".")[0] in _SERVERS


def was_reported(record: logging.LogRecord) -> bool:
    """Tell whether this is a server's traceback of an exception that a completion event has already reported."""
    values = vars(record)
    exc_info = values.get("exc_info")
    if not exc_info or not is_server(values.get("name")):
        return False
    error = exc_info[1] if isinstance(exc_info, tuple) and len(exc_info) > 1 else exc_info
    return isinstance(error, BaseException) and getattr(error, REPORTED, None) is True


def is_last_line(record: logging.LogRecord) -> bool:
    """Tell whether uvicorn says goodbye: after it the process is ended by the signal it got, without exit code."""
    message = vars(record).get("msg")
    return name_of(record) == "uvicorn.error" and isinstance(message, str) and message.startswith(_LAST_LINE)


def _message(record: logging.LogRecord, values: Mapping[str, Any], fields: dict[str, Any]) -> str:
    """Return the formatted message; if that fails, the template as it is, with the arguments in ``message_args``."""
    args = values.get("args")
    if is_server(values.get("name")) and isinstance(args, tuple):
        # A server's line has the path with its query, which may hold anything; the record itself stays as it is.
        text, error = attempt(
            lambda: str(values.get("msg")) % tuple(map(_without_query, args)) if args else values["msg"]
        )
    else:
        text, error = attempt(record.getMessage)
    if error is None and isinstance(text, str):
        return to_text(text)
    if args:
        fields.setdefault("message_args", list(args) if isinstance(args, tuple) else args)
    return to_text(values.get("msg"))


def _without_query(value: object) -> object:
    return value.partition("?")[0] if isinstance(value, str) and value.startswith("/") else value


def _access_fields(name: object, args: object) -> dict[str, Any]:
    """Return the fields of a server's access line, without the query string."""
    fields: dict[str, Any] = {}
    if name == "uvicorn.access" and isinstance(args, tuple) and len(args) == len(_UVICORN_ACCESS_ARGS):
        fields = dict(zip(_UVICORN_ACCESS_ARGS, args, strict=True))
        fields["path"] = to_text(fields["path"]).partition("?")[0]
    elif isinstance(name, str) and name.endswith(".access") and isinstance(args, Mapping):
        fields = {field: args[atom] for atom, field in _ATOMS.items() if atom in args}
        status = fields.get("status_code")
        if isinstance(status, str) and status.isdecimal():
            fields["status_code"] = int(status)
    return fields


def _source(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the place of the call; names by OpenTelemetry's semantic conventions 1.44, ``code.*``."""
    return {
        "code.file.path": values.get("pathname"),
        "code.line.number": values.get("lineno"),
        "code.function.name": values.get("funcName"),
    }


def _time_ns(created: object) -> int | None:
    """Return nanoseconds, whole microseconds only: the float that ``logging`` keeps has no more to give."""
    if isinstance(created, int | float) and math.isfinite(created):
        return round(created * 1_000_000) * 1_000
    return None
