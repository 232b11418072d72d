"""The spans that the console shows: bounded, in the documented shape, and nothing secret in them."""

import gc
import json
import pickle
import threading
import tracemalloc
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from fapilog.otel.cut_spans import MOST_TEXT, CutSpan, held, small
from fapilog.otel.kept_spans import KeptSpans
from tests.otel.signals import ended, id_of
from tests.redaction.canaries import PEM

TRACE, SPAN = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7


@pytest.fixture
def kept(provider: TracerProvider) -> KeptSpans:
    """Give the spans of that provider, which nothing is hidden in."""
    spans = KeptSpans(dict)
    provider.add_span_processor(spans)
    return spans


def test_a_trace_is_shown_in_the_documented_shape(provider: TracerProvider, kept: KeptSpans) -> None:
    """Each key of the contract, times with microseconds, kinds and codes by name, the parent of another process."""
    remote = set_span_in_context(NonRecordingSpan(SpanContext(TRACE, SPAN, is_remote=True, trace_flags=TraceFlags(1))))
    link = Link(SpanContext(TRACE + 1, SPAN + 1, is_remote=True), {"why": "batch"})
    span = provider.get_tracer("shop.web").start_span(
        "GET /orders", remote, SpanKind.SERVER, {"http.request.method": "GET", "tags": ["a", "b"]}, [link], 1_000
    )
    span.add_event("cache.miss", {"key": "o-1"}, timestamp=2_000)
    span.set_status(Status(StatusCode.ERROR, "no stock"))
    span.end(2_501_000)

    assert kept.of_trace(f"{TRACE:032x}") == [
        {
            "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
            "span_id": f"{span.get_span_context().span_id:016x}",
            "parent_span_id": "00f067aa0ba902b7",
            "name": "GET /orders",
            "kind": "SERVER",
            "start": "1970-01-01T00:00:00.000001Z",
            "end": "1970-01-01T00:00:00.002501Z",
            "duration_ms": 2.5,
            "status": {"code": "ERROR", "description": "no stock"},
            "attributes": {"http.request.method": "GET", "tags": ["a", "b"]},
            "events": [{"name": "cache.miss", "time": "1970-01-01T00:00:00.000002Z", "attributes": {"key": "o-1"}}],
            "links": [{"trace_id": "4bf92f3577b34da6a3ce929d0e0e4737", "span_id": "00f067aa0ba902b8"}],
            "scope": "shop.web",
            "resource_service": "shop",
        }
    ]


def test_spans_come_by_their_start_and_a_parent_before_its_children(provider: TracerProvider, kept: KeptSpans) -> None:
    """They end the other way round; of other traces there are none; what is no trace id has no spans."""
    tracer = provider.get_tracer("tests")
    root = tracer.start_span("root", start_time=5_000)
    within = set_span_in_context(root)
    for name, start in (("late", 9_000), ("same", 5_000), ("early", 6_000)):
        tracer.start_span(name, within, start_time=start).end(9_500)
    root.end(10_000)
    ended(provider, "another trace")

    assert [span["name"] for span in kept.of_trace(id_of(root))] == ["root", "same", "early", "late"]
    assert [kept.of_trace(wrong) for wrong in ("", "x" * 32, "0" * 32, "1_0", id_of(root).upper() + " ")] == [[]] * 5


def test_an_exception_is_on_its_span(provider: TracerProvider, kept: KeptSpans) -> None:
    """Type, message and stack as the SDK records them, and the status."""
    with (
        pytest.raises(ValueError, match="no such order"),
        provider.get_tracer("tests").start_as_current_span("load") as span,
    ):
        raise ValueError("no such order")
    (shown,) = kept.of_trace(id_of(span))

    assert shown["status"] == {"code": "ERROR", "description": "ValueError: no such order"}
    assert shown["events"][0]["name"] == "exception"
    assert shown["events"][0]["attributes"]["exception.type"] == "ValueError"
    assert 'raise ValueError("no such order")' in shown["events"][0]["attributes"]["exception.stacktrace"]


def test_what_is_not_sampled_is_not_there() -> None:
    """A sampler that drops a span drops it for the console, too."""
    kept, provider = KeptSpans(dict), TracerProvider(ALWAYS_OFF, shutdown_on_exit=False)
    provider.add_span_processor(kept)

    assert kept.of_trace(id_of(ended(provider))) == []
    assert kept.describe() == {"spans": 0, "max_spans": 2_000, "unreadable": 0}


def test_a_span_that_came_twice_is_shown_once(provider: TracerProvider, kept: KeptSpans) -> None:
    """Two providers may share an exporter of spans, or have the processor each."""
    provider.add_span_processor(kept)
    span = ended(provider)

    assert kept.describe()["spans"] == 2
    assert len(kept.of_trace(id_of(span))) == 1


def test_after_shutdown_nothing_more_is_taken(provider: TracerProvider, kept: KeptSpans) -> None:
    """What is there can still be looked at; nothing waits to be flushed."""
    before = ended(provider)
    assert provider.force_flush()
    provider.shutdown()
    after = ended(provider)
    kept.on_end(after)

    assert len(kept.of_trace(id_of(before))) == 1
    assert kept.of_trace(id_of(after)) == []


def test_memory_is_flat_over_100_000_spans(provider: TracerProvider) -> None:
    """The last 2 000 are kept, and what was before is given back."""
    kept = KeptSpans(dict)
    tracer = provider.get_tracer("tests")
    finished: list[ReadableSpan] = []
    collector = KeptSpans(dict)
    collector.on_end = finished.append  # type: ignore[method-assign, assignment]
    provider.add_span_processor(collector)  # type: ignore[arg-type]

    def work(count: int) -> int:
        for _ in range(count // 100):
            # The SDK's part, which is slow, is done once for a hundred.
            tracer.start_span("work", attributes={"user.id": "7", "n": 1}).end()
            span = finished.pop()
            for _ in range(100):
                kept.on_end(ReadableSpan(span.name, span.context, None, span.resource, span.attributes.copy()))  # type: ignore[union-attr]
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        after_few, after_many = work(4_000), work(96_000)
    finally:
        tracemalloc.stop()

    assert kept.describe()["spans"] == 2_000
    assert after_many - after_few < 200_000


class Method(StrEnum):
    """As many libraries have them."""

    GET = "GET"


NASTY: dict[str, Callable[[Any], object]] = {
    "long texts": lambda span: span.set_attributes({f"a{i}": "é" * 100_000 for i in range(128)}),
    "nested": lambda span: span.set_attribute("deep", [[["x" * 5_000] * 100] * 100]),
    "mappings": lambda span: span.set_attribute("deep", {f"k{i}" * 100: {"v": "x" * 5_000} for i in range(500)}),
    "bytes": lambda span: span.set_attribute("body", b"\xff" * 1_000_000),
    "a huge number": lambda span: span.set_attribute("n", 1 << 4_000_000),
    "many numbers": lambda span: span.set_attribute("n", list(range(100_000))),
    "a long name": lambda span: span.update_name("n" * 1_000_000),
    "a long key": lambda span: span.set_attribute("k" * 1_000_000, 1),
    "a long description": lambda span: span.set_status(StatusCode.ERROR, "d" * 1_000_000),
    "many events": lambda span: [span.add_event("e", {f"k{j}": "v" * 99 for j in range(20)}) for _ in range(128)],
    "a long event": lambda span: span.add_event("e" * 1_000_000, {"k": "v" * 1_000_000}),
    "an exception": lambda span: span.record_exception(ValueError("x" * 1_000_000)),
    "not finite": lambda span: span.set_attributes({"nan": float("nan"), "inf": float("-inf")}),
    "surrogates": lambda span: span.set_attribute("s", "\ud800 \x00 \x1b[31m \u202e"),
    "an enum": lambda span: span.set_attribute("method", Method.GET),
    "none": lambda span: span.set_attribute("n", None),
}


@pytest.mark.parametrize("nasty", NASTY.values(), ids=NASTY.keys())
@pytest.mark.filterwarnings("ignore")
def test_a_nasty_span_is_held_in_little_and_shown_as_json(
    nasty: Callable[[Any], object], provider: TracerProvider, kept: KeptSpans
) -> None:
    """Whatever is on it: at most about 8 192 characters are held, and what is shown can be encoded as JSON."""
    span: Any = provider.get_tracer("tests").start_span("work")
    nasty(span)
    span.end()
    shown = kept.of_trace(id_of(span))
    text = json.dumps(shown, allow_nan=False).encode()

    assert len(shown) == 1
    assert len(text) < 8 * MOST_TEXT
    assert len(pickle.dumps(tuple(kept._spans[0][1].attributes.items()))) < 4 * MOST_TEXT
    assert json.loads(text) == shown


@pytest.mark.filterwarnings("ignore")
def test_2_000_nasty_spans_take_less_than_100_megabytes(provider: TracerProvider) -> None:
    """The bound of one span, measured: here on 20 of them, each with 12 million characters."""
    kept = KeptSpans(dict)
    provider.add_span_processor(kept)
    tracemalloc.start()
    try:
        for _ in range(20):
            NASTY["long texts"](span := provider.get_tracer("tests").start_span("work"))
            NASTY["many events"](span)
            span.end()
        del span
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert taken / 20 < 50_000


def test_of_a_long_stack_trace_the_end_is_held_by_whole_lines(provider: TracerProvider, kept: KeptSpans) -> None:
    """That is where the error was; but of one with a private key the beginning, for half a key is hidden by nobody."""
    frames = "".join(f'  File "app.py", line {i}, in call\n' for i in range(1_000))
    span: Any = provider.get_tracer("tests").start_span("work")
    span.add_event("exception", {"exception.stacktrace": frames + "ValueError: the reason"})
    span.add_event("exception", {"exception.stacktrace": f"the beginning\n{PEM}\n" + "line\n" * 1_000})
    span.end()
    first, second = (e["attributes"]["exception.stacktrace"] for e in kept.of_trace(id_of(span))[0]["events"])

    assert first.startswith('  File "app.py"')
    assert first.endswith("ValueError: the reason")
    assert len(first) <= 4_096
    assert second.startswith("the beginning\n-----BEGIN")


def test_a_usual_span_is_kept_as_it_is_without_being_copied(provider: TracerProvider) -> None:
    """The way that costs little works with the SDK that is installed, and one with an exception is not cut either."""
    got: list[Any] = []
    kept = KeptSpans(dict)
    kept.on_end = got.append  # type: ignore[method-assign]
    provider.add_span_processor(kept)
    ended(provider, "GET /", **{f"a{i}": "text" if i % 2 else i for i in range(20)})
    span: Any = provider.get_tracer("tests").start_span("work")
    span.record_exception(ValueError("x"))
    span.end()
    usual, failed = got

    assert small(usual) == (usual.context.trace_id, usual)
    assert small(failed) is None
    assert held(failed)[1] is failed
    assert held(usual)[1] is usual


def test_a_span_of_an_sdk_that_calls_things_otherwise_is_kept(kept: KeptSpans) -> None:
    """Only the documented properties are needed; what has not even these is counted, and nobody is the worse for it."""

    class Other:
        def __init__(self, span: ReadableSpan) -> None:
            self.context, self.parent, self.name, self.kind = span.context, None, "other", span.kind
            self.start_time, self.end_time, self.status = 1.5, None, span.status
            self.attributes, self.events, self.links = {"a": 1}, (), ()
            self.resource, self.instrumentation_scope = None, None

    other = Other(ReadableSpan("work", SpanContext(TRACE, SPAN, is_remote=False)))
    kept.on_end(other)
    kept.on_end(object())
    kept.on_end(ReadableSpan("without a context"))
    (shown,) = kept.of_trace(f"{TRACE:032x}")

    assert shown["name"], shown["attributes"] == ("other", {"a": 1})
    assert (shown["scope"], shown["resource_service"]) == ("", None)
    assert kept.describe()["unreadable"] == 2


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=20), VALUES, max_size=10), st.booleans())
def test_any_attributes_can_be_shown(attributes: dict[str, Any], cut: bool) -> None:
    """As they are or cut: JSON that means the same when it is read again."""
    span = ReadableSpan("x" * (MOST_TEXT + 1 if cut else 1), SpanContext(TRACE, SPAN, is_remote=False))
    span._attributes = attributes
    kept = KeptSpans(dict)
    kept.on_end(span)
    shown = kept.of_trace(f"{TRACE:032x}")

    assert isinstance(kept._spans[0][1], CutSpan) or not cut
    assert json.loads(json.dumps(shown, allow_nan=False).encode("utf-8")) == shown
    assert len(shown) == 1


def test_spans_may_end_in_many_threads_while_somebody_looks(provider: TracerProvider, kept: KeptSpans) -> None:
    """Nothing raises, nothing is lost but what is beyond the bound."""
    root = ended(provider, "root")
    within = set_span_in_context(root)
    start = threading.Barrier(5)

    def work() -> None:
        start.wait()
        for _ in range(300):
            provider.get_tracer("tests").start_span("work", within).end()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    start.wait()
    while any(thread.is_alive() for thread in threads):
        kept.of_trace(id_of(root))
        kept.make_room(kept.max_spans)
    for thread in threads:
        thread.join()

    assert len(kept.of_trace(id_of(root))) == 1_201
