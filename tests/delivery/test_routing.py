"""Every event reaches exactly the sinks that the routes name, once and in order, and each sink's books balance."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.delivery.buffer import BatchOptions
from fapilog.delivery.routing import Route, Router, RoutingOptions, check
from fapilog.diagnostics import Diagnostics
from fapilog.engine.channels import Output
from fapilog.engine.engine import Engine, EngineParts
from fapilog.engine.queue import QueueOptions
from fapilog.errors import ConfigError, SinkError
from fapilog.event import EventDict, Origin
from fapilog.levels import LevelTable
from fapilog.logger.sync import SyncLoggerFacade
from fapilog.protocols import Batch
from fapilog.serializers.json import JsonFormat
from tests.engine.conftest import MakeEngine, logger_of, make_engine
from tests.engine.sinks import Awaited, Keeping, Latched

__all__ = ["make_engine"]
LEVELS = LevelTable()
NUMBERS = {"INFO": 20, "WARNING": 30, "ERROR": 40}
LOGGERS = ("app", "app.db", "apple", "other")
SINKS = ("a", "b", "c")


def quiet() -> Diagnostics:
    return Diagnostics(write=lambda _: None)


def router(options: RoutingOptions, sinks: Sequence[str] = SINKS) -> Router:
    return Router(options, [(name, "json") for name in sinks], LEVELS.number, quiet())


def balanced(figures: dict[str, Any]) -> bool:
    rows = (figures, *figures["sinks"].values())
    lost = [sum(sum(row[kind].values()) for kind in ("filtered", "dropped", "failed")) for row in rows]
    return all(
        row["submitted"] == row["delivered"] + gone + row["in_flight"] and row["in_flight"] >= 0
        for row, gone in zip(rows, lost, strict=True)
    )


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"to": ()}, "Route(to)"),
        ({"to": ""}, "Route(to)"),
        ({"to": None}, "Route(to)"),
        ({"to": b"a"}, "Route(to)"),
        ({"to": ["a", 1]}, "Route(to)"),
        ({"to": "a", "levels": ()}, "Route(levels)"),
        ({"to": "a", "levels": 20}, "Route(levels)"),
        ({"to": "a", "levels": [20]}, "Route(levels)"),
        ({"to": "a", "logger": " "}, "Route(logger)"),
        ({"to": "a", "logger": 7}, "Route(logger)"),
        ({"to": "a", "when": "ERROR"}, "Route(when)"),
    ],
)
def test_a_wrong_route_names_its_option(given: dict[str, Any], where: str) -> None:
    """Wrong types are configuration errors, too, and no text that could be a secret is shown of them."""
    with pytest.raises(ConfigError) as caught:
        Route(**given)
    assert caught.value.where == where


@pytest.mark.parametrize(
    "given",
    [{"routes": None}, {"routes": "a"}, {"routes": [1]}, {"routes": [{}]}, {"routes": [{"to": "a", "level": "INFO"}]},
     {"routes": [Route("a")], "fallback": 1}, {"routes": [Route("a")], "fallback": None}],
)  # fmt: skip
def test_wrong_routes_are_refused(given: dict[str, Any]) -> None:
    """Also what an environment variable could hold."""
    with pytest.raises(ConfigError, match="with_routing"):
        RoutingOptions(**given)


def test_routes_may_be_mappings() -> None:
    """JSON of an environment variable has no Route."""
    given = RoutingOptions(routes=[{"to": "a", "levels": "error"}], fallback="b")  # type: ignore[arg-type,list-item]
    assert given == RoutingOptions((Route(("a",), levels=["ERROR"]),), ("b",))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (RoutingOptions((Route("filee"),), ("file", "stdout")), "Route.to.*'filee'.*Did you mean 'file'"),
        (RoutingOptions((Route("file"),), ("stdotu",)), "fallback.*Did you mean 'stdout'"),
        (RoutingOptions((Route("file"),)), "stdout.*no event could ever reach"),
        (RoutingOptions((), ("file",)), "stdout.*no event could ever reach"),
        (RoutingOptions((Route("file"),), ("stdout",)), "fallback.*stdout.*no event could ever reach"),
    ],
)
def test_a_sink_that_is_not_there_or_never_reached_is_a_build_error(
    make_engine: MakeEngine, options: RoutingOptions, message: str
) -> None:
    """By the function for whoever checks early, and by the engine in any case."""
    with pytest.raises(ConfigError, match=message):
        check(options, ["file", "stdout"])
    with pytest.raises(ConfigError, match=message):
        make_engine(Keeping("file"), Keeping("stdout"), routing=options)


def test_a_level_that_is_not_there_is_a_build_error() -> None:
    """Levels may be registered after a route was written, and before the engine is built."""
    with pytest.raises(ConfigError, match=r"Route.levels.*Did you mean 'ERROR'"):
        router(RoutingOptions((Route(SINKS, levels="EROR"),)))


def test_a_logger_matches_itself_and_what_is_below_it(make_engine: MakeEngine) -> None:
    """At the dots: ``app`` is not the beginning of ``apple``."""
    a, b = Keeping("a"), Keeping("b")
    engine = make_engine(a, b, routing=RoutingOptions((Route("a", logger="app"),), fallback="b"))  # type: ignore[arg-type]
    for name in LOGGERS:
        logger_of(engine, name).info("event")
    engine.drain()
    assert [event["logger"] for event in a.events] == ["app", "app.db"]
    assert [event["logger"] for event in b.events] == ["apple", "other"]


def test_without_a_fallback_what_no_route_takes_is_filtered(make_engine: MakeEngine) -> None:
    """Counted once for the engine and at every sink, under ``no_route``; the rest under ``routing`` where it is not."""
    a, b = Keeping("a"), Keeping("b")
    routes = (Route("a", levels="ERROR"), Route(("a", "b"), levels=("WARNING", "critical")))
    engine = make_engine(a, b, routing=RoutingOptions(routes))
    logger = logger_of(engine)
    for level in ("info", "warning", "error", "critical"):
        getattr(logger, level)("event")
    result = engine.drain()
    figures = engine.figures()
    assert (result.delivered, result.filtered, figures["filtered"]) == (3, 1, {"no_route": 1})
    assert [row["filtered"] for row in figures["sinks"].values()] == [{"no_route": 1}, {"no_route": 1, "routing": 1}]
    assert [len(sink.events) for sink in (a, b)] == [3, 2]


def test_a_predicate_sees_the_redacted_event(make_engine: MakeEngine) -> None:
    """Whether records are redacted or dicts."""
    seen: list[EventDict] = []

    class Masking:
        name = "masking"

        def __call__(self, event: EventDict) -> EventDict:
            return event | {"password": "***"}

        def redact_records(self, records: Sequence[Any]) -> Sequence[Any]:
            return [(*record[:4], record[4] | {"password": "***"}, *record[5:]) for record in records]

    for stages in ({}, {"processors": [lambda event: event]}):
        sink = Keeping("a")
        routing = RoutingOptions((Route("a", when=lambda event: not seen.append(event)),))  # type: ignore[func-returns-value]
        engine = make_engine(sink, routing=routing, redactors=[Masking()], **stages)
        logger_of(engine).info("event", password="hunter2")
        assert engine.drain().delivered == 1
    assert [event["password"] for event in seen] == ["***"] * 2


def test_a_predicate_that_raises_is_reported_by_place_and_does_not_match(make_engine: MakeEngine) -> None:
    """What it says could quote the event."""
    said: list[str] = []

    def broken(event: EventDict) -> bool:
        raise RuntimeError(event["message"])

    a, b = Keeping("a"), Keeping("b")
    routing = RoutingOptions((Route("a", when=broken), Route("a", levels="ERROR")), ("b",))
    engine = make_engine(a, b, routing=routing, diagnostics=Diagnostics(write=said.append))
    logger_of(engine).info("my own words")
    logger_of(engine).error("my own words")
    engine.drain()
    assert (len(a.events), len(b.events)) == (1, 1)
    assert len(said) == 1
    assert said[0].startswith("fapilog: route to a: RuntimeError at test_routing.py:")
    assert engine.diagnostics.counts() == {"route to a": 1}, "not asked where it could change nothing"


def test_every_predicate_that_matches_counts(make_engine: MakeEngine) -> None:
    """Beside each other, and beside routes without one."""
    sinks = [Keeping(name) for name in SINKS]
    always = Route("c", logger="test")
    routing = RoutingOptions((Route("a", when=lambda e: True), Route("b", when=lambda e: e["number"] > 1), always))
    engine = make_engine(*sinks, routing=routing)
    for number in range(4):
        logger_of(engine).info("event", number=number)
    engine.drain()
    assert [len(sink.events) for sink in sinks] == [4, 2, 4]


def test_a_stage_may_return_a_dict_of_its_own_class(make_engine: MakeEngine) -> None:
    """Level and logger are those of the log call, whatever the stages made of the event."""

    class Special(dict[str, Any]):
        pass

    a, b = Keeping("a"), Keeping("b")
    routing = RoutingOptions((Route("a", logger="test"), Route("b", logger="else")))
    engine = make_engine(a, b, routing=routing, processors=[lambda event: Special(event, logger="else", level="X")])
    logger_of(engine).info("event")
    assert engine.drain().delivered == 1
    assert (len(a.events), len(b.events)) == (1, 0)


def test_lines_are_made_only_of_what_a_format_needs(make_engine: MakeEngine) -> None:
    """Two sinks with a format each: what goes to one is not serialised for the other."""

    class Counting(JsonFormat):
        def __init__(self, name: str) -> None:
            super().__init__(LEVELS, {})
            self.name = name
            self.lines = 0

        def encode_records(self, records: Sequence[Any]) -> list[bytes]:
            self.lines += len(records)
            return super().encode_records(records)

    forms = [Counting("one"), Counting("two")]
    sinks = [Keeping("a", blocks=False), Keeping("b", blocks=False)]
    outputs = [Output(sink, form) for sink, form in zip(sinks, forms, strict=True)]
    routing = RoutingOptions((Route("a", levels="INFO"), Route("b", levels="ERROR")))
    engine = Engine(EngineParts(levels=LEVELS, level=20, outputs=outputs, routing=routing, diagnostics=quiet()))
    logger = logger_of(engine)
    for number in range(40):
        logger.log("ERROR" if number % 4 == 0 else "INFO", "event", number=number)
    engine.drain()
    assert [form.lines for form in forms] == [30, 10]
    assert [len(sink.events) for sink in sinks] == [30, 10]


def test_a_hung_sink_is_waited_for_only_with_its_own_events(make_engine: MakeEngine) -> None:
    """Flush and drain: what is routed elsewhere is settled; a drain gives up what is the hung sink's."""
    hung, fine = Latched("hung"), Keeping("fine")
    routing = RoutingOptions((Route("hung", levels="ERROR"),), ("fine",))
    engine = make_engine(hung, fine, routing=routing, diagnostics=quiet())
    logger = logger_of(engine)
    for _ in range(100):
        logger.info("event")
    assert engine.flush(30)
    logger.error("event")
    assert hung.entered.wait(5)
    assert not engine.flush(0.02)
    logger.error("in the buffer")
    result = engine.drain(0.1)
    assert (result.timed_out, result.delivered, result.in_flight) == (True, 100, 1)
    assert engine.figures()["sinks"]["hung"]["dropped"] == {"shutdown_timeout": 1}
    assert balanced(engine.figures())


def test_under_wait_only_the_pressed_sinks_events_fill_its_buffer(make_engine: MakeEngine) -> None:
    """Nothing is lost, and each sink has what is its own in order."""
    slow, fine = Awaited("slow"), Keeping("fine")
    engine = make_engine(
        slow, fine,
        queue=QueueOptions(capacity=50, reserve=0, policy="wait", wait_seconds=None),
        batch=BatchOptions(max_events=7, max_age_seconds=0.001),
        routing=RoutingOptions((Route("slow", when=lambda event: event["number"] % 3 == 0),), ("fine",)),
    )  # fmt: skip
    logger = logger_of(engine)
    for number in range(1_000):
        logger.info("event", number=number)
    assert engine.drain(30).delivered == 1_000
    assert [event["number"] for event in slow.events] == list(range(0, 1_000, 3))
    assert [event["number"] for event in fine.events] == [number for number in range(1_000) if number % 3]


class _Faulty(Keeping):
    """Fails some batches in whole or in part, and remembers what it took and what was in its lines."""

    def __init__(self, name: str, form: str | None, faults: list[int]) -> None:
        super().__init__(name, blocks=name == "b")
        self.format = form  # type: ignore[assignment]
        self.faults = faults
        self.given: list[int] = []
        self.refused: Counter[int] = Counter()
        self.lock = threading.Lock()

    def take(self, batch: Batch) -> None:
        numbers = [event["number"] for event in batch.events]
        if self.format is not None:
            assert [json.loads(line)["number"] for line in batch.lines.splitlines()] == numbers
        self.given += numbers
        fault = self.faults.pop(0) if self.faults else 0
        if fault == 1:
            self.refused.update(numbers)
            raise SinkError("all of it")
        if fault == 2:
            bad = range(0, len(numbers), 2)
            self.refused.update(numbers[index] for index in bad)
            raise SinkError("some of it", failed_indexes=bad)

    def write(self, batch: Batch) -> None:
        self.take(batch)


class _FaultyAsync(_Faulty):
    async def write(self, batch: Batch) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        self.take(batch)


levels = st.none() | st.sets(st.sampled_from(sorted(NUMBERS)), min_size=1)
routes = st.builds(
    lambda to, its_levels, logger, modulus: (tuple(to), its_levels, logger, modulus),
    st.sets(st.sampled_from(SINKS), min_size=1),
    levels,
    st.none() | st.sampled_from(["app", "app.db", "other"]),
    st.none() | st.integers(1, 3),
)
events = st.lists(st.tuples(st.sampled_from(sorted(NUMBERS)), st.sampled_from(LOGGERS)), max_size=120)


@given(
    st.lists(routes, min_size=1, max_size=4),
    st.sets(st.sampled_from(SINKS)),
    events,
    st.lists(st.lists(st.integers(0, 2), max_size=4), min_size=3, max_size=3),
    st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_each_event_reaches_its_sinks_once_and_in_order(
    given_routes: list[Any], fallback: set[str], logged: list[tuple[str, str]], faults: list[list[int]], staged: bool
) -> None:
    """Whatever the routes, the formats and the faults; an event is delivered when all its sinks have taken it."""
    fallback |= set(SINKS) - {name for route in given_routes for name in route[0]}
    always = [route for route in given_routes if route[1:] == (None, None, None)]
    if always:
        given_routes.append((SINKS, None, None, None))
    options = RoutingOptions(
        tuple(
            Route(to, its_levels, logger, None if modulus is None else lambda e, m=modulus: e["number"] % m == 0)
            for to, its_levels, logger, modulus in given_routes
        ),
        tuple(fallback),
    )
    sinks = [_Faulty("a", None, faults[0]), _Faulty("b", "json", faults[1]), _FaultyAsync("c", "json", faults[2])]
    form = JsonFormat(LEVELS, {})
    outputs = [Output(sink, form if sink.format else None) for sink in sinks]
    stages: Any = {"processors": [lambda event: event]} if staged else {}
    engine = Engine(
        EngineParts(
            levels=LEVELS,
            level=20,
            outputs=outputs,
            routing=options,
            diagnostics=quiet(),
            batch=BatchOptions(max_events=5, max_age_seconds=0.001),
            **stages,
        )
    )
    for number, (level, logger) in enumerate(logged):
        SyncLoggerFacade(engine.origin(logger), lambda: engine).log(level, "event", number=number)
    assert engine.drain(20).in_flight == 0

    targets = [_targets(given_routes, fallback, number, *event) for number, event in enumerate(logged)]
    for sink in sinks:
        assert sink.given == [number for number, names in enumerate(targets) if sink.name in names]
    figures = engine.figures()
    assert balanced(figures)
    refused = {number for sink in sinks for number in sink.refused}
    assert sum(figures["filtered"].values()) == sum(not names for names in targets)
    assert sum(figures["failed"].values()) == len(refused)
    for sink in sinks:
        row = figures["sinks"][sink.name]
        assert row["filtered"].get("routing", 0) == sum(bool(names) and sink.name not in names for names in targets)
        assert row["delivered"] == len(sink.given) - sink.refused.total()


def _targets(given_routes: list[Any], fallback: set[str], number: int, level: str, logger: str) -> set[str]:
    """Say the rule once more, in the plainest way."""
    found: set[str] = set()
    for to, its_levels, prefix, modulus in given_routes:
        below = prefix is None or (logger + ".").startswith(prefix + ".")
        if below and (its_levels is None or level in its_levels) and (modulus is None or number % modulus == 0):
            found |= set(to)
    return found or fallback


def test_what_is_known_of_loggers_is_bounded() -> None:
    """A program that makes up logger names does not grow the router."""
    plain = router(RoutingOptions((Route(SINKS, logger="app"),)))
    for number in range(10_000):
        record = (0, 20, Origin(f"app.{number}", None), "m", {}, {}, {}, {}, None, None)  # type: ignore[arg-type]
        assert plain.route([record], [record], None).places == [[0], [0], [0]]
    assert len(plain._known) <= 4_096
