"""The metrics of the flight recorder: told where there is one, and at every scrape they add up to what was kept."""

import os
import signal
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fapilog.engine.engine import Engine
from fapilog.flight import Ledger, Limits, Recorder
from fapilog.levels import DEBUG
from fapilog.metrics import catalogue as the
from fapilog.metrics.prometheus import render
from tests.engine.conftest import MakeEngine
from tests.engine.sinks import Keeping

LIMITS = Limits(DEBUG, max_events=3, max_bytes=100_000, max_total_bytes=100_000)
RECORDER_METRICS = (the.RECORDER_EVENTS, the.RECORDER_HELD, the.RECORDER_BYTES)
OUTCOMES = ("released", "discarded", "evicted")
NOTHING = dict.fromkeys((*OUTCOMES, "held", "bytes"), 0)


def told(engine: Engine) -> dict[str, Any]:
    """Return what one scrape says, by the names that the account has."""
    found = dict(engine.metrics())
    outcomes = {point.labels[1]: point.value for point in found[the.RECORDER_EVENTS]}
    gauges = {"held": found[the.RECORDER_HELD], "bytes": found[the.RECORDER_BYTES]}
    return outcomes | {name: point.value for name, points in gauges.items() for point in points}


def accounted(figures: dict[str, int]) -> dict[str, int]:
    """Return an account as a scrape says it: without the sum."""
    return {name: value for name, value in figures.items() if name != "kept"}


def whole(told: dict[str, int]) -> int:
    return told["held"] + sum(told[outcome] for outcome in OUTCOMES)


def keep(engine: Engine, recorder: Recorder, count: int = 1) -> None:
    """Let a recorder of the engine take some events."""
    origin = engine.origin("app")
    for number in range(count):
        nothing: dict[str, Any] = {}
        record = (number, DEBUG, origin, "step", nothing, nothing, nothing, nothing, None, None)
        recorder.take(record, 1024, engine.queue, False)


def test_without_a_recorder_there_are_none(make_engine: MakeEngine) -> None:
    """The metrics are known, and have no points: nobody draws a line at zero for what is not there."""
    engine = make_engine(Keeping())
    text, _ = render(engine.metrics())

    assert told(engine) == {}
    assert b"\nfapilog_flight_recorder" not in text


def test_a_configured_one_is_told_before_it_keeps_anything(make_engine: MakeEngine) -> None:
    """A counter that appears with its first event hides that event from a rate."""
    assert told(make_engine(Keeping(), recorded=True)) == NOTHING


def test_one_that_is_not_configured_is_told_from_its_first_event_on(make_engine: MakeEngine) -> None:
    """As a block of a job does, and for good: a counter that goes away would be another process's."""
    engine = make_engine(Keeping())
    recorder = Recorder(LIMITS, engine.ledger)
    assert told(engine) == {}

    keep(engine, recorder)
    assert told(engine) == {**NOTHING, "held": 1, "bytes": recorder.size_bytes}
    recorder.finish(None)
    assert told(engine) == {**NOTHING, "discarded": 1}


def test_each_event_counts_where_it_went(make_engine: MakeEngine) -> None:
    """Let out, forgotten, pushed out, or still there; Prometheus gets them under its names."""
    engine = make_engine(Keeping(), name="orders", recorded=True)
    failed, well, going = (Recorder(LIMITS, engine.ledger) for _ in range(3))
    keep(engine, failed, 2)
    keep(engine, well, 7)
    keep(engine, going)
    failed.finish("error")
    well.finish(None)

    text, _ = render(engine.metrics())

    assert told(engine) == {
        "released": 2, "discarded": 3, "evicted": 4, "held": 1, "bytes": going.size_bytes,
    }  # fmt: skip
    assert set(text.decode().splitlines()) >= {
        'fapilog_flight_recorder_events_total{engine="orders",outcome="released"} 2.0',
        'fapilog_flight_recorder_events_total{engine="orders",outcome="discarded"} 3.0',
        'fapilog_flight_recorder_events_total{engine="orders",outcome="evicted"} 4.0',
        'fapilog_flight_recorder_held{engine="orders"} 1.0',
        f'fapilog_flight_recorder_size_bytes{{engine="orders"}} {float(going.size_bytes)}',
    }


STEPS = st.lists(st.tuples(st.sampled_from(["keep", "release", "discard"]), st.integers(0, 3)), max_size=40)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_they_are_the_account_whatever_happens(make_engine: MakeEngine, steps: list[tuple[str, int]]) -> None:
    """After every step the scrape says what the console says, it adds up to what was kept, and no counter falls."""
    engine = make_engine(Keeping(), recorded=True)
    limits = LIMITS._replace(max_total_bytes=4_000)
    recorders = [Recorder(limits, engine.ledger) for _ in range(4)]
    before = NOTHING
    for step, who in steps:
        if step == "keep":
            keep(engine, recorders[who])
        else:
            recorders[who].finish("slow" if step == "release" else None)
        now, figures = told(engine), engine.ledger.figures()
        assert now == accounted(figures)
        assert whole(now) == figures["kept"]
        assert all(now[outcome] >= before[outcome] for outcome in OUTCOMES)
        before = now


class Moving(Ledger):
    """An account that goes on as soon as it was read.

    Attributes:
        moves: Lets it go on.
        readings: What was read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.moves: Any = lambda: None
        self.readings: list[dict[str, int]] = []

    def figures(self) -> dict[str, int]:
        """Return the figures, and let events be kept, pushed out and let go."""
        figures = super().figures()
        self.readings.append(figures)
        self.moves()
        return figures


def test_a_scrape_is_of_one_moment(make_engine: MakeEngine) -> None:
    """What goes on while the metrics are made of the account is in the next scrape, all of it."""
    engine = make_engine(Keeping(), recorded=True)
    engine.ledger = ledger = Moving()

    def moves() -> None:
        for reason in ("error", None, None):
            recorder = Recorder(LIMITS, ledger)
            keep(engine, recorder, 5)
            recorder.finish(reason)
        keep(engine, Recorder(LIMITS, ledger), 2)

    ledger.moves = moves
    scrapes = [told(engine) for _ in range(3)]

    assert scrapes == [accounted(reading) for reading in ledger.readings]
    assert [whole(scrape) for scrape in scrapes] == [0, 17, 34]


def test_reading_waits_for_nobody_with_the_account_locked(make_engine: MakeEngine) -> None:
    """Log calls below the level go on while a scrape waits for the queue or the sinks' accounts."""
    engine = make_engine(Keeping(), recorded=True)
    read = threading.Event()
    engine.ledger = ledger = Moving()
    ledger.moves = read.set
    kept = threading.Event()

    def log() -> None:
        keep(engine, Recorder(LIMITS, ledger))
        kept.set()

    threads = [threading.Thread(target=engine.metrics), threading.Thread(target=log)]
    with engine.queue.lock:
        threads[0].start()
        assert read.wait(10)
        threads[1].start()
        assert kept.wait(10)
    for thread in threads:
        thread.join(10)


def test_threads_may_keep_while_others_read(make_engine: MakeEngine) -> None:
    """Every scrape adds up to what was kept at some moment between the one before it and the one after."""
    engine = make_engine(Keeping(), recorded=True)
    together = threading.Barrier(5)

    def work() -> None:
        together.wait(10)
        for number in range(150):
            recorder = Recorder(LIMITS, engine.ledger)
            keep(engine, recorder, 5)
            recorder.finish("error" if number % 10 == 0 else None, may_await=False)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    together.wait(10)
    while any(thread.is_alive() for thread in threads):
        least, now, most = engine.ledger.figures()["kept"], told(engine), engine.ledger.figures()["kept"]
        assert least <= whole(now) <= most
    for thread in threads:
        thread.join(10)

    assert told(engine) == {"released": 180, "discarded": 1620, "evicted": 1200, "held": 0, "bytes": 0}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("recorded", [True, False])
def test_a_forked_child_tells_its_own(make_engine: MakeEngine, *, recorded: bool) -> None:
    """It starts at zero, and a lock that another thread held at the fork is no trap; the parent's go on."""
    engine = make_engine(Keeping(), recorded=recorded)
    recorder = Recorder(LIMITS, engine.ledger)
    keep(engine, recorder, 5)
    before = told(engine)
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with engine.ledger._lock:
            held.set()
            over.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(10)
            engine.after_fork()
            fresh = told(engine)
            keep(engine, recorder)
            own = told(engine)
            code = 0 if fresh == (NOTHING if recorded else {}) and own["held"] == whole(own) == 1 else 2
        finally:
            os._exit(code)
    over.set()
    thread.join(10)

    assert os.waitpid(child, 0)[1] == 0
    assert told(engine) == before == {**NOTHING, "evicted": 2, "held": 3, "bytes": recorder.size_bytes}
