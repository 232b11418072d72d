"""Linked work: a trace of its own, that its span and its events point back from."""

import asyncio
import functools
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage
from opentelemetry.context import attach, detach
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NoOpTracerProvider, SpanKind, StatusCode, get_current_span

from fapilog import bind_context, carry_context, get_logger, span_link
from fapilog.context import RequestContext, Scope, SpanNotes, current, note_for, reset
from fapilog.otel.semconv import EXCEPTION_OPT_IN
from fapilog.testing import CapturedLogs, capture_logs
from tests.otel.signals import Signals, span_id, trace_id

IDS = {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7", "trace_flags": "01"}
logger = get_logger("shop")


@pytest.fixture
def logs() -> Iterator[CapturedLogs]:
    with capture_logs() as captured:
        yield captured


@contextmanager
def request(**ids: str) -> Iterator[RequestContext]:
    """Be in a request."""
    context = RequestContext({"request_id": "r1", **ids})
    token = current.set(Scope({}, context))
    try:
        yield context
    finally:
        reset(current, token)


@contextmanager
def active(signals: Signals, name: str = "request") -> Iterator[Any]:
    with signals.tracers.get_tracer("shop").start_as_current_span(name) as span:
        yield span


@pytest.fixture
def as_global(signals: Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the SDK's provider the one that linked work takes if it is given none."""
    monkeypatch.setattr("fapilog.otel.links.get_tracer_provider", lambda: signals.tracers)


def named(signals: Signals, name: str) -> ReadableSpan:
    [span] = [it for it in signals.spans if it.name == name]
    return span


def target(span: ReadableSpan) -> tuple[str, str]:
    [link] = span.links
    return f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}"


def ids(event: dict[str, Any]) -> tuple[Any, Any]:
    return event.get("trace_id"), event.get("span_id")


def linked(event: dict[str, Any]) -> tuple[Any, Any]:
    return event.get("linked_trace_id"), event.get("linked_span_id")


def test_a_block_is_a_trace_of_its_own_that_points_back(signals: Signals, logs: CapturedLogs) -> None:
    """Its events have both ids; before and after it they are as ever."""
    with active(signals):
        logger.info("before")
        with span_link("mail", attributes={"job": 7}, tracer_provider=signals.tracers) as span:
            assert get_current_span() is span
            logger.info("within")
        logger.info("after")

    outer, job = named(signals, "request"), named(signals, "mail")
    before, within, after = logs.events
    assert (job.parent, job.kind, dict(job.attributes or {})) == (None, SpanKind.INTERNAL, {"job": 7})
    assert job.context.trace_id != outer.context.trace_id
    assert target(job) == (trace_id(outer), span_id(outer)) == linked(within) == ids(before) == ids(after)
    assert ids(within) == (trace_id(job), span_id(job))
    assert linked(before) == linked(after) == (None, None)
    assert job.status.status_code is StatusCode.UNSET


def test_without_a_span_it_points_at_the_traceparent(signals: Signals, logs: CapturedLogs) -> None:
    """And the new ids win over those that the request's events have; the request's id stays, and what was bound."""
    with request(**IDS) as shared:
        bind_context(user=1)
        with span_link("mail", tracer_provider=signals.tracers):
            logger.info("within")
        logger.info("after")

    job = named(signals, "mail")
    within, after = logs.events
    assert target(job) == linked(within) == ids(after) == (IDS["trace_id"], IDS["span_id"])
    assert job.links[0].context.is_remote
    assert job.links[0].context.trace_flags == 1
    assert ids(within) == (trace_id(job), span_id(job))
    assert (within["request_id"], within["user"]) == ("r1", 1)
    assert "linked_trace_id" not in shared.noted | shared.shared


def test_what_was_caused_by_nothing_points_at_nothing(signals: Signals, logs: CapturedLogs) -> None:
    """It is a new trace, and no field says that it is linked."""
    with span_link("cron", tracer_provider=signals.tracers):
        logger.info("within")

    job = named(signals, "cron")
    assert job.links == ()
    assert job.parent is None
    assert ids(logs.events[0]) == (trace_id(job), span_id(job))
    assert "linked_trace_id" not in logs.events[0]
    assert "linked_span_id" not in logs.events[0]


@pytest.mark.parametrize(
    ("flags", "provider"),
    [("01", NoOpTracerProvider()), ("00", None), ("03", SimpleNamespace(get_tracer=print))],
    ids=["none", "proxy", "broken"],
)
def test_without_an_sdk_the_events_have_both_ids_all_the_same(logs: CapturedLogs, flags: str, provider: Any) -> None:
    """They are random, and sampled if what caused them is."""
    found = set()
    with request(**{**IDS, "trace_flags": flags}):
        for _ in range(3):
            with span_link("mail", tracer_provider=provider):
                logger.info("within")
    for event in logs.events:
        assert linked(event) == (IDS["trace_id"], IDS["span_id"])
        assert event["trace_flags"] == flags
        assert len(event["trace_id"]) == 32
        assert len(event["span_id"]) == 16
        found.add(ids(event))
    assert len(found) == 3


def test_a_span_that_is_not_sampled_has_ids_too(logs: CapturedLogs) -> None:
    """Those that the SDK gave it."""
    with span_link("mail", tracer_provider=TracerProvider(ALWAYS_OFF, shutdown_on_exit=False)) as span:
        logger.info("within")

    assert logs.events[0]["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert int(logs.events[0]["trace_flags"], 16) & 1 == 0


def test_each_call_of_a_decorated_function_is_a_trace(signals: Signals, logs: CapturedLogs) -> None:
    """Named after the function, with what it returns; also for coroutine functions, partials and several at a time."""
    together = threading.Barrier(3)

    @span_link(tracer_provider=signals.tracers)
    def send(number: int) -> int:
        together.wait(10)
        logger.info("sent", number=number)
        return number + 1

    @span_link("mail", tracer_provider=signals.tracers)
    async def receive(number: int) -> int:
        await asyncio.sleep(0)
        logger.info("received", number=number)
        return number

    async def both() -> list[int]:
        return await asyncio.gather(receive(1), receive(2))

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(send, range(3))) == [1, 2, 3]
    assert asyncio.run(both()) == [1, 2]
    assert span_link(tracer_provider=signals.tracers)(functools.partial(int, "7"))() == 7

    name = f"{test_each_call_of_a_decorated_function_is_a_trace.__name__}.<locals>.send"
    assert sorted(span.name for span in signals.spans) == ["int", "mail", "mail", name, name, name]
    assert len({ids(event) for event in logs.events}) == len(logs.events) == 5
    assert {ids(event) for event in logs.events} < {(trace_id(span), span_id(span)) for span in signals.spans}
    assert send.__name__ == "send"


def test_a_decorator_without_parentheses_is_a_mistake() -> None:
    """It would be a context manager in place of the function."""
    with pytest.raises(TypeError, match=r"@span_link\(\)"):
        span_link(print)  # type: ignore[arg-type]


def test_wrong_input_is_told_at_once() -> None:
    """Not in the pool that it is given to."""
    with pytest.raises(TypeError, match="not a provider"):
        span_link("x", tracer_provider=TracerProvider)  # type: ignore[arg-type]
    for wrong in (3, "function"):
        with pytest.raises(TypeError, match="cannot be called"):
            carry_context(wrong, link=True)  # type: ignore[call-overload]


def test_an_exception_is_on_the_span_once(signals: Signals, logs: CapturedLogs) -> None:
    """With status and type; the request knows of it, so that its own span does not have it again."""
    with request() as context, pytest.raises(ValueError, match="boom"):
        notes = SpanNotes()
        note_for(notes)
        context.scrub = lambda text: text.replace("boom", "***")
        with span_link("outer", tracer_provider=signals.tracers), span_link("inner", tracer_provider=signals.tracers):
            raise ValueError("boom")

    inner, outer = signals.spans
    assert [(event.name, event.attributes["exception.type"]) for event in inner.events] == [("exception", "ValueError")]
    assert outer.events == ()
    for span in (inner, outer):
        assert span.status.status_code is StatusCode.ERROR
        assert span.attributes["error.type"] == "ValueError"
    assert ("ValueError", "boom") in notes.recorded
    assert inner.events[0].attributes["exception.message"] == "***"
    assert "boom" not in inner.to_json()


def test_what_is_logged_in_it_is_told_by_its_own_span(signals: Signals, logs: CapturedLogs) -> None:
    """It counts for no other span, and an exception that was logged and handled is on it."""
    notes = SpanNotes()
    with request():
        note_for(notes)
        with span_link("job", tracer_provider=signals.tracers):
            logger.info("done")
            logger.error("handled", exc_info=ValueError("boom"))
        logger.info("of the request")

    assert dict(notes.levels) == {20: 1}
    assert notes.errors == []
    [job] = signals.spans
    assert [event.attributes["exception.message"] for event in job.events] == ["boom"]
    assert job.status.status_code is StatusCode.UNSET


def test_in_a_request_the_span_is_made_where_the_requests_is(signals: Signals) -> None:
    """``with_tracing(tracer_provider=…)`` holds for the work that a request starts."""
    with request() as context:
        context.tracer_provider = signals.tracers
        carry_context(threading.get_ident, link=True)()

    assert len(signals.spans) == 1


def test_carried_linked_work_is_one_trace(signals: Signals, logs: CapturedLogs) -> None:
    """What was made by ``span_link`` is linked to the span of when it was carried, without one in between."""

    @span_link("mail", tracer_provider=signals.tracers)
    def send() -> None:
        logger.info("sent")

    with active(signals) as cause:
        carried = carry_context(functools.partial(send), link=True)
    carried()

    assert sorted(span.name for span in signals.spans) == ["mail", "request"]
    [event] = logs.events
    assert event["linked_span_id"] == f"{cause.get_span_context().span_id:016x}"


def test_where_exceptions_are_logs_the_span_has_its_status_alone(
    signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN=logs``."""
    monkeypatch.setenv(EXCEPTION_OPT_IN, "logs")

    with pytest.raises(KeyError), span_link("mail", tracer_provider=signals.tracers):
        raise KeyError("boom")

    [span] = signals.spans
    assert (span.events, span.status.status_code) == ((), StatusCode.ERROR)
    assert span.attributes["error.type"] == "KeyError"


@pytest.mark.parametrize("error", [asyncio.CancelledError, KeyboardInterrupt, GeneratorExit])
def test_what_is_no_error_is_none_on_the_span(signals: Signals, error: type[BaseException]) -> None:
    """A job that was cancelled has not failed."""
    with pytest.raises(error), span_link("mail", tracer_provider=signals.tracers):
        raise error

    [span] = signals.spans
    assert (span.events, span.status.status_code) == ((), StatusCode.UNSET)


def test_baggage_goes_along(signals: Signals) -> None:
    """It is about the customer or the tenant, not about the trace; span processors see it, too."""

    class Seen(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            seen[span.name] = baggage.get_baggage("tenant", parent_context)

    seen: dict[str, object] = {}
    signals.tracers.add_span_processor(Seen())
    token = attach(baggage.set_baggage("tenant", "a"))
    try:
        with active(signals), span_link("mail", tracer_provider=signals.tracers):
            assert baggage.get_baggage("tenant") == "a"
    finally:
        detach(token)

    assert seen == {"request": "a", "mail": "a"}


@pytest.mark.asyncio
async def test_a_block_that_is_closed_elsewhere_says_nothing(
    signals: Signals, caplog: pytest.LogCaptureFixture
) -> None:
    """A generator dependency may be closed in another copy of the context; its span ends all the same."""

    async def dependency() -> Any:
        with span_link("dependency", tracer_provider=signals.tracers):
            yield 1

    made = dependency()
    with caplog.at_level(logging.DEBUG):
        await asyncio.create_task(made.__anext__())
        await asyncio.create_task(made.aclose())

    assert caplog.records == []
    assert [span.name for span in signals.spans] == ["dependency"]


@given(st.lists(st.sampled_from(["link", "span"]), max_size=6))
def test_however_blocks_are_nested_an_event_has_the_innermost_ids(shape: list[str]) -> None:
    """And as linked ids those of what the nearest linked block began in; each id is back when its block ends."""
    signals = Signals()
    with capture_logs() as logs:

        def go(kinds: list[str]) -> None:
            logger.info("event", depth=len(shape) - len(kinds))
            if kinds:
                block = active(signals) if kinds[0] == "span" else span_link("job", tracer_provider=signals.tracers)
                with block:
                    go(kinds[1:])
                logger.info("event", depth=len(shape) - len(kinds))

        go(shape)
    down, up = logs.events[: len(shape) + 1], logs.events[len(shape) + 1 :]
    signals.close()

    for before, after in zip(reversed(down[:-1]), up, strict=True):
        assert (ids(before), linked(before)) == (ids(after), linked(after))
    expected: tuple[Any, Any] = (None, None)
    for kind, outside, inside in zip(shape, down, down[1:], strict=False):
        if kind == "link" and ids(outside) != (None, None):
            expected = ids(outside)
        assert (ids(inside)[0] == ids(outside)[0]) is (kind == "span" and ids(outside)[0] is not None)
        assert linked(inside) == expected


@pytest.mark.usefixtures("as_global")
def test_work_in_a_pool_is_linked_to_the_span_that_was_active_when_it_was_given(
    signals: Signals, logs: CapturedLogs
) -> None:
    """Not to what is active where it runs, and although the request has ended long since."""

    def work(number: int) -> int:
        logger.info("worked")
        return number

    with request() as context, active(signals):
        bind_context(user=1)
        jobs = [carry_context(work, link=True), carry_context(link=True)(work)]
    with active(signals, "elsewhere"), ThreadPoolExecutor(1) as pool:
        assert [pool.submit(job, number).result() for number, job in enumerate(jobs)] == [0, 1]

    outer = named(signals, "request")
    made = [span for span in signals.spans if span.name.endswith("work")]
    assert len(made) == len({span.context.trace_id for span in made}) == 2
    for span, event in zip(made, logs.events, strict=True):
        assert span.parent is None
        assert target(span) == linked(event) == (trace_id(outer), span_id(outer))
        assert ids(event) == (trace_id(span), span_id(span))
        assert (event["request_id"], event["user"]) == ("r1", 1)
    assert context.noted == {"user": 1}


@pytest.mark.asyncio
@pytest.mark.usefixtures("as_global")
async def test_a_task_that_outlives_its_request_is_linked(signals: Signals, logs: CapturedLogs) -> None:
    """A coroutine function is carried and linked alike."""
    ended = asyncio.Event()

    async def job() -> None:
        await ended.wait()
        logger.info("done")

    with request(), active(signals):
        task = asyncio.create_task(carry_context(job, link=True)())
    ended.set()
    await task

    outer, span = named(signals, "request"), signals.spans[-1]
    assert span.name.endswith("job")
    assert target(span) == linked(logs.events[0]) == (trace_id(outer), span_id(outer))
    assert ids(logs.events[0]) == (trace_id(span), span_id(span))
    assert logs.events[0]["request_id"] == "r1"


def test_without_link_carried_work_is_part_of_the_request(signals: Signals, logs: CapturedLogs) -> None:
    """As before: the same trace, the same span."""
    with active(signals):
        job = carry_context(lambda: logger.info("worked"))
    with ThreadPoolExecutor(1) as pool:
        pool.submit(job).result()

    assert ids(logs.events[0]) == (trace_id(named(signals, "request")), span_id(named(signals, "request")))
    assert "linked_trace_id" not in logs.events[0]


def test_carrying_without_a_link_does_not_load_opentelemetry() -> None:
    """Who has no use for it does not pay for it."""
    code = "import sys, fapilog; fapilog.carry_context(print)(); sys.exit('opentelemetry' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
