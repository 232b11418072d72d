"""The span of a delivery: what it links to, what it says, and that it is nobody's child."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NoOpTracerProvider, SpanKind, StatusCode, get_current_span, use_span

from fapilog import LoggerBuilder
from fapilog.errors import CircuitOpenError, RejectedError, SinkError
from fapilog.otel.delivery_spans import DeliverySpans
from fapilog.protocols import Batch
from fapilog.stdlib import capture_stdlib
from tests.delivery.receivers import Receiver
from tests.otel.signals import Signals, span_id, trace_id

Ids = tuple[str, str]


def links_of(span: ReadableSpan) -> list[Ids]:
    return [(f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") for link in span.links]


def deliveries(signals: Signals) -> list[ReadableSpan]:
    return [span for span in signals.spans if span.name.startswith("send ")]


def linked(signals: Signals, sink: Any) -> LoggerBuilder:
    return LoggerBuilder().with_tracing(links=True, tracer_provider=signals.tracers).add_sink(sink)


def event(trace: int, span: int, flags: str = "01") -> dict[str, Any]:
    return {"message": "m", "trace_id": f"{trace:032x}", "span_id": f"{span:016x}", "trace_flags": flags}


def batch_with(events: Sequence[dict[str, Any]]) -> Batch:
    return Batch([b"{}\n"] * len(events), lambda: list(events))


def delivered(batch: Batch, signals: Signals, error: BaseException | None = None) -> ReadableSpan:
    """Return the span of a delivery that ended with an error, or without."""
    expected = nullcontext() if error is None else pytest.raises(type(error))
    with expected, DeliverySpans(signals.tracers)("loki", batch):
        if error is not None:
            raise error
    return signals.spans[-1]


def test_a_delivery_links_to_the_spans_whose_events_it_ships(signals: Signals) -> None:
    """Each of them once, in order, whatever was active in the thread; it is a root, and says how much it was."""
    receiver = Receiver(name="loki")
    logger = linked(signals, receiver).build()
    tracer = signals.tracers.get_tracer("shop")
    with tracer.start_as_current_span("first") as first:
        logger.info("one")
        logger.info("two")
        with tracer.start_as_current_span("inner"):
            logger.info("three")
    logger.info("without a span")
    logger.drain()

    [span] = deliveries(signals)
    made = {it.name: (trace_id(it), span_id(it)) for it in signals.spans}
    assert links_of(span) == [made["first"], made["inner"]]
    assert (span.name, span.kind, span.parent) == ("send loki", SpanKind.CLIENT, None)
    assert span.context.trace_id != first.get_span_context().trace_id
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes["fapilog.sink.name"] == "loki"
    assert span.attributes["fapilog.batch.events"] == 4
    assert span.attributes["fapilog.batch.bytes"] > 100
    assert set(span.attributes) == {"fapilog.sink.name", "fapilog.batch.events", "fapilog.batch.bytes"}
    assert [it["message"] for it in receiver.taken] == ["one", "two", "three", "without a span"]


def test_a_delivery_is_a_root_whatever_is_active(signals: Signals) -> None:
    """Such as where the work is done in the thread of whoever ends the process."""
    with signals.tracers.get_tracer("shop").start_as_current_span("request") as request:
        span = delivered(batch_with([event(1, 2)]), signals)

    assert span.parent is None
    assert span.context.trace_id != request.get_span_context().trace_id


def test_without_links_asked_for_there_is_no_such_span(signals: Signals) -> None:
    """``with_tracing()`` alone is about requests."""
    logger = LoggerBuilder().with_tracing(tracer_provider=signals.tracers).add_sink(Receiver()).build()
    logger.info("one")
    logger.drain()

    assert signals.spans == []


class Blocking:
    """A synchronous sink that asks for a thread; like ``add_sqlite``."""

    name = "blocking"
    threaded = True

    def __init__(self) -> None:
        self.active: list[Any] = []

    async def open(self) -> None:
        return

    def write(self, batch: Batch) -> None:
        self.active.append(get_current_span().get_span_context().is_valid)

    async def close(self) -> None:
        return


def test_a_threaded_sink_has_spans_and_a_plain_one_has_none(signals: Signals) -> None:
    """In neither is the span active."""
    threaded, plain = Blocking(), Blocking()
    plain.threaded = False
    plain.name = "plain"
    logger = linked(signals, threaded).add_sink(plain).build()
    logger.info("one")
    logger.drain()

    assert [span.name for span in signals.spans] == ["send blocking"]
    assert threaded.active == plain.active == [False]


def test_what_a_sink_logs_while_it_delivers_has_no_trace(signals: Signals) -> None:
    """Nor has what a library of its own says, so that no delivery is ever linked to a delivery."""

    class Talking(Receiver):
        async def write(self, batch: Batch) -> None:
            logging.getLogger("library").warning("sent %d", len(batch))
            await super().write(batch)

    receiver = Talking()
    logger = linked(signals, receiver).build()
    with capture_stdlib(), signals.tracers.get_tracer("shop").start_as_current_span("request"):
        logger.info("one")
        logger.drain()

    said = [it for it in receiver.taken if it["message"].startswith("sent")]
    assert said
    assert not [it for it in receiver.taken if it not in said and "trace_id" not in it]
    assert not [it for it in said if "trace_id" in it]
    assert {target for span in deliveries(signals) for target in links_of(span)} == {
        (trace_id(it), span_id(it)) for it in signals.spans if it.name == "request"
    }


def test_more_than_128_spans_are_counted(signals: Signals) -> None:
    """The first 128 are linked."""
    span = delivered(batch_with([event(1, number + 1) for number in range(130) for _ in range(2)]), signals)

    assert links_of(span) == [(f"{1:032x}", f"{number + 1:016x}") for number in range(128)]
    assert span.attributes["fapilog.links.left_out"] == 2
    assert span.dropped_links == 0


def test_sampled_spans_are_linked_first_where_not_all_can_be(signals: Signals) -> None:
    """A link to a span that was not sampled leads nowhere."""
    events = [event(1, number + 1, "03" if number == 149 else "00") for number in range(150)]

    span = delivered(batch_with(events), signals)

    assert links_of(span)[0] == (f"{1:032x}", f"{150:016x}")
    assert links_of(span)[1] == (f"{1:032x}", f"{1:016x}")
    assert len(span.links) == 128
    assert span.links[0].context.trace_flags == 3


def test_what_is_no_id_is_linked_to_nothing(signals: Signals) -> None:
    """A processor may have made anything of the ids."""
    odd: list[dict[str, Any]] = [
        {"message": "m"},
        event(0, 1),
        event(1, 0),
        {"trace_id": ["x"], "span_id": {}},
        {"trace_id": "F" * 32, "span_id": "f" * 16},
        {"trace_id": "1" * 32, "span_id": None},
        event(1, 2, "zz"),
        *({"trace_id": f"request {number}", "span_id": "none"} for number in range(130)),
    ]

    span = delivered(batch_with(odd), signals)

    assert links_of(span) == [(f"{1:032x}", f"{2:016x}")]
    assert "fapilog.links.left_out" not in span.attributes


@pytest.mark.parametrize(
    ("error", "kind", "failed"),
    [
        (SinkError("down at http://user:secret@host"), "SinkError", 3),
        (RejectedError("no", failed_indexes=[1], rejected={1: "no"}), "RejectedError", 1),
        (CircuitOpenError("open"), "CircuitOpenError", 3),
        (ValueError("a mistake"), "ValueError", 3),
        (asyncio.CancelledError(), "asyncio.exceptions.CancelledError", 3),
    ],
)
def test_a_batch_that_was_given_up_is_an_error(signals: Signals, error: BaseException, kind: str, failed: int) -> None:
    """With the reason that the accounts have, and how many events it was; what the error says is not repeated."""
    span = delivered(batch_with([event(1, number + 1) for number in range(3)]), signals, error)

    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == f"{failed} of 3 events not delivered"
    assert span.attributes["error.type"] == kind
    assert span.attributes["fapilog.batch.failed"] == failed
    assert "secret" not in str(span.to_json())
    assert span.events == ()


def test_a_retry_is_no_other_delivery(signals: Signals) -> None:
    """One span for all attempts; and if they are of no use, it says under which reason the events were counted."""
    down = SinkError("down", retryable=True)
    saved, lost = Receiver(down, down, name="saved"), Receiver(answer=lambda _: down, name="lost")
    for receiver, budget in ((saved, "1m"), (lost, "20ms")):
        builder = linked(signals, receiver).with_retry(first_seconds="1ms", budget_seconds=budget)
        logger = builder.with_diagnostics(enabled=False).build()
        logger.info("one")
        result = logger.drain()

    by_name = {span.name: span for span in deliveries(signals)}
    assert len(saved.writes) == 3
    assert len(deliveries(signals)) == 2
    assert by_name["send saved"].status.status_code is StatusCode.UNSET
    assert by_name["send lost"].status.status_code is StatusCode.ERROR
    assert {by_name["send lost"].attributes["error.type"]: 1} == result.sinks["lost"]["failed"]


def test_what_comes_back_from_the_spool_is_linked_all_the_same(signals: Signals, tmp_path: Path) -> None:
    """The ids are on disk with the event."""
    receiver = Receiver(name="spooled")
    logger = linked(signals, receiver).with_spool(tmp_path).build()
    with signals.tracers.get_tracer("shop").start_as_current_span("request"):
        logger.info("one")
    logger.drain()

    [span] = deliveries(signals)
    assert links_of(span) == [(trace_id(signals.spans[0]), span_id(signals.spans[0]))]


def test_a_schema_does_not_hide_the_ids(signals: Signals) -> None:
    """They are read of the flat event, whatever the sink's own lines are shaped like."""
    receiver = Receiver(name="shaped")
    logger = linked(signals, receiver).with_schema("ecs").build()
    with signals.tracers.get_tracer("shop").start_as_current_span("request"):
        logger.info("one")
    logger.drain()

    assert "trace_id" not in receiver.taken[0]
    [span] = deliveries(signals)
    assert links_of(span) == [(trace_id(signals.spans[0]), span_id(signals.spans[0]))]


@pytest.mark.parametrize("provider", [NoOpTracerProvider, lambda: TracerProvider(ALWAYS_OFF, shutdown_on_exit=False)])
def test_who_does_not_record_does_not_look_at_the_events(provider: Callable[[], Any]) -> None:
    """Without an SDK, or in a trace that was not sampled, no dict is made for it."""
    looked = []

    def build() -> list[dict[str, Any]]:
        looked.append(True)
        return [event(1, 1)]

    with DeliverySpans(provider())("loki", Batch([b"{}\n"], build)):
        pass

    assert looked == []


def test_a_broken_provider_hinders_no_delivery() -> None:
    """Whatever it raises, and wherever: the batch is delivered."""

    class Broken:
        def get_tracer(self, *_: object) -> Any:
            raise RuntimeError("no tracer")

    receiver = Receiver()
    logger = LoggerBuilder().with_tracing(links=True, tracer_provider=Broken()).add_sink(receiver).build()
    logger.info("one")

    assert logger.drain().delivered == 1
    assert [it["message"] for it in receiver.taken] == ["one"]


@settings(max_examples=25, deadline=None)
@given(
    calls=st.lists(st.integers(0, 8), max_size=40),
    size=st.integers(1, 7),
    down=st.lists(st.booleans(), max_size=12),
)
def test_the_links_of_all_deliveries_are_the_spans_of_the_events(calls: list[int], size: int, down: list[bool]) -> None:
    """Whatever is batched with what, and however often it is tried: no span is missing, none is added."""
    signals = Signals()
    error = SinkError("down", retryable=True)
    receiver = Receiver(*[error if failing else None for failing in down])
    builder = linked(signals, receiver).with_batch(max_events=size).with_retry(first_seconds="1ms", max_seconds="1ms")
    logger = builder.with_diagnostics(enabled=False).build()
    tracer = signals.tracers.get_tracer("shop")
    spans = [tracer.start_span(f"span {number}") for number in range(8)]
    for number in calls:
        if number == 8:
            logger.info("without")
            continue
        with use_span(spans[number]):
            logger.info("event")
    logger.drain(30)
    found = {target for span in deliveries(signals) for target in links_of(span)}
    events = {(it["trace_id"], it["span_id"]) for it in receiver.taken if "trace_id" in it}
    signals.close()

    assert len(receiver.taken) == len(calls)
    assert found == events
    assert len(events) == len({number for number in calls if number < 8})
