"""The state of one WebSocket: one event when it opens, one when it is over, none for its messages.

connect ──► accept ──► websocket_opened ──► … ──► close or disconnect ──► websocket_closed
    └─────► close, denial response, nothing ────────────────────────────► websocket_refused
                      the application raises ───────────────────────────► websocket_failed
"""

from collections.abc import Mapping
from time import perf_counter_ns
from typing import Any

from fapilog.asgi.access import (
    CLIENT_ERROR,
    DISCONNECTED,
    MAX_PATH,
    OK,
    SERVER_ERROR,
    diagnose,
    outcome_of,
)
from fapilog.asgi.exchange import Exchange, departed
from fapilog.coerce import cut_text
from fapilog.diagnostics import attempt

NORMAL, ABNORMAL, NO_CODE = 1000, 1006, 1005
SERVER_CODES = frozenset((1011, 1012, 1013, 1014))
_REFUSED, _NO_ANSWER = 403, 500
_ANSWERS = frozenset(("websocket.accept", "websocket.http.response.start"))


class WebSocketExchange(Exchange):
    """What one WebSocket and the middleware have between them.

    ``received`` and ``sent`` are the bytes of the messages, ``status`` that of a refused handshake, ``complete``
    whether either side has closed, ``ended`` when.

    Attributes:
        accepted: Whether the application has accepted the handshake.
        close_code: The code of whoever closed first; None before.
        closed_by: ``"client"`` or ``"application"``; None before.
    """

    accepted = False
    close_code: int | None = None
    closed_by: str | None = None
    messages_received = 0
    messages_sent = 0
    _emits = True

    async def receive(self) -> Any:
        """Pass on the server's next message."""
        message = await self._receive()
        kind = message["type"]
        if kind == "websocket.receive":
            self.messages_received += 1
            self.received += _size(message)
        elif kind == "websocket.disconnect":
            self._closed("client", message.get("code") or NO_CODE)
        return message

    async def send(self, message: Any) -> None:
        """Pass on the application's next message; to the answer of the handshake add the request id."""
        kind = message["type"]
        if kind in _ANSWERS:
            changed, failed = attempt(self.with_id, message)
            message = message if failed is not None else changed
            self.status = message.get("status")
        elif kind == "websocket.close":
            self._closed("application", message.get("code") or NORMAL)
        try:
            await self._send(message)
        except OSError as error:
            self._note_loss(error)
            raise
        if kind == "websocket.send":
            self.messages_sent += 1
            self.sent += _size(message)
        elif kind == "websocket.accept":
            self._opened()
        elif kind == "websocket.http.response.body" and not message.get("more_body", False):
            self.ended = perf_counter_ns()

    def _opened(self) -> None:
        self.accepted = True
        _, failed = attempt(self._report_open)
        if failed is not None:
            diagnose("asgi_report", failed)

    def _closed(self, side: str, code: int) -> None:
        if self.closed_by is None:
            self.closed_by, self.close_code = side, code
            self.ended = perf_counter_ns()
            self.complete = True

    def _fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = {"path": cut_text(self.path, MAX_PATH)}
        self._access.add_details(fields, self.scope, self.found)
        return fields

    def _report_open(self) -> None:
        access = self._access
        ids = None if self.context.traced else access.span_ids()
        if ids is not None:
            self.context.share(ids)
        self._emits = self.is_loud() or access.rules.emits(self.path, self.root_path, success=False)
        if self._emits and access.enabled:
            access.emit("websocket_opened", self._fields(), {}, is_error=False)

    def _report(self, error: BaseException | None, now: int) -> None:
        access = self._access
        gone = error is not None and departed(error, self._send_error)
        failure = None if gone else error
        refused = not self.accepted and self.closed_by != "client" and not gone
        if refused and self.status is None:
            self.status = _REFUSED if self.closed_by is not None and failure is None else _NO_ANSWER
        outcome = self._outcome_of_socket(failure, refused=refused, gone=gone)
        if refused and failure is None and outcome != SERVER_ERROR:
            self._emits = access.rules.emits(self.path, self.root_path, success=False)
        is_error = failure is not None or outcome == SERVER_ERROR
        recorded = self.end_recording(failed=is_error)
        if not access.enabled or not (self.is_loud() or self._emits or is_error):
            return
        fields = self._fields()
        if recorded is not None:
            fields.update(recorded)
        if refused:
            fields["status_code"] = self.status
        else:
            fields["close_code"] = self.close_code or ABNORMAL
            fields["closed_by"] = self.closed_by or ("client" if outcome == DISCONNECTED else "application")
        fields["duration_ms"] = ((self.ended or now) - self.started) // 1_000 / 1_000
        fields["total_ms"] = (now - self.started) // 1_000 / 1_000
        fields["request_bytes"] = self.received
        fields["response_bytes"] = self.sent
        fields["messages_received"] = self.messages_received
        fields["messages_sent"] = self.messages_sent
        fields["outcome"] = outcome
        message = "websocket_refused" if refused else "websocket_closed"
        self._emit("websocket_failed" if failure is not None else message, fields, failure, is_error=is_error)

    def _outcome_of_socket(self, failure: BaseException | None, *, refused: bool, gone: bool) -> str:
        if failure is not None:
            return SERVER_ERROR
        if refused:
            return CLIENT_ERROR if self.status is None else outcome_of(self.status)
        if self.close_code is None:
            return DISCONNECTED if gone or self.disconnected else SERVER_ERROR
        if self.closed_by == "client":
            return DISCONNECTED if self.close_code == ABNORMAL or not self.accepted else OK
        return SERVER_ERROR if self.close_code in SERVER_CODES else OK


def _size(message: Mapping[str, Any]) -> int:
    text = message.get("text")
    if text is not None:
        return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return len(message.get("bytes") or b"")
