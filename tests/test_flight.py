"""The flight recorder's core: what is kept, how much, in which order it comes out, and that every event is counted."""

import os
import signal
import threading
import tracemalloc
from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.errors import ConfigError
from fapilog.event import Extra, Origin
from fapilog.flight import EVENT_BYTES, Ledger, Limits, Recorder
from fapilog.flight_options import FlightRecorderOptions
from fapilog.levels import DEBUG, LevelTable

CALL_BYTES = 1024
LIMITS = Limits(DEBUG, max_events=500, max_bytes=256_000, max_total_bytes=32_000_000)


class Queue:
    """Takes records; notes whether the ledger's lock was free for others then."""

    def __init__(self) -> None:
        self.items: deque[Any] = deque()
        self.limit = 0
        self.span_key = ""
        self.levels = LevelTable()
        self.taken: list[tuple[Any, ...]] = []
        self.waits: list[bool] = []
        self.bound: list[Origin] = []
        self.meanwhile: Any = None

    def bind(self, origin: Origin) -> None:
        """As the queue of a logger that has no engine yet."""
        self.bound.append(origin)

    def admit(self, record: tuple[Any, ...], *, may_await: bool) -> None:
        """Take one."""
        self.taken.append(record)
        self.waits.append(may_await)
        if self.meanwhile is not None:
            self.meanwhile(record)


def record_of(number: int, queue: Any, fields: dict[str, Any] | None = None, **parts: Any) -> tuple[Any, ...]:
    """Return a record whose time is ``number``."""
    origin = Origin("app", queue)
    bound, local, shared = (parts.get(name, EMPTY) for name in ("bound", "local", "shared"))
    fields = {"n": number} if fields is None else fields
    return (number, DEBUG, origin, "step", fields, bound, local, shared, None, parts.get("extra"))


EMPTY: dict[str, Any] = {}


@pytest.fixture
def queue() -> Queue:
    """One queue."""
    return Queue()


def keep(recorder: Recorder, *records: tuple[Any, ...], size: int = CALL_BYTES) -> None:
    """Give a recorder records."""
    for record in records:
        assert recorder.take(record, size, record[2].queue, False) is None


def agrees(ledger: Ledger) -> dict[str, int]:
    """Return the figures, which say where each event is."""
    figures = ledger.figures()
    assert figures["kept"] == sum(figures[name] for name in ("released", "discarded", "evicted", "held"))
    return figures


def test_what_is_kept_comes_out_in_order_as_it_was_captured(queue):
    """Time, message and context are those of the call; only the reason is added, and not to what was captured."""
    ledger = Ledger()
    recorder = Recorder(LIMITS, ledger)
    records = [record_of(n, queue) for n in range(3)]

    keep(recorder, *records)
    assert queue.taken == []
    outcome = recorder.finish("error")

    assert outcome == (3, 0)
    assert [record[0] for record in queue.taken] == [0, 1, 2]
    assert [record[4] for record in queue.taken] == [{"n": n, "flight_recorder": "error"} for n in range(3)]
    for before, after in zip(records, queue.taken, strict=True):
        assert before[:4] + before[5:] == after[:4] + after[5:]
        assert before[4] == {"n": before[0]}
    assert queue.waits == [True] * 3
    assert agrees(ledger) == {"kept": 3, "released": 3, "discarded": 0, "evicted": 0, "held": 0, "bytes": 0}


def test_what_went_well_is_forgotten(queue):
    """A discard hands nothing in, and from then on log calls are told that nothing is wanted."""
    ledger = Ledger()
    recorder = Recorder(LIMITS, ledger)
    keep(recorder, record_of(1, queue))

    assert recorder.finish(None) == (0, 0)
    keep(recorder, record_of(2, queue))
    assert recorder.finish("error") == (0, 0)

    assert queue.taken == []
    assert recorder.level > 1_000
    assert agrees(ledger) == {"kept": 1, "released": 0, "discarded": 1, "evicted": 0, "held": 0, "bytes": 0}


def test_what_is_logged_after_a_release_goes_straight_through(queue):
    """A task that outlives its failed request is part of the story; nothing of it is held back any more."""
    recorder = Recorder(LIMITS, Ledger())
    recorder.finish("slow")

    recorder.take(record_of(5, queue), CALL_BYTES, queue, True)
    recorder.take(record_of(6, queue), CALL_BYTES, queue, False)

    assert [record[4] for record in queue.taken] == [{"n": n, "flight_recorder": "slow"} for n in (5, 6)]
    assert queue.waits == [True, False]


def test_what_outlives_its_failed_request_does_not_go_on_for_ever(queue):
    """The worker of a pool that a request has started has this request's context as long as the process lives."""
    recorder = Recorder(LIMITS._replace(max_events=3), Ledger())
    recorder.finish("error")

    for number in range(10):
        recorder.take(record_of(number, queue), CALL_BYTES, queue, True)

    assert [record[4]["n"] for record in queue.taken] == [0, 1, 2]
    assert recorder.level > 1_000


def test_it_is_finished_once(queue):
    """A second end changes neither what came out nor why."""
    recorder = Recorder(LIMITS, Ledger())
    keep(recorder, record_of(1, queue))
    recorder.finish("error")

    assert recorder.finish("slow") == (0, 0)
    recorder.finish(None)
    recorder.take(record_of(2, queue), CALL_BYTES, queue, False)

    assert [record[4]["flight_recorder"] for record in queue.taken] == ["error", "error"]


def test_the_newest_are_kept_and_the_others_counted(queue):
    """Whatever a request logs, it holds ``max_events`` at most: those nearest to what went wrong."""
    ledger = Ledger()
    recorder = Recorder(LIMITS._replace(max_events=4), ledger)
    keep(recorder, *(record_of(n, queue) for n in range(10)))

    assert recorder.finish("error") == (4, 6)
    assert [record[0] for record in queue.taken] == [6, 7, 8, 9]
    assert agrees(ledger)["evicted"] == 6


def test_bytes_are_bounded_as_events_are(queue):
    """An event counts what it holds, 512 bytes at least."""
    recorder = Recorder(LIMITS._replace(max_bytes=4 * EVENT_BYTES), Ledger())
    keep(recorder, *(record_of(n, queue) for n in range(9)))
    assert recorder.size_bytes == 4 * EVENT_BYTES
    keep(recorder, record_of(9, queue), size=CALL_BYTES + 600)

    assert recorder.size_bytes <= 4 * EVENT_BYTES
    recorder.finish("error")
    assert [record[0] for record in queue.taken] == [7, 8, 9]


def test_one_event_that_is_too_large_costs_the_others_nothing(queue):
    """A megabyte in one call is not kept, and counted as evicted."""
    ledger = Ledger()
    recorder = Recorder(LIMITS, ledger)
    keep(recorder, record_of(1, queue))
    keep(recorder, record_of(2, queue), size=1_000_000)

    assert recorder.finish("error") == (1, 1)
    assert agrees(ledger)["evicted"] == 1


@pytest.mark.parametrize("part", ["bound", "local", "shared"])
def test_bound_fields_are_weighed_where_they_change(queue, part):
    """A large value bound anew for each event counts each time; one that all events share counts once."""
    text = "x" * 10_000
    shared = {"payload": text}
    recorder = Recorder(LIMITS, Ledger())
    keep(recorder, *(record_of(n, queue, **{part: shared}) for n in range(10)))
    assert recorder.size_bytes < 20_000

    recorder = Recorder(LIMITS, Ledger())
    keep(recorder, *(record_of(n, queue, **{part: {"payload": [text]}}) for n in range(100)))
    assert recorder.size_bytes <= LIMITS.max_bytes
    assert recorder.evicted > 70


def test_a_field_of_the_same_name_is_not_lost(queue):
    """A call's own ``flight_recorder`` is on the event under ``flight_recorder_``, or the next name that is free."""
    recorder = Recorder(LIMITS, Ledger())
    keep(recorder, record_of(1, queue, {"flight_recorder": "mine", "flight_recorder_": 1}))
    recorder.finish("error")

    assert queue.taken[0][4] == {"flight_recorder__": "mine", "flight_recorder_": 1, "flight_recorder": "error"}


def test_all_requests_together_are_bounded(queue):
    """Above the bound those give that hold most; who holds less than an equal share keeps what it has."""
    ledger = Ledger()
    limits = LIMITS._replace(max_total_bytes=100 * EVENT_BYTES)
    small = [Recorder(limits, ledger) for _ in range(10)]
    for number, recorder in enumerate(small):
        keep(recorder, *(record_of(number, queue) for _ in range(3)))
    greedy = [Recorder(limits, ledger) for _ in range(2)]
    for number in range(200):
        keep(greedy[number % 2], record_of(number, queue))
        assert agrees(ledger)["bytes"] <= limits.max_total_bytes

    assert [recorder.evicted for recorder in small] == [0] * 10
    assert [recorder.finish("error").released for recorder in small] == [3] * 10
    assert sum(recorder.finish("error").released for recorder in greedy) == 70


def test_a_newcomer_gets_its_share(queue):
    """When the bound is reached, a new request keeps its events at the cost of those that hold much."""
    ledger = Ledger()
    limits = LIMITS._replace(max_total_bytes=64 * EVENT_BYTES)
    for _ in range(4):
        keep(Recorder(limits, ledger), *(record_of(n, queue) for n in range(16)))
    newcomer = Recorder(limits, ledger)
    keep(newcomer, *(record_of(n, queue) for n in range(12)))

    assert newcomer.finish("error") == (12, 0)
    assert agrees(ledger)["evicted"] == 12


def test_no_lock_is_held_while_events_are_handed_in(queue):
    """A queue that makes its caller wait holds nobody else up: others keep and end meanwhile."""
    ledger = Ledger()
    recorder, other = Recorder(LIMITS, ledger), Recorder(LIMITS, ledger)
    keep(recorder, record_of(1, queue))

    def elsewhere(_: Any) -> None:
        queue.meanwhile = None
        thread = threading.Thread(target=lambda: (keep(other, record_of(2, queue)), other.finish(None)))
        thread.start()
        thread.join(10)
        assert not thread.is_alive()

    queue.meanwhile = elsewhere
    recorder.finish("error")

    assert queue.meanwhile is None
    assert agrees(ledger)["discarded"] == 1


def test_what_is_logged_during_a_release_comes_behind(queue):
    """An event that a thread logs while earlier ones are being handed in does not overtake them, and ends some time."""
    ledger = Ledger()
    recorder = Recorder(LIMITS, ledger)
    keep(recorder, *(record_of(n, queue) for n in range(3)))
    numbers = iter(range(100, 200))
    late: list[int] = []

    def log_more(record: tuple[Any, ...]) -> None:
        if record[0] < 100 or len(late) < 20:
            late.append(next(numbers))
            recorder.take(record_of(late[-1], queue), CALL_BYTES, queue, False)

    queue.meanwhile = log_more
    recorder.finish("error")

    assert [record[0] for record in queue.taken][:6] == [0, 1, 2, 100, 101, 102]
    assert sorted(record[0] for record in queue.taken) == [0, 1, 2, *late]
    assert agrees(ledger)["held"] == 0


def test_the_loggers_engine_of_the_end_gets_them(queue):
    """The engine that was the default at the call may have been replaced: where the logger leads now counts."""
    recorder = Recorder(LIMITS, Ledger())
    record = record_of(1, queue)
    keep(recorder, record)
    later = Queue()
    record[2].queue = later
    recorder.finish("error")

    assert queue.taken == []
    assert len(later.taken) == 1
    assert later.bound == [record[2]]


@pytest.mark.parametrize(("on", "kept"), [("slow", ("slow",)), (["slow", "error", "slow"], ("slow", "error"))])
def test_reasons_are_words_or_a_list_of_them(on, kept):
    """Each counts once."""
    assert FlightRecorderOptions(on=on).on == kept


@pytest.mark.parametrize("on", [(), "", ("error", "rarely"), None, 1, {"error": True}])
def test_reasons_that_there_are_not_are_refused(on):
    """Also none at all: then nothing would ever come out."""
    with pytest.raises(ConfigError, match=r"^with_flight_recorder\(on\)"):
        FlightRecorderOptions(on=on)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(0, 5), st.integers(0, 9_000)),
        st.tuples(st.just("release"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("discard"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("fork"), st.just(0), st.just(0)),
    ),
    max_size=120,
)


@given(
    steps=STEPS,
    limits=st.builds(Limits, st.just(DEBUG), st.integers(1, 8), st.integers(1, 20_000), st.integers(1, 40_000)),
)
def test_every_event_is_counted_and_every_bound_kept(steps, limits):
    """Whatever happens in whatever order: the account balances, nothing is over, order and contents are those taken."""
    queue = Queue()
    ledger = Ledger()
    recorders = [Recorder(limits, ledger) for _ in range(6)]
    mine: dict[int, list[int]] = {n: [] for n in range(6)}
    forked = False
    for number, (step, who, size) in enumerate(steps):
        recorder = recorders[who]
        before = len(queue.taken)
        if step == "take":
            extra = Extra(size_bytes=size) if size else None
            open_before = recorder.state == 0
            recorder.take(record_of(number, queue, extra=extra), CALL_BYTES + size, queue, False)
            if open_before:
                mine[who].append(number)
        elif step == "fork":
            ledger.reset()
            forked = True
            mine = {n: [] for n in range(6)}
        else:
            outcome = recorder.finish("error" if step == "release" else None)
            came = [record[0] for record in queue.taken[before:]]
            assert len(came) == outcome.released
            assert came == [n for n in mine[who] if n in set(came)]
            assert not came or forked or outcome.released + outcome.evicted == len(mine[who])
        figures = agrees(ledger)
        held = sum(len(each.kept or ()) for each in recorders)
        assert figures["held"] == held
        assert figures["bytes"] == sum(each.size_bytes for each in recorders) <= limits.max_total_bytes
        assert all(each.size_bytes <= limits.max_bytes for each in recorders)
        assert all(len(each.kept or ()) <= limits.max_events for each in recorders)


def test_threads_share_a_recorder(queue):
    """Of what many threads log at once nothing is lost, counted twice, or out of the order of its thread."""
    ledger = Ledger()
    recorder = Recorder(LIMITS._replace(max_events=100_000, max_bytes=10**9, max_total_bytes=10**9), ledger)
    together = threading.Barrier(9)

    def work(thread: int) -> None:
        together.wait(10)
        for number in range(500):
            recorder.take(record_of(number, queue, {"t": thread, "n": number}), CALL_BYTES, queue, False)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    together.wait(10)
    recorder.finish("error", may_await=False)
    for thread in threads:
        thread.join(10)

    seen = [record[4] for record in queue.taken]
    assert len(seen) == 8 * 500
    for thread_number in range(8):
        assert sorted(each["n"] for each in seen if each["t"] == thread_number) == list(range(500))
    agrees(ledger)


def test_a_request_without_kept_events_costs_its_recorder_only():
    """Nothing is made before the first event: 10 000 recorders at a time take some hundred bytes each."""
    ledger = Ledger()
    tracemalloc.start()
    recorders = [Recorder(LIMITS, ledger) for _ in range(10_000)]
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(recorders) == 10_000
    assert size / 10_000 < 300


@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_forgets_what_its_parent_keeps(queue):
    """The child's copy comes out nowhere; what the child logs is its own; a lock that was held is no trap."""
    ledger = Ledger()
    recorder = Recorder(LIMITS, ledger)
    keep(recorder, record_of(1, queue))

    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with ledger._lock:
            held.set()
            over.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.alarm(10)
            ledger.reset()
            keep(recorder, record_of(2, queue))
            recorder.finish("error")
            code = 0 if [record[0] for record in queue.taken] == [2] else 2
        finally:
            os._exit(code)
    over.set()
    thread.join(10)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert recorder.finish("error") == (1, 0)
