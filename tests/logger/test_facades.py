"""The loggers: what is captured at a call, by value, whatever it is given."""

import asyncio
import math
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.trace import INVALID_SPAN_CONTEXT, NonRecordingSpan, SpanContext, use_span

import fapilog
from fapilog.context import OUTSIDE, Scope, SpanNotes, current, reset
from fapilog.engine.channels import Output
from fapilog.engine.engine import Engine, EngineParts
from fapilog.levels import DEBUG, LevelTable
from fapilog.logger.aio import AsyncLoggerFacade
from fapilog.logger.capture import submit
from fapilog.logger.sync import SyncLoggerFacade
from tests.engine.sinks import Keeping


class Desk:
    """A logger, and what it has logged."""

    def __init__(self) -> None:
        self.sink = Keeping(blocks=False)
        self.engine = Engine(EngineParts(levels=LevelTable(), level=20, outputs=[Output(self.sink, None)]))
        self.logger = SyncLoggerFacade(self.engine.origin("desk"), lambda: self.engine)

    @property
    def events(self) -> list[dict[str, Any]]:
        assert self.engine.flush(5)
        return self.sink.events

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1]


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.engine.drain()


def test_each_method_has_its_level(desk: Desk) -> None:
    """Five levels, ``exception`` is an error with the exception being handled."""
    desk.engine.set_level("DEBUG")
    for name in ("debug", "info", "warning", "error", "critical"):
        getattr(desk.logger, name)("event")
    try:
        raise ValueError("broken")
    except ValueError:
        desk.logger.exception("event")
    levels = [event["level"] for event in desk.events]
    assert levels == ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "ERROR"]
    assert desk.last["exception"]["message"] == "broken"


def test_what_was_logged_is_what_is_written(desk: Desk) -> None:
    """Changing an argument after the call does not change the event; the caller's objects are left alone."""
    items, nested, raw = [1], {"a": {"b": [1]}}, bytearray(b"x")
    desk.logger.info("event", items=items, nested=nested, raw=raw)
    bound = desk.logger.bind(items=items)
    with fapilog.context_scope(context=nested):
        items.append(2)
        nested["a"]["b"].append(2)
        raw[0] = 0
        bound.info("bound")
    assert desk.events[0]["items"] == [1]
    assert (desk.events[0]["nested"], desk.events[0]["raw"]) == ({"a": {"b": [1]}}, "x")
    assert (desk.last["items"], desk.last["context"]) == ([1], {"a": {"b": [1]}})
    assert (items, nested, raw) == ([1, 2], {"a": {"b": [1, 2]}}, bytearray(b"\0"))


def test_bind_gives_a_new_logger(desk: Desk) -> None:
    """Binding and unbinding change nobody else's logger."""
    bound = desk.logger.bind(a=1, b=2)
    less = bound.unbind("a", "not there")
    for logger in (desk.logger, bound, less, bound.bind(b=3)):
        logger.info("event")
    assert [{k: e[k] for k in "ab" if k in e} for e in desk.events] == [
        {},
        {"a": 1, "b": 2},
        {"b": 2},
        {"a": 1, "b": 3},
    ]


@pytest.mark.parametrize("message", ["100%", "{}", "%s %d", "{0.__class__}", "${jndi:ldap://x}", "%(name)s"])
def test_a_message_without_arguments_is_no_template(desk: Desk, message: str) -> None:
    """Braces and percent signs are text, with keyword fields too."""
    desk.logger.info(message, field="%s {}")
    assert (desk.last["message"], desk.last["field"]) == (message, "%s {}")


def test_positional_arguments_are_formatted_at_the_call(desk: Desk) -> None:
    """As in the standard library; a template that does not fit is kept with its arguments."""
    items = [1]
    desk.logger.info("got %s from %s", items, "x")
    items.append(2)
    assert desk.last["message"] == "got [1] from x"
    desk.logger.info("user %(name)s", {"name": "ann"})
    assert desk.last["message"] == "user ann"
    desk.logger.info("%d items", "many", user=1)
    assert (desk.last["message"], desk.last["message_args"], desk.last["user"]) == ("%d items", ["many"], 1)


@pytest.mark.parametrize(
    "key", ["message", "level", "timestamp", "logger", "request_id", "trace_id", "exception", "self"]
)
def test_a_reserved_name_is_kept_and_forges_nothing(desk: Desk, key: str) -> None:
    """A field named like a key of the schema stands under ``name_``."""
    desk.logger.info("real", **{key: "forged"})
    assert (desk.last["message"], desk.last["level"], desk.last["logger"]) == ("real", "INFO", "desk")
    assert desk.last[key if key == "self" else f"{key}_"] == "forged"


class Hostile:
    """Raises from whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError

    __str__ = __repr__

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise RuntimeError


@pytest.mark.parametrize(
    "value",
    [
        Hostile(),
        [Hostile()],
        {"a": Hostile()},
        object(),
        lambda: 1,
        range(3),
        iter([1]),
        math.nan,
        2**80,
        "\ud800",
        type,
    ],
)
def test_any_object_may_be_logged(desk: Desk, value: Any) -> None:
    """As a field, a message, a bound field, an argument; nothing raises into the caller, nothing is lost."""
    desk.logger.info("field", value=value)
    desk.logger.info(value)
    desk.logger.info("%s", value)
    desk.logger.bind(value=value).info("bound")
    desk.logger.error("exc", exc_info=value)
    assert len(desk.events) == 5


@pytest.mark.parametrize("exc_info", [True, (None, None, None), "yes", 1, (1, 2, 3), ()])
def test_exc_info_without_an_exception_is_no_exception(desk: Desk, exc_info: Any) -> None:
    """P39: nothing to tell, nothing told, nothing raised."""
    desk.logger.error("event", exc_info=exc_info)
    assert "exception" not in desk.last


def test_exc_info_takes_an_exception_or_a_triple(desk: Desk) -> None:
    """Also long after it was handled."""
    error = KeyError("k")
    desk.logger.error("event", exc_info=error)
    assert desk.last["exception"]["type"] == "KeyError"
    desk.logger.error("event", exc_info=(KeyError, error, None))
    assert desk.last["exception"]["message"] == "'k'"


def test_stack_info_ends_at_the_caller(desk: Desk) -> None:
    """The frames of the logger itself are left out."""
    desk.logger.info("event", stack_info=True)
    assert desk.last["stack"].rstrip().endswith('desk.logger.info("event", stack_info=True)')


def test_sensitive_is_masked_everywhere(desk: Desk) -> None:
    """Nothing of the value, not even its length, is in the event."""
    secret = fapilog.Sensitive("hunter2")
    desk.logger.bind(b=secret).info("pay %s", secret, card=secret, nested=[{"x": secret}])
    assert "hunter2" not in str(desk.last)
    assert (desk.last["card"], desk.last["message"], desk.last["b"]) == ("***", "pay ***", "***")


def test_a_large_message_is_cut_and_its_length_told(desk: Desk) -> None:
    """Ten million characters do not become ten million bytes on the wire."""
    desk.logger.info("x" * 10_000_000, field="y" * 10_000_000)
    assert desk.last["message"].endswith("…[cut, 10000000 characters]")
    assert len(desk.last["message"]) + len(desk.last["field"]) < 600_000


def test_async_calls_take_the_event_at_the_call(desk: Desk) -> None:
    """Awaited or forgotten, inside a loop or outside of one."""
    logger = AsyncLoggerFacade(desk.engine.origin("async"), lambda: desk.engine)

    async def main() -> None:
        await logger.info("awaited")
        logger.info("forgotten")
        await logger.debug("off")
        await logger.bind(a=1).exception("no exception")
        await logger.log("WARNING", "by name")
        assert await logger.flush()

    asyncio.run(main())
    logger.info("outside")
    assert [e["message"] for e in desk.events] == ["awaited", "forgotten", "no exception", "by name", "outside"]


def test_submit_takes_a_time_of_its_own(desk: Desk) -> None:
    """A record of another library keeps the time it was made."""
    submit(desk.engine.origin("lib"), 30, "old", {"a": 1}, time_ns=0)
    assert desk.last["timestamp"] == "1970-01-01T00:00:00.000000Z"


def test_a_repr_tells_no_values(desk: Desk) -> None:
    """Bound fields may be personal; their names are enough."""
    assert repr(desk.logger.bind(password="hunter2")) == "<SyncLoggerFacade 'desk' bound=['password']>"


def test_a_moved_field_takes_no_other_fields_place(desk: Desk) -> None:
    """``level`` goes to a name with ``_`` that nobody has, in whatever layer it was bound."""
    desk.logger.bind(level_="bound").info("event", level="call")
    assert (desk.last["level_"], desk.last["level__"]) == ("bound", "call")


def test_a_call_with_very_many_fields_is_cut_and_weighed(desk: Desk) -> None:
    """The fast path is for ordinary events: a thousand fields are kept, and count in bytes."""
    with desk.engine.queue.lock:
        desk.logger.info("wide", **{f"k{number}": number for number in range(10_000)})
        weighed = desk.engine.queue.size_bytes()
    assert weighed > 50_000
    assert 1_000 < len(desk.last) < 1_010
    assert "…" in desk.last


@pytest.mark.parametrize("error", [AttributeError, ValueError, RuntimeError])
def test_a_span_that_raises_costs_no_event(desk: Desk, error: type[Exception]) -> None:
    """Some tracer's, or a mock's: the caller sees nothing of it, and the event has no trace ids."""

    class Broken(NonRecordingSpan):
        def get_span_context(self) -> SpanContext:
            raise error("no")

    desk.logger.info("the first starts the engine")
    with use_span(Broken(INVALID_SPAN_CONTEXT)):
        desk.logger.info("plain", number=1)
        desk.logger.info("by the long way", numbers=[1])
    desk.logger.info("after")
    assert [event["message"] for event in desk.events[1:]] == ["plain", "by the long way", "after"]
    assert "trace_id" not in str(desk.events)


class Shelf:
    """Takes what is below the level of its logger, and returns a word for it."""

    level = DEBUG

    def __init__(self) -> None:
        self.taken: list[tuple[Any, ...]] = []

    def take(self, record: tuple[Any, ...], size_bytes: int, queue: Any, may_await: bool) -> Any:
        """Keep all that it is told."""
        self.taken.append((record, size_bytes, queue, may_await))
        return "on the shelf"


class Word(str):
    """Text of a class of its own."""

    __slots__ = ()


@pytest.fixture
def shelf(desk: Desk) -> Iterator[Shelf]:
    """Wants the DEBUG events of this context, whose logger is at INFO; the engine runs."""
    made = Shelf()
    close_floor = desk.engine.open_floor(DEBUG)
    desk.logger.info("starts the engine")
    token = current.set(Scope({"user": "ann"}, OUTSIDE, SpanNotes(), made))
    yield made
    reset(current, token)
    close_floor()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"text": "x", "number": 7, "share": 0.5, "flag": True, "none": None},
        {"wide": 2**80},
        {"nan": math.nan, "inf": -math.inf},
        {"items": [1, {"a": 2}]},
        {"own": Word("own")},
        {"text": "x" * 300_000},
        {"k" * 2_000: 1},
        {f"k{number}": number for number in range(2_000)},
        {"odd": "\ud800"},
    ],
    ids=["none", "scalars", "wide", "nan", "items", "own", "text", "name", "many", "odd"],
)
def test_what_one_request_wants_is_captured_as_anything_else(desk: Desk, shelf: Shelf, fields: dict[str, Any]) -> None:
    """A level method's quick way leads to what ``log()`` gives, which always goes the long way."""
    logger = desk.logger.bind(bound=1)
    with use_span(NonRecordingSpan(SpanContext(1, 2, is_remote=False))):
        logger.debug("event", **fields)
        logger.log("DEBUG", "event", **fields)
    (quick, *its), (long, *others) = shelf.taken
    assert quick[1:9] == long[1:9]
    assert (quick[9] is None) == (long[9] is None)
    assert 0 <= long[0] - quick[0] < 1_000_000_000
    assert not any(value is fields.get(key) for key, value in quick[4].items() if type(value) is list)
    assert its[0] == pytest.approx(others[0], abs=70 + 32 * min(len(fields), 50))
    assert its[1:] == others[1:] == [desk.engine.queue, False]


def test_what_one_request_wants_is_taken_once_whatever_the_queue(desk: Desk, shelf: Shelf) -> None:
    """Running, full or stopped: it is taken once, is on no span, and goes into no queue by itself."""
    notes = current.get().notes
    assert notes is not None
    before = desk.engine.queue.submitted()
    desk.logger.debug("running", n=1)
    with desk.engine.queue.lock:
        limit, desk.engine.queue.limit = desk.engine.queue.limit, 0
        desk.logger.debug("full", n=1)
        desk.engine.queue.limit = limit
    shelf.level = DEBUG + 1
    desk.logger.debug("not wanted", n=1)
    shelf.level = DEBUG
    desk.engine.drain()
    desk.logger.debug("stopped", n=1)
    shelf.level = DEBUG + 1
    desk.logger.debug("not wanted either", n=1)
    assert [record[3] for record, *_ in shelf.taken] == ["running", "full", "stopped"]
    assert (dict(notes.levels), desk.engine.queue.submitted(), desk.engine.queue.running) == ({}, before, False)


@pytest.mark.parametrize("fields", [{"n": 1}, {"items": [1]}, {"text": "x" * 3_000}])
def test_an_async_call_returns_what_takes_it(desk: Desk, shelf: Shelf, fields: dict[str, Any]) -> None:
    """It may be something to await: a queue with no room that a louder request's event went into."""
    logger = AsyncLoggerFacade(desk.engine.origin("desk"), lambda: desk.engine)
    answer: object = logger.debug("event", **fields)
    assert answer == "on the shelf"
    assert [may_await for *_, may_await in shelf.taken] == [True]


def test_a_span_that_raises_costs_one_request_no_event(desk: Desk, shelf: Shelf) -> None:
    """As for any other event."""

    class Broken(NonRecordingSpan):
        def get_span_context(self) -> SpanContext:
            raise ZeroDivisionError

    with use_span(Broken(INVALID_SPAN_CONTEXT)):
        desk.logger.debug("event", n=1)
    assert [(record[3], record[8]) for record, *_ in shelf.taken] == [("event", None)]
