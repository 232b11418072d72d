"""Beside the matrix: requests that end in odd ways, many at a time, and applications within applications."""

import asyncio
import functools
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi import FastAPI
from opentelemetry.trace import StatusCode
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Mount

from fapilog.fastapi import FastAPIBuilder
from fapilog.sinks.memory import MemorySink
from fapilog.starlette import StarletteBuilder
from tests.asgi.driver import Server, http_scope, websocket_scope
from tests.otel.matrix_app import CASES, LOGGER, Case, Watch, application, ask, running, shop
from tests.otel.matrix_setups import INSTALLED, NO_TELEMETRY, SETUPS
from tests.otel.odd_app import ODD, add_odd
from tests.otel.signals import span_id, trace_id
from tests.otel.test_matrix import CALLER, CALLER_TRACE, TRACED

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.usefixtures("contrib"),
    pytest.mark.requires_service("contrib's instrumentation", module="opentelemetry.instrumentation.fastapi"),
]
ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("installed", INSTALLED)
@pytest.mark.parametrize("name", TRACED)
async def test_however_a_request_ends_its_span_says_the_same_and_an_exception_is_there_once(
    signals, name, installed, kind
):
    """Request id, log counts and ``error.type`` do not depend on who opened the span, nor does one exception record."""
    odd, setup = ODD[kind], SETUPS[name]
    served = setup.build(signals, installed)
    add_odd(served.app, signals.tracers.get_tracer("shop"))
    server = Server(*([{"type": "websocket.connect"}] if odd.is_socket else []))

    async with running(served.entry):
        make = websocket_scope if odd.is_socket else http_scope
        await asyncio.gather(server.run(served.entry, make(odd.path, headers=CALLER)), return_exceptions=True)

    events = [event for event in served.sink.events if event["logger"] in {LOGGER, "fapilog.request"}]
    (span,) = signals.server_spans
    assert tuple(event["message"] for event in events) == odd.events
    assert {event["trace_id"] for event in events} == {CALLER_TRACE}
    assert events[-1]["span_id"] == span_id(span)
    assert span.attributes["fapilog.request_id"] == events[0]["request_id"]
    contrib = setup.owner == "contrib"
    counts = {key[18:]: count for key, count in span.attributes.items() if key.startswith("fapilog.log.count.")}
    is_inside = installed == "wrapped" or (contrib and installed == "lifespan")
    if setup.owner == "ours" or not (is_inside and odd.is_cut_off):
        # Else the span has ended before we hear that the application has raised.
        assert counts == odd.counts
    # Contrib's own doing: the same without fapilog.
    assert len(signals.exceptions) == (odd.records + odd.is_cut_off if contrib else odd.records)
    if not contrib:
        assert span.attributes.get("error.type") == odd.error
    assert span.status.status_code is (StatusCode.ERROR if odd.error else StatusCode.UNSET)


@pytest.mark.parametrize("name", TRACED)
async def test_requests_at_the_same_time_keep_their_ids_apart(signals, name):
    """Twenty at a time, each with a trace of its own: no event has the ids of another's."""
    served = SETUPS[name].build(signals, "lifespan")
    kinds = ["ok", "streaming", "background task", "sync endpoint"] * 5
    callers = [f"{number:032x}" for number in range(1, 21)]
    async with running(served.entry):
        await asyncio.gather(*(
            ask(served.entry, CASES[kind], Watch(), [(b"traceparent", f"00-{caller}-{'1' * 16}-01".encode())])
            for kind, caller in zip(kinds, callers, strict=True)
        ))  # fmt: skip

    events = [event for event in served.sink.events if event["logger"] in {LOGGER, "fapilog.request"}]
    ids = {(event["trace_id"], event["request_id"]) for event in events}
    told = {(trace_id(span), span.attributes["fapilog.request_id"]) for span in signals.server_spans}
    assert ids == told
    assert sorted(trace for trace, _ in ids) == callers


@pytest.mark.parametrize("name", TRACED)
async def test_middleware_that_makes_tasks_changes_nothing(signals, name):
    """Starlette's ``BaseHTTPMiddleware`` runs the application in another task: still the ids of the one span."""
    served = SETUPS[name].build(signals, "lifespan")

    async def dispatch(request, call_next):
        shop.info("middleware")
        return await call_next(request)

    served.app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    async with running(served.entry):
        await ask(served.entry, CASES["ok"], Watch(), CALLER)

    (span,) = signals.server_spans
    events = [event for event in served.sink.events if event["logger"] in {LOGGER, "fapilog.request"}]
    assert {event["trace_id"] for event in events} == {CALLER_TRACE}
    assert span.attributes["fapilog.log.count.info"] == CASES["ok"].infos + 1


@pytest.mark.parametrize("telemetry", [None, NO_TELEMETRY])
async def test_an_application_within_an_application_has_no_span_of_its_own(signals, telemetry):
    """A mounted FastAPI, whatever of its own telemetry is on: one server span, with the whole template."""
    given = {"tracer_provider": signals.tracers} if telemetry is None else telemetry
    sink = MemorySink()
    builder = FastAPIBuilder().add_sink(sink).with_tracing(tracer_provider=signals.tracers)
    app = FastAPI(lifespan=builder.build(), telemetry=given)
    app.mount("/api", application(signals.tracers.get_tracer("shop"), telemetry=given))
    async with running(app):
        await ask(app, Case("/api/items/{item}", 200, ()), Watch(), CALLER)

    (span,) = signals.server_spans
    assert span.name == "GET /api/items/{item}"
    assert span.attributes["http.route"] == "/api/items/{item}"
    assert {event["trace_id"] for event in sink.events if event["logger"] == LOGGER} == {CALLER_TRACE}


async def test_fastapi_within_a_starlette_application_has_no_span_of_its_own(signals):
    """Its telemetry is on, but it is not the one that answers the server: one span, one trace."""
    inner = application(signals.tracers.get_tracer("shop"), telemetry={"tracer_provider": signals.tracers})
    sink = MemorySink()
    builder = StarletteBuilder().add_sink(sink).with_tracing(tracer_provider=signals.tracers)
    app = Starlette(routes=[Mount("/api", inner)], lifespan=builder.build())
    async with running(app):
        await ask(app, Case("/api/items/{item}", 200, ()), Watch())

    (span,) = signals.server_spans
    assert {event["trace_id"] for event in sink.events if event["logger"] == LOGGER} == {trace_id(span)}


@pytest.mark.parametrize("name", TRACED)
async def test_the_second_lifespan_is_like_the_first(signals, name):
    """Started again, an application has one span a request still."""
    served = SETUPS[name].build(signals, "lifespan")
    for _ in range(2):
        async with running(served.entry):
            await ask(served.entry, CASES["ok"], Watch(), CALLER)

    assert len(signals.server_spans) == 2
    ids = {span_id(span) for span in signals.server_spans}
    assert {event["span_id"] for event in served.sink.events if event["message"] == "request_completed"} == ids


_GLOBAL = """
import asyncio, sys
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from tests.otel.matrix_app import CASES, Watch, application, ask, running
from tests.otel.matrix_setups import NO_TELEMETRY
from tests.otel.signals import Signals, span_id
from fapilog.fastapi import FastAPIBuilder
from fapilog.sinks.memory import MemorySink
from fapilog.starlette import StarletteBuilder

who, signals, sink = sys.argv[1], Signals(), MemorySink()
if sys.argv[2] == "first":
    trace.set_tracer_provider(signals.tracers)
lifespan = FastAPIBuilder().add_sink(sink).with_tracing().build()
app = application(trace.get_tracer("shop"), lifespan=lifespan, telemetry=NO_TELEMETRY if who == "ours" else None)
if who == "contrib":
    FastAPIInstrumentor.instrument_app(app)
trace.set_tracer_provider(signals.tracers) if sys.argv[2] == "late" else None

async def serve():
    async with running(app):
        await ask(app, CASES["ok"], Watch())

asyncio.run(serve())
(span,) = signals.server_spans
(event,) = [event for event in sink.events if event["message"] == "request_completed"]
assert event["span_id"] == span_id(span), event
assert span.attributes["fapilog.log.count.info"] == 4, span.attributes
print(span.instrumentation_scope.name)
"""


@pytest.mark.parametrize("when", ["first", "late"])
@pytest.mark.parametrize(
    ("who", "scope"),
    [("ours", "fapilog"), ("fastapi", "fastapi"), ("contrib", "opentelemetry.instrumentation.fastapi")],
)
async def test_with_a_global_provider_there_is_one_span_too(who, scope, when):
    """What most applications have: no provider by parameter, and a global one set before or after the application."""
    command = [sys.executable, "-W", "error", "-c", _GLOBAL, who, when]
    run = functools.partial(subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    done = await asyncio.to_thread(run)
    assert (done.returncode, done.stdout.strip()) == (0, scope), done.stderr
