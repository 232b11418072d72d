"""A flush speaks of the events before it, whatever happens to those after."""

import threading
from collections.abc import Callable

from fapilog.delivery.buffer import BatchOptions
from fapilog.diagnostics import Diagnostics
from fapilog.engine.engine import Engine
from fapilog.engine.flush import flush_mark
from fapilog.engine.queue import QueueOptions
from tests.engine.conftest import MakeEngine, logger_of
from tests.engine.sinks import Awaited, Latched


def quiet() -> Diagnostics:
    return Diagnostics(write=lambda _: None)


def mark(engine: Engine) -> Callable[[], bool]:
    return flush_mark(engine.queue, engine.accounts)


def test_drops_at_the_queue_do_not_count_as_progress(make_engine: MakeEngine) -> None:
    """Ten wait behind a hung sink; a hundred more that find no room leave the ten where they are."""
    sink = Latched()
    engine = make_engine(sink, queue=QueueOptions(capacity=10, reserve=0), diagnostics=quiet())
    logger = logger_of(engine)
    logger.info("in hand")
    assert sink.entered.wait(5)
    for _ in range(10):
        logger.info("waiting")
    reached = mark(engine)
    for _ in range(100):
        logger.info("dropped")
    assert engine.figures()["dropped"] == {"queue_full": 100}
    assert not reached()
    sink.release()
    assert engine.flush(30)
    assert reached()
    assert len(sink.events) >= 11


def test_drops_at_a_sink_do_not_count_as_progress(make_engine: MakeEngine) -> None:
    """The same for what finds no room in the buffer of one sink."""
    sink = Awaited(latched=True)
    engine = make_engine(
        sink, queue=QueueOptions(capacity=20, reserve=0), batch=BatchOptions(max_events=5), diagnostics=quiet()
    )
    logger = logger_of(engine)
    for _ in range(20):
        logger.info("waiting")
    reached = mark(engine)
    taken = threading.Event()
    while sum(engine.accounts.sinks["awaited"].dropped.values()) < 100:
        assert not reached()
        logger.info("more")
        taken.wait(0.0001)
    assert not reached()
    sink.release()
    assert engine.flush(30)
    assert reached()
