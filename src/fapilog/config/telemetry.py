"""The builders' methods that say how logs, spans and metrics point at each other."""

from collections.abc import Sequence
from typing import Any, Self

from fapilog.config.base import Filling


class TelemetryMethods(Filling):
    """Spans and metrics; what each publishes is in ``docs/otel.md`` and ``docs/metrics.md``."""

    def with_tracing(
        self,
        *,
        links: bool | None = None,
        baggage: Sequence[str] | None = None,
        skip_paths: Sequence[str] | None = None,
        tracer_provider: Any = None,
    ) -> Self:
        """Give each request one server span, and put its id, its log counts and its errors on it.

        Args:
            links: Also open a span around each delivery of a batch to an asynchronous sink, linked to the spans whose
                events it ships. Default False.
            baggage: Keys of the W3C baggage of a request to bind to its events. Default none.
            skip_paths: Paths whose requests get no span of ours, exact or with ``*`` at the end. Default none.
            tracer_provider: Default the global one.
        """
        if tracer_provider is not None:
            self._set(tracer_provider=tracer_provider)
        return self._part("tracing", links=links, baggage=baggage, skip_paths=skip_paths)

    def with_metrics(
        self, *, otel: bool | None = None, prometheus: bool | None = None, meter_provider: Any = None
    ) -> Self:
        """Publish what the engine counts, and how long requests take.

        Args:
            otel: Through OpenTelemetry's instruments. Default True.
            prometheus: Through ``prometheus_client``'s default registry. Default False.
            meter_provider: Default the global one.
        """
        if meter_provider is not None:
            self._set(meter_provider=meter_provider)
        return self._part("metrics", otel=otel, prometheus=prometheus)
