"""The matrix: whoever opens the server span, every event of a request points at it, and everything is told once.

Six ways to have (or not to have) server spans, by seven kinds of requests, on real FastAPI with its lifespan.
"""

from typing import Any, NamedTuple

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from tests.otel.matrix_app import CASES, FAILING_BACKGROUND, LOGGER, Case, Watch, ask, messages_of, running
from tests.otel.matrix_setups import SETUPS, Setup
from tests.otel.signals import Signals, span_id, trace_id

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.usefixtures("contrib"),
    pytest.mark.requires_service("contrib's instrumentation", module="opentelemetry.instrumentation.fastapi"),
]
CALLER_TRACE, CALLER_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = [(b"traceparent", f"00-{CALLER_TRACE}-{CALLER_SPAN}-01".encode())]
TRACED = [name for name, setup in SETUPS.items() if setup.spans]


class Outcome(NamedTuple):
    """What one request has left behind."""

    case: Case
    setup: Setup
    events: list[dict[str, Any]]
    signals: Signals
    watch: Watch
    raised: BaseException | None

    @property
    def server(self) -> ReadableSpan:
        """The one server span."""
        (span,) = self.signals.server_spans
        return span

    def event(self, message: str) -> dict[str, Any]:
        """The one event of a message."""
        (event,) = [event for event in self.events if event["message"] == message]
        return event


async def serve(
    signals: Signals, name: str, case: Case, *, installed: str = "lifespan", headers: Any = CALLER
) -> Outcome:
    """Start the application, send one request, stop it."""
    setup = SETUPS[name]
    served = setup.build(signals, installed)
    watch = Watch(*messages_of(case), shown=lambda: len(signals.server_spans))
    served.app.state.watch = watch
    async with running(served.entry):
        raised = await ask(served.entry, case, watch, headers)
    events = [event for event in served.sink.events if event["logger"] in {LOGGER, "fapilog.request"}]
    return Outcome(case, setup, events, signals, watch, raised)


def check_told_once(outcome: Outcome) -> None:
    """Every event is there, the completion event has its route, and the exception is told once in the log."""
    case = outcome.case
    assert {event["message"] for event in outcome.events} == case.logged
    assert len(outcome.events) == len(case.logged)
    assert outcome.event(case.completion)["http_route"] == case.route
    failures = [event["message"] for event in outcome.events if "exception" in event]
    assert failures == ([case.completion] if case.error else [])
    assert (type(outcome.raised).__name__ if outcome.raised else None) == case.error
    if case.status is not None:
        assert outcome.watch.sent[0]["status"] == case.status


def check_server_span(outcome: Outcome) -> None:
    """One server span, with the caller as its parent, the route, the status, the request's id and its log counts."""
    span, case, owner = outcome.server, outcome.case, outcome.setup.owner
    assert trace_id(span) == CALLER_TRACE
    assert span.parent is not None
    assert (f"{span.parent.span_id:016x}", span.parent.is_remote) == (CALLER_SPAN, True)
    assert span.attributes is not None
    assert span.attributes["http.route"] == case.route
    # A handshake is a GET; the others have words of their own for it.
    method = "GET" if case.status is not None else {"contrib": "HTTP", "fastapi": "WS", "ours": "GET"}[owner]
    assert span.name == f"{method} {case.route}"
    (answered,) = outcome.watch.headers(b"x-request-id")
    assert span.attributes["fapilog.request_id"] == answered.decode()
    assert {event["request_id"] for event in outcome.events} == {answered.decode()}
    assert span.attributes["fapilog.log.count.info"] == case.infos
    assert span.attributes.get("fapilog.log.count.warning", 0) == case.warnings


def check_status(outcome: Outcome) -> None:
    """The status is that of the HTTP conventions: a 4xx is no error of the server's. Contrib's are former ones."""
    contrib = outcome.setup.owner == "contrib"
    span, case = outcome.server, outcome.case
    assert span.attributes is not None
    if case.status is not None:
        code = "http.status_code" if contrib else "http.response.status_code"
        assert span.attributes[code] == case.status
    is_error = case.status == 500
    assert span.status.status_code is (StatusCode.ERROR if is_error else StatusCode.UNSET)
    if not contrib:
        assert span.attributes.get("error.type") == (case.error if is_error else None)


def check_ids(outcome: Outcome) -> None:
    """Every event carries the trace id, and the id of the span it was logged in."""
    spans = {span_id(span): span for span in outcome.signals.spans if trace_id(span) == CALLER_TRACE}
    assert {event.get("trace_id") for event in outcome.events} == {CALLER_TRACE}
    assert {event.get("span_id") for event in outcome.events} <= spans.keys()
    assert spans[outcome.event("inside")["span_id"]].name == "work"
    server = span_id(outcome.server)
    assert outcome.event(outcome.case.completion)["span_id"] == server
    if outcome.setup.owner == "ours":
        assert {event["span_id"] for event in outcome.events if event["message"] != "inside"} == {server}


def check_end(outcome: Outcome) -> None:
    """The span has ended with the last body byte: not before, and it does not wait for what comes after."""
    seen = outcome.watch.seen
    assert {seen[message] for message in outcome.case.before if message in seen} <= {0}
    assert {seen[message] for message in outcome.case.after} <= {1}


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("name", SETUPS)
async def test_one_server_span_right_ids_on_every_event_one_exception_record_and_the_right_route(signals, name, kind):
    """Whoever opens the span: one of it, every event points at it, an exception is told once, the route is right."""
    outcome = await serve(signals, name, CASES[kind])

    check_told_once(outcome)
    assert len(signals.server_spans) == outcome.setup.spans
    if not outcome.setup.spans:
        assert signals.exceptions == []
        return
    check_server_span(outcome)
    check_status(outcome)
    check_ids(outcome)
    check_end(outcome)
    assert signals.exceptions == ([outcome.case.error] if outcome.case.error else [])


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("name", ["no SDK", "SDK only"])
async def test_without_a_server_span_events_have_the_ids_of_the_caller(signals, name, kind):
    """The ids come from ``traceparent``; within a span of the user's own, they are that span's."""
    outcome = await serve(signals, name, CASES[kind])

    own = [span for span in signals.spans if span.name == "work"]
    ids = {(event["trace_id"], event["span_id"]) for event in outcome.events if event["message"] != "inside"}
    assert ids == {(CALLER_TRACE, CALLER_SPAN)}
    inside = outcome.event("inside")
    expected = [(trace_id(span), span_id(span)) for span in own] or [(CALLER_TRACE, CALLER_SPAN)]
    assert [(inside["trace_id"], inside["span_id"])] == expected
    assert len(own) == (name == "SDK only")


@pytest.mark.parametrize("kind", CASES)
async def test_without_sdk_and_without_header_there_are_no_trace_ids(signals, kind):
    """Nothing is made up: without a span and without ``traceparent`` there is no trace id."""
    outcome = await serve(signals, "no SDK", CASES[kind], headers=())

    assert type(trace.get_tracer_provider()).__name__ == "ProxyTracerProvider"
    assert [event for event in outcome.events if {"trace_id", "span_id", "trace_flags"} & event.keys()] == []


@pytest.mark.parametrize("name", SETUPS)
async def test_a_background_task_that_fails_is_told_once_and_leaves_the_span_of_the_answer_alone(signals, name):
    """The answer was a 200 and its span has ended: the failure is in the log, at most once in the SDK's signals."""
    outcome = await serve(signals, name, FAILING_BACKGROUND)

    check_told_once(outcome)
    assert len(signals.server_spans) == outcome.setup.spans
    if outcome.setup.spans:
        check_ids(outcome)
        check_end(outcome)
        assert outcome.server.status.status_code is StatusCode.UNSET
        assert signals.exceptions == ([] if outcome.setup.owner == "ours" else ["KeyError"])


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("installed", ["wrapped", "added"])
@pytest.mark.parametrize("name", TRACED)
async def test_it_does_not_matter_how_the_middleware_was_put_in(signals, name, installed, kind):
    """Around the application or among its middleware: still one span, its ids on every event, one exception record."""
    outcome = await serve(signals, name, CASES[kind], installed=installed)

    check_told_once(outcome)
    assert len(signals.server_spans) == 1
    check_ids(outcome)
    assert signals.exceptions == ([outcome.case.error] if outcome.case.error else [])
