"""Measurements are recorded by a thread that nothing but a collection waits for, and by a new one in each process."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, PeriodicExportingMetricReader

import fapilog
from fapilog import _runtime
from fapilog.context import OWN_WORK, current
from fapilog.metrics.catalogue import BATCH_SIZE, DELIVERY, HTTP_DURATION
from fapilog.otel.meters import LOST, HttpRecorder, Instruments
from fapilog.otel.recording import Recording
from tests.engine.sinks import Keeping
from tests.otel.test_meters import RECORDING, Kept, points_in, provider_with

GET: dict[str, str | int] = {"http.request.method": "GET"}
SECONDS = 10.0
LONG = 60.0


@pytest.fixture(autouse=True)
def own_recording(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test a process state of its own: one test's stuck thread is no other's."""
    state = _runtime._State()
    monkeypatch.setattr(_runtime, "_state", state)
    yield
    for engine in list(state.engines):
        engine.drain()


@contextmanager
def stuck(recording: Recording) -> Iterator[None]:
    """Keep the thread of a recording busy for the length of a block."""
    entered, leave = threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        leave.wait(LONG)

    recording.hand_over(hang)
    assert entered.wait(SECONDS)
    try:
        yield
    finally:
        leave.set()


@contextmanager
def locked(provider: MeterProvider) -> Iterator[None]:
    """Hold the locks under which the SDK records into what it has aggregated before, as a reader does."""
    held = []
    for storage in provider._measurement_consumer._reader_storages.values():
        for matches in storage._instrument_view_instrument_matches.values():
            for match in matches:
                held += [aggregation._lock for aggregation in match._attributes_aggregation.values()]
    assert held
    for lock in held:
        lock.acquire()
    try:
        yield
    finally:
        for lock in held:
            lock.release()


def metric_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "fapilog-metrics"]


@given(st.lists(st.one_of(st.none(), st.integers(1, 30)), max_size=20))
def test_a_collection_has_all_that_was_told_before_it(steps: list[int | None]) -> None:
    """Whatever the order of measurements and collections, of batches and of requests; nothing has to be slept for."""
    reader = InMemoryMetricReader()
    provider = provider_with(reader)
    tell = Instruments(provider, list, RECORDING).deliveries_of("root")
    http = HttpRecorder(provider, RECORDING)
    sizes: list[int] = []
    for step in [*steps, None]:
        if step is not None:
            for size in range(step):
                tell("sink", 0.1, size)
                http.record(0.1, GET)
                sizes.append(size)
            continue
        found = points_in(reader.get_metrics_data())
        told = {name: [point.count for point in points.values()] for name, points in found.items()}
        assert told == (
            {key: [len(sizes)] for key in (BATCH_SIZE.name, DELIVERY.name, HTTP_DURATION.name)} if sizes else {}
        )
        assert [point.sum for point in found.get(BATCH_SIZE.name, {}).values()] == ([sum(sizes)] if sizes else [])


def test_a_request_alone_is_collected_too() -> None:
    """Where there is no engine that publishes, its recorder is the one that the collection waits for."""
    reader = InMemoryMetricReader()
    recorder = HttpRecorder(provider_with(reader), Recording())
    for _ in range(500):
        recorder.record(0.1, GET)

    (point,) = points_in(reader.get_metrics_data())[HTTP_DURATION.name].values()

    assert point.count == 500


def test_the_last_collection_has_everything() -> None:
    """That which a provider's shutdown makes."""
    exporter, recording = Kept(), Recording()
    provider = provider_with(PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000))
    tell = Instruments(provider, list, recording).deliveries_of("root")
    for _ in range(1000):
        tell("sink", 0.1, 1)
    provider.shutdown()

    (point,) = points_in(exporter.exports[-1])[BATCH_SIZE.name].values()
    assert point.count == 1000


def test_threads_that_tell_at_the_same_time_lose_nothing() -> None:
    """There is one thread for all of them, although each may have been the first."""
    reader, recording = InMemoryMetricReader(), Recording()
    tell = Instruments(provider_with(reader), list, recording).deliveries_of("root")
    together, before = threading.Barrier(4), len(metric_threads())

    def work() -> None:
        together.wait()
        for _ in range(500):
            tell("sink", 0.1, 1)

    running = [threading.Thread(target=work) for _ in range(4)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()

    (point,) = points_in(reader.get_metrics_data())[BATCH_SIZE.name].values()
    assert point.count == 2000
    assert len(metric_threads()) - before == 1


def test_what_finds_no_room_is_counted_and_said_and_a_metric(capsys: pytest.CaptureFixture[str]) -> None:
    """The queue is bounded; whoever tells does not wait."""
    reader, recording = InMemoryMetricReader(), Recording(most=3)
    tell = Instruments(provider_with(reader), list, recording).deliveries_of("root")
    with stuck(recording):
        for _ in range(5):
            tell("sink", 0.1, 1)
        assert recording.lost == 2

    found = points_in(reader.get_metrics_data())

    assert [point.count for point in found[BATCH_SIZE.name].values()] == [3]
    assert [point.value for point in found[LOST].values()] == [2]
    assert capsys.readouterr().err == "fapilog: metrics: 2 measurements found no room; no histogram has them\n"


def test_a_collection_waits_once_for_a_thread_that_is_stuck(capsys: pytest.CaptureFixture[str]) -> None:
    """It tells the rest, and the next ones do not wait at all, until the thread goes on."""
    reader, recording = InMemoryMetricReader(), Recording(patience=LONG)
    tell = Instruments(provider_with(reader), list, recording).deliveries_of("root")
    with stuck(recording):
        tell("sink", 0.1, 1)
        recording.catch_up(0.01)
        said = capsys.readouterr().err
        began = time.monotonic()
        assert points_in(reader.get_metrics_data()) == {}
        assert time.monotonic() - began < SECONDS
    recording._lines[os.getpid()]._behind.wait(SECONDS)  # type: ignore[union-attr]

    assert [point.count for point in points_in(reader.get_metrics_data())[BATCH_SIZE.name].values()] == [1]
    assert said == "fapilog: metrics: OpenTelemetry's histograms take no measurements at present\n"


def test_a_collection_waits_no_longer_than_its_patience() -> None:
    """A reader is late by that, once."""
    reader, recording = InMemoryMetricReader(), Recording(patience=0.01)
    HttpRecorder(provider_with(reader), recording)
    began = time.monotonic()
    with stuck(recording):
        reader.get_metrics_data()

    assert time.monotonic() - began < SECONDS


def test_neither_engine_nor_request_waits_for_the_sdk() -> None:
    """While the SDK's locks are held events are delivered, a drain ends, a request is counted."""
    reader = InMemoryMetricReader()
    provider = provider_with(reader)
    logger = fapilog.LoggerBuilder().add_sink(Keeping()).with_metrics(meter_provider=provider).build()
    recorder = HttpRecorder(provider, _runtime.recording())
    logger.info("first")
    assert logger.flush(SECONDS)
    recorder.record(0.1, GET)
    reader.get_metrics_data()

    with locked(provider):
        logger.info("second")
        recorder.record(0.1, GET)
        result = logger.drain(SECONDS)

    assert (result.delivered, result.timed_out) == (2, False)
    found = points_in(reader.get_metrics_data())
    assert [point.sum for point in found[BATCH_SIZE.name].values()] == [2]
    assert [point.count for point in found[HTTP_DURATION.name].values()] == [2]


def test_what_the_sdk_raises_is_said_and_the_thread_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    """A view or a reservoir of the user may be wrong."""
    recording, done = Recording(), threading.Event()
    recording.hand_over(int, "no number")
    recording.hand_over(done.set)

    assert done.wait(SECONDS)
    assert "fapilog: metrics: ValueError: invalid literal" in capsys.readouterr().err


def test_the_thread_is_our_own_work_and_keeps_nothing() -> None:
    """What is logged there cannot feed itself, no library makes spans there, no context outlives its measurement."""
    recording, seen, gone = Recording(), [], threading.Event()

    class Thing:
        def look(self) -> None:
            seen.append((current.get().request, otel_context.get_value("suppress_instrumentation")))

        def __del__(self) -> None:
            gone.set()

    recording.hand_over(Thing().look)

    assert gone.wait(SECONDS)
    assert seen == [(OWN_WORK, True)]


def test_without_a_thread_the_collection_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system gives none, as at the end of the interpreter."""
    reader, recording = InMemoryMetricReader(), Recording()
    tell = Instruments(provider_with(reader), list, recording).deliveries_of("root")

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        for _ in range(3):
            tell("sink", 0.1, 1)
        (early,) = points_in(reader.get_metrics_data())[BATCH_SIZE.name].values()
    tell("sink", 0.1, 1)
    (late,) = points_in(reader.get_metrics_data())[BATCH_SIZE.name].values()

    assert (early.count, late.count) == (3, 4)


@pytest.mark.parametrize("provider", [None, metrics.NoOpMeterProvider()], ids=["not set", "no-op"])
def test_without_an_sdk_there_is_no_thread(provider: metrics.MeterProvider | None) -> None:
    """Nothing is handed over; nothing waits."""
    recording, before = Recording(), len(metric_threads())
    Instruments(provider, list, recording).deliveries_of("root")("sink", 0.1, 1)
    HttpRecorder(provider, recording).record(0.1, GET)

    assert recording._lines == {}
    assert len(metric_threads()) == before


def test_an_sdk_that_is_switched_off_has_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """``OTEL_SDK_DISABLED``: its provider gives what does nothing."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    recording = Recording()
    HttpRecorder(provider_with(), recording).record(0.1, GET)

    assert recording._lines == {}


FORK = """
import faulthandler, os, threading
from contextlib import nullcontext
import fapilog
from fapilog import _runtime
from fapilog.otel.meters import HttpRecorder
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from tests.engine.sinks import Keeping
from tests.otel.test_recording import BATCH_SIZE, GET, HTTP_DURATION, locked, metric_threads, points_in, provider_with

reader = InMemoryMetricReader()
provider = provider_with(reader)
logger = fapilog.LoggerBuilder().add_sink(Keeping()).with_metrics(meter_provider=provider).build()
recorder = HttpRecorder(provider, _runtime.recording())

def use():
    logger.info("paid")
    assert logger.flush(30)
    recorder.record(0.1, GET)

def told():
    found = points_in(reader.get_metrics_data())
    batches, requests = found[BATCH_SIZE.name].values(), found[HTTP_DURATION.name].values()
    return [point.sum for point in batches], [point.count for point in requests]

use()
assert told() == ([1], [1])
(thread,) = metric_threads()
with HOW:
    child = os.fork()
    if not child:
        faulthandler.dump_traceback_later(20, exit=True)
        logger.info("child")
        recorder.record(0.1, GET)
        result = logger.drain(5)
        own = metric_threads()
        print("child", result.delivered, result.timed_out, HAS, thread not in own, len(own), flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
use()
print("parent", status, told(), metric_threads() == [thread])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(
    ("how", "has", "collected"),
    [("locked(provider)", "None", None), ("nullcontext()", "told()", ([2], [2]))],
    ids=["while the SDK's locks are held", "at rest"],
)
def test_a_forked_child_delivers_and_records_by_itself(how: str, has: str, collected: Any) -> None:
    """P31: no lock is inherited held that an engine or an event loop would wait for, and the thread is a new one."""
    code = FORK.replace("HOW", how).replace("HAS", has)

    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    told = f"child 1 False {collected} True 1\nparent 0 ([2], [2]) True\n"
    assert (done.stderr, done.stdout) == ("", told)


WAITING = """
import os
from fapilog.otel.recording import Recording
from tests.otel.test_recording import stuck

recording, seen = Recording(), []
with stuck(recording):
    recording.hand_over(seen.append, "parent's")
    child = os.fork()
    if not child:
        recording.catch_up()
        recording.hand_over(seen.append, "child's")
        recording.catch_up()
        print(seen, recording.lost, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
recording.catch_up()
print(seen)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_what_waits_at_a_fork_is_recorded_by_the_parent_alone() -> None:
    """And the child does not wait for it."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", WAITING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (done.stderr, done.stdout) == ("", '["child\'s"] 0\n["parent\'s"]\n')
