"""Spans through the SDK of OpenTelemetry, if the environment says where to: the shop runs the same without it."""

import os
from typing import Protocol

from opentelemetry import trace

SERVICE = {"service.name": "shop", "service.version": "1.0", "deployment.environment.name": "demo"}
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


class Tracing(Protocol):
    """What the shop does with the SDK's tracer provider: end it."""

    def shutdown(self) -> None:
        """Hand on the spans that are still here."""


def exports() -> bool:
    """Tell whether ``OTEL_EXPORTER_OTLP_ENDPOINT`` names a collector."""
    return bool(os.environ.get(ENDPOINT))


def start_tracing(*, kept: bool) -> Tracing | None:
    """Make the process's tracer provider, which exports spans over OTLP if a collector is named; None for no spans.

    ``kept`` asks for spans without a collector, too: the console keeps the last ones.
    """
    if not (exports() or kept):
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - optional
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    # The shop ends it itself: a server that was stopped by a signal does not run what is registered for the exit.
    provider = TracerProvider(resource=Resource.create(SERVICE), shutdown_on_exit=False)
    if exports():
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider
