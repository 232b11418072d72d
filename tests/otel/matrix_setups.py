"""Who opens the server span: the columns of the matrix, each a way to put the application together."""

from collections.abc import Callable
from typing import Any, NamedTuple

from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.trace import NoOpTracer, Tracer

from fapilog.asgi import FapilogMiddleware
from fapilog.fastapi import FastAPIBuilder
from fapilog.sinks.memory import MemorySink
from tests.otel.matrix_app import application
from tests.otel.signals import Signals

NO_TELEMETRY = {"tracing": False, "metrics": False, "logs": False}
INSTALLED = ("lifespan", "wrapped", "added")


class Served(NamedTuple):
    """An application that is ready to be started, what the server calls, and where its events go."""

    app: FastAPI
    entry: Any
    sink: MemorySink


class Setup(NamedTuple):
    """A column.

    Attributes:
        build: Makes it, installed in one of the ways of ``INSTALLED``.
        spans: How many server spans a request has.
        owner: Who opens it.
    """

    build: Callable[[Signals, str], Served]
    spans: int = 1
    owner: str = ""


def _no_sdk(signals: Signals, installed: str) -> Served:
    return _served(_tracing(None), installed, NoOpTracer(), telemetry=None)


def _sdk_only(signals: Signals, installed: str) -> Served:
    return _served(lambda builder: builder, installed, signals.tracers.get_tracer("shop"), telemetry=NO_TELEMETRY)


def _fastapi(signals: Signals, installed: str) -> Served:
    telemetry = {
        "tracer_provider": signals.tracers,
        "meter_provider": signals.meters,
        "logger_provider": signals.loggers,
    }
    return _served(_tracing(signals), installed, signals.tracers.get_tracer("shop"), telemetry=telemetry)


def _ours(signals: Signals, installed: str) -> Served:
    return _served(_tracing(signals), installed, signals.tracers.get_tracer("shop"), telemetry=NO_TELEMETRY)


def _contrib_before(signals: Signals, installed: str) -> Served:
    """FastAPI's own telemetry is left as it is: it steps back by itself."""
    app = application(signals.tracers.get_tracer("shop"), telemetry={"tracer_provider": signals.tracers})
    _instrument(app, signals)
    sink = MemorySink()
    builder = _tracing(signals)(_builder(sink))
    if installed == "lifespan":
        app.router.lifespan_context = builder.build()
        return Served(app, app, sink)
    return Served(app, _put_in(app, builder, installed), sink)


def _contrib_after(signals: Signals, installed: str) -> Served:
    """The same; instrumented when ours has been put in, but before the start."""
    telemetry = {"tracer_provider": signals.tracers}
    served = _served(_tracing(signals), installed, signals.tracers.get_tracer("shop"), telemetry=telemetry)
    _instrument(served.app, signals)
    return served


def _instrument(app: FastAPI, signals: Signals) -> None:
    FastAPIInstrumentor.instrument_app(app, tracer_provider=signals.tracers, meter_provider=signals.meters)


def _builder(sink: MemorySink) -> FastAPIBuilder:
    return FastAPIBuilder().with_level("DEBUG").add_sink(sink)


def _tracing(signals: Signals | None) -> Callable[[FastAPIBuilder], FastAPIBuilder]:
    return lambda builder: builder.with_tracing(tracer_provider=signals and signals.tracers)


def _served(
    traced: Callable[[FastAPIBuilder], FastAPIBuilder], installed: str, tracer: Tracer, **options: Any
) -> Served:
    sink = MemorySink()
    builder = traced(_builder(sink))
    if installed == "lifespan":
        app = application(tracer, lifespan=builder.build(), **options)
        return Served(app, app, sink)
    app = application(tracer, **options)
    return Served(app, _put_in(app, builder, installed), sink)


def _put_in(app: FastAPI, builder: FastAPIBuilder, installed: str) -> Any:
    if installed == "wrapped":
        return FapilogMiddleware(app, builder=builder)
    app.add_middleware(FapilogMiddleware, builder=builder)
    return app


SETUPS = {
    "no SDK": Setup(_no_sdk, 0),
    "SDK only": Setup(_sdk_only, 0),
    "FastAPI telemetry": Setup(_fastapi, owner="fastapi"),
    "contrib before": Setup(_contrib_before, owner="contrib"),
    "contrib after": Setup(_contrib_after, owner="contrib"),
    "ours": Setup(_ours, owner="ours"),
}
