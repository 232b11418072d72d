"""What the answer of an OTLP receiver means for the delivery of a batch, by the tables of the OTLP specification.

HTTP                     gRPC                                     delivery
200 and other 2xx        OK                                       taken; a partial success is counted, never sent again
429 502 503 504          CANCELLED DEADLINE_EXCEEDED ABORTED      the same batch later, after Retry-After or RetryInfo
                         UNAVAILABLE OUT_OF_RANGE DATA_LOSS,
                         RESOURCE_EXHAUSTED with RetryInfo
401 403 407              UNAUTHENTICATED PERMISSION_DENIED        the same batch in 30 s: credentials can be put right
400 413 422              INVALID_ARGUMENT, RESOURCE_EXHAUSTED     some event, or the size, is to blame: split
                         without RetryInfo
all others, 500 too      all others                               refused: OTLP forbids to send it again

One departure: OUT_OF_RANGE for a request over 4 MB is split, too. So answer servers whose limit for messages it is
over, and it would never get through.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]  # has no stubs
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from fapilog.diagnostics import one_line
from fapilog.errors import SinkError
from fapilog.sinks.http.answers import LOGIN_WAIT_SECONDS, LONGEST_WAIT_SECONDS, Answer, parse_retry_after

USUAL_LIMIT_BYTES = 4_000_000
_HTTP_LATER = frozenset({429, 502, 503, 504})
_HTTP_LOGIN = frozenset({401, 403, 407})
_HTTP_SPLIT = frozenset({400, 413, 422})
_CODE = grpc.StatusCode
_GRPC_LATER = frozenset({
    _CODE.CANCELLED, _CODE.DEADLINE_EXCEEDED, _CODE.ABORTED, _CODE.UNAVAILABLE, _CODE.OUT_OF_RANGE, _CODE.DATA_LOSS,
})  # fmt: skip
_GRPC_LOGIN = frozenset({_CODE.UNAUTHENTICATED, _CODE.PERMISSION_DENIED})
_GRPC_SPLIT = frozenset({_CODE.INVALID_ARGUMENT, _CODE.RESOURCE_EXHAUSTED})
_DETAILS = "grpc-status-details-bin"
_RETRY_INFO = "google.rpc.retryinfo-bin"
_SHOWN = 200
_SHORTEST_SECRET = 6
_NANOSECONDS = 1e9


class Partial(NamedTuple):
    """What a receiver said about a request that it took.

    Attributes:
        rejected: How many records it did not keep; it does not say which.
        message: Why, or a warning; on one line.
    """

    rejected: int
    message: str


class Secrets:
    """Hides what a request held: some receivers echo it."""

    def __init__(self, values: Iterable[str]) -> None:
        """Hold the values, the longest first; what is short would hide nothing but words."""
        words = {part for value in values for part in (value, value.rpartition(" ")[2])}
        self._values = sorted((word for word in words if len(word) >= _SHORTEST_SECRET), key=len, reverse=True)

    def hidden(self, text: str) -> str:
        """Return at most 200 characters of a text, on one line, without them."""
        for value in self._values:
            text = text.replace(value, "***")
        return one_line(text[:_SHOWN])


def partial_of(response: ExportLogsServiceResponse, count: int, secrets: Secrets) -> Partial:
    """Return what a response says beside "taken"."""
    part = response.partial_success
    return Partial(min(max(part.rejected_log_records, 0), count), secrets.hidden(part.error_message))


def read_response(content: bytes) -> ExportLogsServiceResponse | None:
    """Return the response in a body, or None if it is none: the request is taken all the same."""
    try:
        return ExportLogsServiceResponse.FromString(content)
    except DecodeError:
        return None


def http_refusal(answer: Answer, shown: str, now: float, count: int, secrets: Secrets) -> SinkError:
    """Return the error for an answer that is not 2xx.

    Args:
        answer: The answer.
        shown: Who answered.
        now: The wall clock, seconds since the epoch; for a ``Retry-After`` that is a date.
        count: How many events were in the request.
        secrets: What may not be shown.
    """
    status = answer.status
    wait = parse_retry_after(answer.headers.get("retry-after"), now)
    said = secrets.hidden(answer.text)
    text = f"{shown} answered {status}{f': {said}' if said else ''}"
    if status in _HTTP_LATER:
        return SinkError(text, retryable=True, retry_after=wait)
    if status in _HTTP_LOGIN:
        return _login(f"{shown} refused the credentials ({status})", wait)
    if status in _HTTP_SPLIT:
        return SinkError(text)
    if 300 <= status < 400:  # noqa: PLR2004
        text = f"{shown} answered with a redirect ({status}), which is not followed; the endpoint must be the final one"
    return SinkError(text, failed_indexes=range(count))


def grpc_refusal(call: Any, shown: str, count: int, size_bytes: int, secrets: Secrets) -> SinkError:
    """Return the error for a call that did not end with OK.

    Args:
        call: The call: its code, details and trailing metadata.
        shown: Who was called.
        count: How many events were in the request.
        size_bytes: How large the request was.
        secrets: What may not be shown.
    """
    code = call.code()
    said = secrets.hidden(call.details() or "")
    text = f"{shown} answered {code.name}{f': {said}' if said else ''}"
    wait = _retry_info(call.trailing_metadata() or ())
    too_large = code is _CODE.OUT_OF_RANGE and size_bytes > USUAL_LIMIT_BYTES
    if code is _CODE.UNAVAILABLE and "certificate" in said.lower():
        return SinkError(text, retryable=True, retry_after=LOGIN_WAIT_SECONDS)
    if (code in _GRPC_LATER and not too_large) or (code is _CODE.RESOURCE_EXHAUSTED and wait is not None):
        return SinkError(text, retryable=True, retry_after=wait)
    if code in _GRPC_LOGIN:
        return _login(f"{shown} refused the credentials ({code.name})", wait)
    if code in _GRPC_SPLIT or too_large:
        return SinkError(text)
    return SinkError(text, failed_indexes=range(count))


def _login(text: str, wait: float | None) -> SinkError:
    text = f"{text}; events wait until they are put right"
    return SinkError(text, retryable=True, retry_after=LOGIN_WAIT_SECONDS if wait is None else wait)


def _retry_info(metadata: Iterable[tuple[str, str | bytes]]) -> float | None:
    """Return how many seconds a ``RetryInfo`` asks to wait, from 0 to 300.

    It stands in a ``Status`` under ``grpc-status-details-bin``, the way gRPC's richer error model sends it, or, as
    OpenTelemetry's Python exporter expects it, by itself.
    """
    info = RetryInfo()
    found = False
    for key, value in metadata:
        if not isinstance(value, bytes):
            continue
        try:
            if key == _RETRY_INFO:
                info.ParseFromString(value)
                found = True
            elif key == _DETAILS:
                found = any(detail.Unpack(info) for detail in Status.FromString(value).details) or found
        except DecodeError:
            continue
    seconds = float(info.retry_delay.seconds + info.retry_delay.nanos / _NANOSECONDS)
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS) if found else None
