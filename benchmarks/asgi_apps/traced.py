"""The same FastAPI endpoint with a server span for each request, opened by one or another, and without.

Every span goes to an SDK's ``BatchSpanProcessor`` whose exporter throws it away; every application has a provider of
its own, so that nothing is global and all of them fit into one process.
"""

from collections.abc import Callable, Sized
from typing import Any, NamedTuple

from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import fapilog
from benchmarks.asgi_apps import order
from benchmarks.harness import LOGGER_NAME, MESSAGE
from fapilog.fastapi import FastAPIBuilder

SETUP = {
    "bare": "FastAPI, no logging, no spans",
    "contrib": "opentelemetry-instrumentation-fastapi as it comes: a server span, and one for each message",
    "contrib_lean": 'the same with exclude_spans=["receive", "send"]: the server span alone',
    "fastapi": "FastAPI's own telemetry: a server span, one for the dependencies, the endpoint and the serialisation",
    "logged": "FastAPIBuilder into a sink that does nothing; the endpoint logs one event",
    "traced": "the same with with_tracing(): a server span, with request id and log counts",
}


class Traced(NamedTuple):
    """An application, and what belongs to it.

    Attributes:
        app: The application.
        provider: Where its spans go; None if it has none.
        exporter: Counts them.
        sink: Counts its events; None if it has none.
    """

    app: FastAPI
    provider: TracerProvider | None = None
    exporter: "Discard | None" = None
    sink: "Nowhere | None" = None


class Discard(SpanExporter):
    """Throws spans away, and counts the server spans among them."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.spans = 0
        self.server_spans = 0

    def export(self, spans: Any) -> SpanExportResult:
        """Count."""
        self.spans += len(spans)
        self.server_spans += sum(span.kind.name == "SERVER" for span in spans)
        return SpanExportResult.SUCCESS


class Nowhere:
    """A sink that throws events away, and counts them."""

    name = "nowhere"

    def __init__(self) -> None:
        """Start at nothing."""
        self.events = 0

    async def open(self) -> None:
        """Do nothing."""

    def write(self, batch: Sized) -> None:
        """Count."""
        self.events += len(batch)

    async def close(self) -> None:
        """Do nothing."""


def builds() -> dict[str, Callable[[], Traced]]:
    """Return how each is made, by its name in ``SETUP``."""
    return {
        "bare": lambda: Traced(_application()),
        "contrib": _contrib,
        "contrib_lean": lambda: _contrib(exclude_spans=["receive", "send"]),
        "fastapi": _fastapi,
        "logged": lambda: _logged(traced=False),
        "traced": lambda: _logged(traced=True),
    }


def _contrib(**options: Any) -> Traced:
    provider, exporter = _provider()
    app = _application()
    FastAPIInstrumentor.instrument_app(app, tracer_provider=provider, **options)
    return Traced(app, provider, exporter)


def _fastapi() -> Traced:
    provider, exporter = _provider()
    return Traced(_application(telemetry={"tracer_provider": provider}), provider, exporter)


def _logged(*, traced: bool) -> Traced:
    provider, exporter = _provider()
    sink = Nowhere()
    builder = FastAPIBuilder().add_sink(sink)
    if traced:
        builder.with_tracing(tracer_provider=provider)
    logger = fapilog.get_logger(LOGGER_NAME)

    def log(order_id: int) -> None:
        logger.info(MESSAGE, seq=order_id, path="/orders", status=200, duration_ms=1.5)

    return Traced(_application(log, lifespan=builder.build()), provider, exporter, sink)


def _provider() -> tuple[TracerProvider, Discard]:
    exporter = Discard()
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider, exporter


def _application(log: Callable[[int], None] | None = None, **options: Any) -> FastAPI:
    app = FastAPI(**options)
    if log is None:

        @app.get("/orders/{order_id}")
        async def show(order_id: int) -> dict[str, object]:
            return order(order_id)
    else:

        @app.get("/orders/{order_id}")
        async def show_and_log(order_id: int) -> dict[str, object]:
            log(order_id)
            return order(order_id)

    return app
