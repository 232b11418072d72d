"""``http.server.request.duration``: how long requests take until the last body byte, by method, route and status.

https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#metric-httpserverrequestduration. Recorded once: not
where FastAPI's own telemetry or contrib's middleware records it.
"""

from time import perf_counter, time_ns
from typing import Any

from opentelemetry import trace

from fapilog.asgi.tracing.others import fastapi_measures
from fapilog.asgi.tracing.request import TracedRequest
from fapilog.metrics.catalogue import HTTP_LABELS
from fapilog.metrics.http import HttpDurations
from fapilog.metrics.points import Exemplar
from fapilog.otel.meters import HttpRecorder

_VERSIONS = frozenset(("1.0", "1.1", "2", "3"))


class Durations:
    """Takes the duration of each request to whoever publishes it. Thread-safe.

    Args:
        counted: Counts for Prometheus.
        recorder: Records with OpenTelemetry; None: nobody asks.
    """

    def __init__(self, counted: HttpDurations, recorder: HttpRecorder | None) -> None:
        """Hold them."""
        self._counted = counted
        self._recorder = recorder

    def record(self, request: TracedRequest) -> None:
        """Record a request that is over."""
        if request.measured or fastapi_measures(request.scope.get("app")):
            return
        seconds = (request.ended or perf_counter()) - request.started
        labels = _labels(request)
        span = request.span
        ids = None if span is None else span.get_span_context()
        exemplar = None
        if ids is not None and ids.trace_flags.sampled:
            exemplar = Exemplar(seconds, f"{ids.trace_id:032x}", f"{ids.span_id:016x}", time_ns())
        self._counted.record(tuple(map(str, labels)), seconds, exemplar)
        if self._recorder is not None:
            attributes = {name: value for name, value in zip(HTTP_LABELS, labels, strict=True) if value != ""}
            within = None if span is None else trace.set_span_in_context(span)
            self._recorder.record(seconds, attributes, within)


def _labels(request: TracedRequest) -> tuple[str | int, ...]:
    """Return the values of ``HTTP_LABELS``; what a request does not have is empty. None of them is the client's."""
    scope: Any = request.scope
    scheme, version = scope.get("scheme", "http"), scope.get("http_version")
    return (
        request.method,
        scheme if scheme in ("http", "https") else "_OTHER",
        request.route or "",
        "" if request.status is None else request.status,
        request.error_type or "",
        # Some servers pass on any digits that a client writes.
        version if version in _VERSIONS else "",
    )
