"""Exceptions on spans: each one once, by the conventions in force, redacted."""

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from fapilog import LoggerBuilder, get_logger
from fapilog.asgi.each_request import RequestMiddleware
from fapilog.asgi.setup import with_telemetry
from tests.asgi.driver import Server, http_scope, reply

pytestmark = pytest.mark.asyncio


class OrderError(Exception):
    """One with a module."""


def recorded(traced):
    """Return span name and exception type of all exceptions on spans."""
    return [
        (span.name, event.attributes["exception.type"])
        for span in traced.signals.spans
        for event in span.events
        if event.name == "exception"
    ]


async def serve_failing(traced, app, error=Exception, **tracing):
    with pytest.raises(error):
        await traced.serve(app, **tracing)


async def test_what_the_application_raises_is_on_the_span_redacted(traced):
    """Type, message and stack trace; status ERROR and error.type beside them."""

    async def app(scope, receive, send):
        raise OrderError("no stock, password=hunter2")

    await serve_failing(traced, app, OrderError)

    (event,) = traced.span.events
    name = f"{__name__}.OrderError"
    assert (event.attributes["exception.type"], traced.attributes["error.type"]) == (name, name)
    assert event.attributes["exception.message"] == "no stock, password=***"
    assert "in app" in event.attributes["exception.stacktrace"]
    assert "hunter2" not in str(event.attributes)
    assert traced.span.status.status_code is StatusCode.ERROR
    assert traced.log.request["exception"]["type"] == name


async def test_one_that_a_span_inside_has_already_is_not_recorded_again(traced):
    """The SDK puts what goes through ``start_as_current_span`` on that span."""
    tracer = traced.signals.tracers.get_tracer("app")

    async def app(scope, receive, send):
        with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner", record_exception=False):
            raise OrderError("once")

    await serve_failing(traced, app)

    assert recorded(traced) == [("outer", f"{__name__}.OrderError")]
    assert traced.span.status.status_code is StatusCode.ERROR


async def test_logged_and_raised_it_is_there_once(traced):
    """Logged by two layers, raised through a span of the application's own."""
    log = get_logger("app")
    tracer = traced.signals.tracers.get_tracer("app")

    async def app(scope, receive, send):
        try:
            with tracer.start_as_current_span("inner"):
                try:
                    raise OrderError("x")
                except OrderError:
                    log.exception("in the repository")
                    raise
        except OrderError:
            log.exception("in the endpoint")
            raise

    await serve_failing(traced, app)

    assert recorded(traced) == [("inner", f"{__name__}.OrderError")]


async def test_a_handled_exception_that_is_logged_is_on_the_span_without_making_it_an_error(traced):
    """At ERROR and above, by any form of exc_info; below that it is a matter of the log."""
    log = get_logger("app")

    async def app(scope, receive, send):
        for level, error in (("ERROR", ValueError("a")), ("CRITICAL", KeyError("b")), ("WARNING", TypeError("c"))):
            try:
                raise error
            except Exception as raised:
                log.log(level, "handled", exc_info=raised)
        log.error("a triple", exc_info=(OSError, OSError("d"), None))
        log.error("none", exc_info=True)
        await reply(send)

    await traced.serve(app)

    assert [kind for _, kind in recorded(traced)] == ["ValueError", "KeyError", "OSError"]
    assert traced.span.status.status_code is StatusCode.UNSET
    times = [event.timestamp for event in traced.span.events]
    assert times == sorted(times)
    assert traced.span.start_time <= times[0] < traced.span.end_time


async def test_one_that_a_span_inside_has_cut_is_the_same(traced):
    """OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT cuts what the SDK records."""
    provider = TracerProvider(span_limits=SpanLimits(max_attribute_length=20), shutdown_on_exit=False)
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    options = LoggerBuilder().with_tracing(tracer_provider=provider).options()

    async def app(scope, receive, send):
        with provider.get_tracer("app").start_as_current_span("inner"):
            raise OrderError("words " * 20)

    with pytest.raises(OrderError):
        await Server().run(RequestMiddleware(with_telemetry(app, options), options.asgi), http_scope())

    assert [(span.name, len(span.events)) for span in exporter.get_finished_spans()] == [("inner", 1), ("GET", 0)]


async def test_two_with_the_same_words_are_one(traced):
    """That is how a span's exceptions are told apart."""
    log = get_logger("app")

    async def app(scope, receive, send):
        for _ in range(3):
            log.error("handled", exc_info=ValueError("same"))
        await reply(send)

    await traced.serve(app)

    assert len(recorded(traced)) == 1


async def test_at_most_eight_that_were_logged_are_kept(traced):
    """Their frames live as long as the request."""
    log = get_logger("app")

    async def app(scope, receive, send):
        for number in range(100):
            log.error("handled", exc_info=ValueError(number))
        await reply(send)

    await traced.serve(app)

    assert len(recorded(traced)) == 8
    assert traced.attributes["fapilog.log.count.error"] == 100


@pytest.mark.parametrize(("opt_in", "expected"), [("logs", 0), ("logs/dup", 1), ("", 1), ("other", 1)])
async def test_opted_for_logs_alone_there_are_none_on_spans(opt_in, expected, traced, monkeypatch):
    """OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN; status and error.type stay."""
    monkeypatch.setenv("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", opt_in)

    async def app(scope, receive, send):
        raise ValueError("x")

    await serve_failing(traced, app)

    assert len(recorded(traced)) == expected
    assert traced.attributes["error.type"] == "ValueError"
    assert "exception" in traced.log.request


@pytest.mark.parametrize("opt_in", ["http", "http/dup", "database/dup, http/dup", "", "database"])
async def test_former_names_are_written_where_both_are_asked_for(opt_in, traced, monkeypatch):
    """OTEL_SEMCONV_STABILITY_OPT_IN; the stable ones always."""
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", opt_in)

    async def app(scope, receive, send):
        await reply(send, 404)

    await traced.serve(app)

    former = {key: traced.attributes.get(key) for key in ("http.method", "http.status_code", "http.target")}
    both = {"http.method": "GET", "http.status_code": 404, "http.target": "/things/7?secret=***"}
    assert former == (both if "http/dup" in opt_in else dict.fromkeys(both))
    assert (traced.attributes["http.request.method"], traced.attributes["http.response.status_code"]) == ("GET", 404)


async def test_long_texts_are_cut_where_no_secret_is_halved(traced):
    """Of a message the beginning, of a stack trace the end."""
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"

    async def app(scope, receive, send):
        raise ValueError(f"{'a b ' * 490}{jwt}\n" + "line\n" * 5_000 + "the end")

    await serve_failing(traced, app, ValueError)

    (event,) = traced.span.events
    assert len(event.attributes["exception.message"]) <= 2_000
    assert len(event.attributes["exception.stacktrace"]) <= 10_000
    assert event.attributes["exception.stacktrace"].endswith("the end\n")
    assert "eyJ" not in str(event.attributes)


class MuteError(Exception):
    """One whose words raise."""

    def __str__(self):
        raise RuntimeError("no words")


async def test_an_exception_whose_words_raise_costs_nothing(traced):
    """P39: the span has it, and ends."""

    async def app(scope, receive, send):
        get_logger("app").error("handled", exc_info=MuteError())
        await reply(send)

    server = await traced.serve(app)

    assert server.body == b"hello"
    assert recorded(traced) == [("GET", f"{__name__}.MuteError")]


async def test_one_whose_words_raise_leaves_no_span_behind(traced):
    """P39: raised by the application."""

    async def app(scope, receive, send):
        raise MuteError

    await serve_failing(traced, app, MuteError)

    assert recorded(traced) == [("GET", f"{__name__}.MuteError")]
    assert not trace.get_current_span().get_span_context().is_valid


async def test_a_span_that_raises_is_ended_and_left(traced, monkeypatch):
    """A vendor's may."""

    def fail(*args, **kwargs):
        raise RuntimeError("vendor")

    monkeypatch.setattr("opentelemetry.sdk.trace.Span.set_attributes", fail)

    async def app(scope, receive, send):
        await reply(send)

    server = await traced.serve(app)

    assert server.body == b"hello"
    assert len(traced.signals.server_spans) == 1
    assert not trace.get_current_span().get_span_context().is_valid
