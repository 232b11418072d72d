"""The completion event: what a request was, in one wide event on the logger ``fapilog.request``.

=======================  ===========================================================================
``request_completed``    an answer went out, or the client left before; INFO, from status 500 on ERROR
``request_failed``       the application raised; ERROR, with ``exception``
``websocket_opened``     the application accepted a WebSocket; INFO
``websocket_closed``     … and it is over, with ``close_code``; INFO
``websocket_refused``    the application did not accept it; INFO
``websocket_failed``     the application raised; ERROR, with ``exception``
=======================  ===========================================================================

``outcome`` is ``ok`` (the answer went out, below 400), ``client_error`` (400 to 499), ``server_error`` (from 500 on, or
the application raised, or it stopped in the middle of an answer) or ``client_disconnected`` (before the answer was
complete).
"""

from collections.abc import Mapping
from typing import Any

from fapilog import _runtime
from fapilog.asgi.headers import USER_AGENT, HeaderReader, text
from fapilog.asgi.routes import RouteOf, route_of
from fapilog.asgi.rules import Rules
from fapilog.coerce import to_plain_fields
from fapilog.context import current
from fapilog.diagnostics import attempt, describe
from fapilog.edge_options import AsgiOptions
from fapilog.event import IDENTITY_KEYS, Origin, identity_of
from fapilog.logger.capture import active_span
from fapilog.logger.methods import make_level_method

LOGGER = "fapilog.request"
REPORTED = "__fapilog_reported__"
MAX_PATH = 1_024
MAX_METHOD = 64
OK, CLIENT_ERROR, SERVER_ERROR = "ok", "client_error", "server_error"
DISCONNECTED = "client_disconnected"
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"))
OTHER_METHOD = "_OTHER"
_PARAMETERS = frozenset(("exc_info", "stack_info"))
_CLIENT_ERRORS, _SERVER_ERRORS = 400, 500


class AccessLog:
    """Builds the completion events and hands them in. Thread-safe but for the counts of what was held back.

    Args:
        options: What to emit, and at which levels.
        headers: Reads the client's address and the headers to show.
        route_of: Finds the route template; whatever it raises is counted and reported, never raised.
    """

    def __init__(self, options: AsgiOptions, headers: HeaderReader, route_of: RouteOf = route_of) -> None:
        """Resolve the levels.

        Raises:
            ConfigError: If there is no such level.
        """
        self.enabled = options.access_log
        self.rules = Rules(options)
        self._headers = headers
        self._route_of = route_of
        self._logger = _runtime.get_logger(LOGGER)
        self._origin: Origin = _runtime.origin(LOGGER)
        table = self._origin.queue.levels
        # The way of an ordinary log call, at the levels that were asked for: there is no cheaper one.
        self._done = make_level_method("done", table.number(options.level, "with_access_log(level)"), None)
        self._bad = make_level_method("bad", table.number(options.error_level, "with_access_log(error_level)"), None)

    def span_ids(self) -> dict[str, Any] | None:
        """Return the ids of the active span as context fields, or None if there is none.

        Asked at the start of an answer, because some instrumentation has its span active only then.
        """
        span = active_span(self._origin.queue)
        return None if span is None else identity_of({}, span) or None

    def add_details(self, fields: dict[str, Any], scope: Any, found: Mapping[bytes, bytes]) -> None:
        """Add the route template, who asked, and the headers to show; what is not known is left out."""
        template, failed = attempt(self._route_of, scope)
        if template is not None:
            fields["http_route"] = template
        elif failed is not None:
            diagnose("asgi_route", failed)
        peer = scope.get("client")
        if peer and peer[0]:
            fields["client_ip"] = peer[0]
        if USER_AGENT in found:
            fields["user_agent"] = text(found[USER_AGENT])
        headers = self._headers
        if headers.trusts_proxies and peer:
            client = headers.client(peer[0], found)
            if client != peer[0]:
                fields["client_ip"], fields["peer_ip"] = client, peer[0]
        if headers.shows:
            shown = headers.shown(found)
            if shown:
                fields["request_headers"] = shown

    def emit(self, message: str, fields: dict[str, Any], noted: Mapping[str, Any], *, is_error: bool) -> None:
        """Hand in the event of a request whose application raised nothing, with what was noted on top.

        A noted field never takes the place of a measured one; it is then kept under ``name_``.
        """
        if noted:
            _add_noted(fields, noted)
        (self._bad if is_error else self._done)(self._logger, message, **fields)

    def emit_failure(
        self, message: str, fields: dict[str, Any], noted: Mapping[str, Any], error: BaseException
    ) -> None:
        """Hand in the event of an application that raised, at ERROR.

        The exception is marked, so that the server's line about the same one can be left out.
        """
        _add_noted(fields, noted)
        self._logger.error(message, exc_info=error, **fields)
        # Exceptions with slots and without a dict exist; then the server's line stays.
        attempt(setattr, error, REPORTED, True)  # noqa: FBT003 - the one spelling of setattr


def diagnose(kind: str, error: BaseException) -> None:
    """Count and report something that went wrong in the middleware itself; never raises."""
    engine, _ = attempt(_runtime.default_engine)
    if engine is not None:
        engine.diagnostics.report(kind, describe(error))


def _add_noted(fields: dict[str, Any], noted: Mapping[str, Any]) -> None:
    for key, value in noted.items():
        name = key
        while name in fields or name in _PARAMETERS:
            name += "_"
        if key not in IDENTITY_KEYS:
            fields[name] = value


def outcome_of(status: int) -> str:
    """Return the outcome of an answer that went out whole."""
    if status < _CLIENT_ERRORS:
        return OK
    return CLIENT_ERROR if status < _SERVER_ERRORS else SERVER_ERROR


def annotate(**fields: Any) -> None:
    """Add fields to the completion event of the current request, by value; of a WebSocket, to its last event.

    From anywhere in the request: async or sync endpoints and dependencies, threads and tasks that carry its context.
    The last value of a name wins; one that the event already has is kept under ``name_``. Outside a request nothing
    happens. After the completion event nothing happens either. Thread-safe; raises nothing that the values raise.
    """
    current.get().request.note(to_plain_fields(fields))
