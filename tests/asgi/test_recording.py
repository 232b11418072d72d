"""The flight recorder of requests: what fails or is slow tells all it has logged, what goes well tells nothing."""

import asyncio
import contextlib
import gc
import json
import logging as logging_module
import os
import threading
import tracemalloc
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from fapilog import LoggerBuilder, _runtime, bind_context, carry_context, get_async_logger, get_logger
from fapilog.asgi import exchange
from fapilog.asgi.each_request import RequestMiddleware
from fapilog.asgi.recording import recording_of
from fapilog.edge_options import AsgiOptions
from fapilog.flight_options import FlightRecorderOptions
from fapilog.sinks.memory import MemorySink
from fapilog.stdlib import capture_stdlib
from tests.asgi.driver import Server, http_scope, reply, websocket_scope
from tests.flights import Flight

pytestmark = pytest.mark.asyncio
app_log = get_logger("app")


class Served(Flight):
    """An engine with a flight recorder, and the middleware of an application on it."""

    def __init__(self, builder: Any = None, **options: Any) -> None:
        super().__init__(LoggerBuilder() if builder is None else builder, FlightRecorderOptions(**options))

    def wrap(self, app: Any, **asgi: Any) -> RequestMiddleware:
        """Put the middleware around an application."""
        return RequestMiddleware(app, AsgiOptions(**asgi), below=recording_of(self.options))


@contextlib.contextmanager
def flight_of(**options: Any) -> Iterator[Served]:
    """Make an engine the default for a block."""
    flight = Served(**options)
    _runtime.push_default(flight.engine)
    try:
        yield flight
    finally:
        _runtime.pop_default(flight.engine)
        result = flight.engine.drain(10.0)
        assert (result.dropped, result.failed, result.in_flight) == (0, 0, 0)
        assert flight.figures["held"] == 0


@pytest.fixture
def flight() -> Iterator[Served]:
    """With the defaults."""
    with flight_of() as made:
        yield made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The exchange's clock; ``now`` is seconds."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(exchange, "perf_counter_ns", lambda: int(clock.now * 1_000_000_000))
    return clock


async def run(app: Any, scope: Any = None, server: Server | None = None) -> list[Any]:
    """Serve one request."""
    return await (server or Server()).run(app, scope or http_scope())


def logging(status: int = 200, error: Exception | None = None, steps: int = 3) -> Any:
    """Return an application that logs some steps and an INFO, and then answers or raises."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for number in range(steps):
            app_log.debug("step", n=number)
        app_log.info("middle")
        if error is not None:
            raise error
        await reply(send, status)

    return app


async def test_a_request_that_goes_well_tells_nothing_more(flight):
    """What is below the level is forgotten; what is at or above it goes out as ever."""
    await run(flight.wrap(logging()))

    assert flight.messages == ["middle", "request_completed"]
    assert not any(key.startswith("flight_recorder") for event in flight.events for key in event)
    assert flight.figures | {"bytes": 0} == {
        "kept": 3, "released": 0, "discarded": 3, "evicted": 0, "held": 0, "bytes": 0,
    }  # fmt: skip


async def test_a_request_whose_application_raises_tells_all(flight):
    """In order, with their own times, under the request's id, before the last event, which says how many there are."""
    error = RuntimeError("out of stock")
    with pytest.raises(RuntimeError) as caught:
        await run(flight.wrap(logging(error=error)))

    assert caught.value is error
    assert flight.messages == ["middle", "step", "step", "step", "request_failed"]
    middle, *steps, last = flight.events
    assert [(step["n"], step["level"], step["flight_recorder"]) for step in steps] == [
        (n, "DEBUG", "error") for n in range(3)
    ]
    times = [step["timestamp"] for step in steps]
    assert times == sorted(times)
    assert times[-1] <= middle["timestamp"] <= last["timestamp"]
    assert len({event["request_id"] for event in flight.events}) == 1
    assert (last["flight_recorder"], last["flight_recorder_released"]) == ("error", 3)
    assert "flight_recorder_evicted" not in last


@pytest.mark.parametrize(("status", "released"), [(200, 0), (304, 0), (404, 0), (499, 0), (500, 3), (503, 3)])
async def test_the_status_decides(flight, status, released):
    """From 500 on it is our fault, and told; below it is the client's."""
    await run(flight.wrap(logging(status)))

    assert flight.figures["released"] == released
    assert flight.events[-1].get("flight_recorder") == ("error" if released else None)


@pytest.mark.parametrize(("seconds", "reason"), [(0.999, None), (1.0, "slow"), (30.0, "slow")])
async def test_a_slow_request_tells_all(flight, clock, seconds, reason):
    """From ``slow_seconds`` on, measured to the last byte of the answer."""

    async def app(scope, receive, send):
        app_log.debug("query", table="orders")
        clock.now += seconds
        await reply(send)

    await run(flight.wrap(app))

    assert [event.get("flight_recorder") for event in flight.events] == ([reason, reason] if reason else [None])
    assert flight.figures["released"] == bool(reason)


async def test_background_work_after_the_answer_is_not_slow(flight, clock):
    """A quick answer with a long background task is no slow request; one that raises is a failed one."""

    async def app(scope, receive, send):
        await reply(send)
        app_log.debug("mail")
        clock.now += 60
        if scope["path"] == "/broken":
            raise ConnectionError

    await run(flight.wrap(app))
    assert flight.figures["released"] == 0

    with pytest.raises(ConnectionError):
        await run(flight.wrap(app), http_scope("/broken"))
    assert flight.messages == ["request_completed", "mail", "request_failed"]


@pytest.mark.parametrize(("on", "failed", "slow"), [("error", 2, 0), (("slow",), 1, 1), (("error", "slow"), 2, 1)])
async def test_on_chooses(clock, on, failed, slow):
    """Only what was asked for lets events out; a failed request that is slow as well is an error if that counts."""
    with flight_of(on=on) as flight:

        async def app(scope, receive, send):
            app_log.debug("step")
            clock.now += 5 if "slow" in scope["path"] else 0
            await reply(send, 500 if "failed" in scope["path"] else 200)

        for path in ("/good", "/failed", "/slow/failed"):
            await run(flight.wrap(app), http_scope(path))
        assert flight.figures["released"] == failed
        assert flight.events[-1]["flight_recorder"] == ("error" if "error" in on else "slow")
        await run(flight.wrap(app), http_scope("/slow"))
        assert flight.events[-1].get("flight_recorder") == ("slow" if slow else None)


async def test_an_answer_that_stops_in_the_middle_is_an_error(flight):
    """The application fails, or ends, when the status has long been sent."""

    async def app(scope, receive, send):
        app_log.debug("row", n=1)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"1,", "more_body": True})
        app_log.debug("row", n=2)
        if scope["path"] == "/raises":
            raise LookupError

    await run(flight.wrap(app))
    with pytest.raises(LookupError):
        await run(flight.wrap(app), http_scope("/raises"))

    assert flight.messages == ["row", "row", "request_completed", "row", "row", "request_failed"]


async def test_a_client_that_leaves_is_no_error(flight, clock):
    """Nobody waits any more; but if it left because it was slow, that is told."""

    class ClientDisconnectError(OSError):
        pass

    async def app(scope, receive, send):
        app_log.debug("step")
        clock.now += 9 if scope["path"] == "/slow" else 0
        await receive()
        if scope["path"] != "/slow":
            raise asyncio.CancelledError

    for path in ("/quick", "/slow"):
        with contextlib.suppress(asyncio.CancelledError):
            await run(flight.wrap(app), http_scope(path), Server({"type": "http.disconnect"}))

    assert flight.messages == ["request_completed", "step", "request_completed"]
    assert [event["outcome"] for event in flight.events if "outcome" in event] == ["client_disconnected"] * 2


@pytest.mark.parametrize("asgi", [{"access_log": False}, {"skip_paths": ["/things/*"]}, {"sample_rate": 0.0}])
async def test_events_come_out_without_a_completion_event_too(flight, clock, asgi):
    """A recorder needs no access log, and no sample."""
    with pytest.raises(ValueError, match="x"):
        await run(flight.wrap(logging(error=ValueError("x")), **asgi))
    await run(flight.wrap(logging(), **asgi))
    assert flight.figures["released"] == 3
    assert flight.figures["discarded"] == 3


async def test_what_a_task_logs_after_the_end(flight):
    """After a failure it goes straight out; after a success it is forgotten."""
    go = asyncio.Event()
    tasks = []

    async def later():
        await go.wait()
        app_log.debug("late")

    async def app(scope, receive, send):
        tasks.append(asyncio.create_task(later()))
        await reply(send, int(scope["path"][1:]))

    await run(flight.wrap(app), http_scope("/200"))
    await run(flight.wrap(app), http_scope("/500"))
    go.set()
    await asyncio.gather(*tasks)

    late = [event for event in flight.events if event["message"] == "late"]
    assert [event["flight_recorder"] for event in late] == ["error"]
    assert flight.figures["kept"] == 0


async def test_threads_and_tasks_of_a_request_are_one(flight):
    """Synchronous endpoints run in threads, and work is spread over tasks: all of it is kept in one place."""

    def endpoint():
        bind_context(order=7)
        app_log.debug("in a thread")

    async def part():
        (await get_async_logger("app")).debug("in a task")

    async def app(scope, receive, send):
        await asyncio.to_thread(endpoint)
        await asyncio.create_task(part())
        thread = threading.Thread(target=carry_context(lambda: app_log.debug("carried")))
        thread.start()
        await asyncio.to_thread(thread.join)
        await reply(send, 500)

    await run(flight.wrap(app))

    assert flight.messages == ["in a thread", "in a task", "carried", "request_completed"]
    assert [event["order"] for event in flight.events] == [7, 7, 7, 7]
    assert flight.figures["released"] == 3


async def test_requests_do_not_see_each_others_events(flight, clock):
    """200 at a time, none of them slow, every fifth fails: the events of those, all of them, and no other."""
    gate = asyncio.Event()
    waiting = []

    async def app(scope, receive, send):
        number = int(scope["path"][1:])
        for step in range(4):
            app_log.debug("step", number=number, step=step)
            if step == 1:
                waiting.append(number)
                await gate.wait()
            await asyncio.to_thread(app_log.debug, "thread", number=number, step=step)
        await reply(send, 500 if number % 5 == 0 else 200)

    wrapped = flight.wrap(app)
    runs = [asyncio.create_task(run(wrapped, http_scope(f"/{number}"))) for number in range(200)]
    while len(waiting) < 200:
        await asyncio.sleep(0)
    assert flight.figures["held"] >= 200 * 3
    gate.set()
    await asyncio.gather(*runs)

    steps = [event for event in flight.events if event["message"] in {"step", "thread"}]
    by_request: dict[str, list[dict[str, Any]]] = {}
    for event in steps:
        by_request.setdefault(event["request_id"], []).append(event)
    assert len(by_request) == 40
    for events in by_request.values():
        assert len({event["number"] for event in events}) == 1
        assert events[0]["number"] % 5 == 0
        assert [(event["message"], event["step"]) for event in events] == [
            (message, step) for step in range(4) for message in ("step", "thread")
        ]
    assert flight.figures["released"] == 40 * 8


async def test_the_newest_are_kept(flight):
    """A request that logs without end keeps the last 500, and says how many it could not."""
    await run(flight.wrap(logging(500, steps=5_000)))

    steps = [event["n"] for event in flight.events if event["message"] == "step"]
    assert steps == list(range(4_500, 5_000))
    last = flight.events[-1]
    assert (last["flight_recorder_released"], last["flight_recorder_evicted"]) == (500, 4_500)


async def test_what_comes_out_is_redacted_like_any_other(flight):
    """Stages run when events come out, as for all."""

    async def app(scope, receive, send):
        app_log.debug("login", password="hunter2", flight_recorder="mine")
        await reply(send, 500)

    await run(flight.wrap(app))

    event = flight.events[0]
    assert "hunter2" not in str(event)
    assert (event["flight_recorder_"], event["flight_recorder"]) == ("mine", "error")


async def test_exceptions_and_large_values_are_kept_by_value(flight):
    """What is out of the ordinary is captured at the call, as ever: later changes do not show."""

    async def app(scope, receive, send):
        rows = [1, 2]
        try:
            raise KeyError("gone")
        except KeyError:
            app_log.debug("lookup %s", "failed", exc_info=True, rows=rows)
        rows.append(3)
        await reply(send, 500)

    await run(flight.wrap(app))

    event = flight.events[0]
    assert (event["message"], event["rows"], event["exception"]["type"]) == ("lookup failed", [1, 2], "KeyError")


async def test_records_of_the_standard_library(flight):
    """What ``capture_stdlib`` takes below the level is kept as well."""
    library = logging_module.getLogger("library")

    async def app(scope, receive, send):
        library.debug("connecting to %s", "db")
        await asyncio.to_thread(library.debug, "connected")
        await reply(send, int(scope["path"][1:]))

    with capture_stdlib(level="DEBUG", loggers=("library",)):
        library.debug("outside a request")
        await run(flight.wrap(app), http_scope("/200"))
        await run(flight.wrap(app), http_scope("/500"))

    assert flight.messages == ["request_completed", "connecting to db", "connected", "request_completed"]


async def test_a_level_of_its_own(flight):
    """Below the recorder's level nothing is kept; above the loggers' nothing is held back."""
    _runtime.set_level("WARNING")
    log = get_logger("app")

    async def app(scope, receive, send):
        log.log(5, "trace")
        log.debug("kept")
        log.info("kept, too")
        log.warning("at once")
        assert log.is_enabled_for("DEBUG")
        assert not log.is_enabled_for(5)
        await reply(send, 500)

    await run(flight.wrap(app))
    log.debug("outside a request")

    assert flight.messages == ["at once", "kept", "kept, too", "request_completed"]
    assert not log.is_enabled_for("DEBUG")


async def test_the_completion_event_of_a_success_stays_below_the_level(flight):
    """Where INFO is off, the completion event of a good request is off, too, and that of a slow one comes out."""
    _runtime.set_level("WARNING")
    await run(flight.wrap(logging()))

    assert flight.messages == []


async def test_a_websocket_tells_all_if_it_fails(flight, clock):
    """By the same rules at its end, but that it is not slow because it is long."""

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        for number in range(2_000):
            app_log.debug("message", n=number)
        clock.now += 3_600
        if scope["path"] == "/raises":
            raise ValueError("stop")
        await send({"type": "websocket.close", "code": 1011 if scope["path"] == "/broken" else 1000})

    wrapped = flight.wrap(app)
    await run(wrapped, websocket_scope("/good"), Server({"type": "websocket.connect"}))
    assert flight.figures["released"] == 0
    await run(wrapped, websocket_scope("/broken"), Server({"type": "websocket.connect"}))
    assert flight.events[-1]["flight_recorder_released"] == 500
    with pytest.raises(ValueError, match="stop"):
        await run(wrapped, websocket_scope("/raises"), Server({"type": "websocket.connect"}))
    last = flight.events[-1]
    assert (last["message"], last["flight_recorder_released"], last["flight_recorder_evicted"]) == (
        "websocket_failed", 500, 1_500,
    )  # fmt: skip


async def test_a_full_queue_never_blocks_the_loop():
    """Under ``wait`` without limit what finds no room waits in the queue's line; the request ends at once."""
    sink = MemorySink(max_events=10_000)
    builder = LoggerBuilder().with_queue(capacity=50, reserve=0).with_backpressure("wait", None).add_sink(sink)
    chosen = builder._set(flight_recorder=FlightRecorderOptions()).options()
    engine = _runtime.build_engine(chosen)
    _runtime.push_default(engine)
    app = RequestMiddleware(logging(500, steps=400), below=recording_of(chosen))

    await run(app)

    assert engine.flush(10.0)
    assert [event.get("n") for event in sink.events if event["message"] == "step"] == list(range(400))
    assert sink.events[-1]["message"] == "request_completed"
    _runtime.pop_default(engine)
    engine.drain(10.0)


async def test_memory_is_flat_over_100_000_requests():
    """P47: requests come and go, some fail; what is left afterwards is what was there before."""
    with flight_of(max_events=20) as flight:
        flight.sink.clear()

        async def app(scope, receive, send):
            for number in range(3):
                app_log.debug("step", n=number)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        wrapped = flight.wrap(app, access_log=False)
        start = {"type": "http.request", "body": b"", "more_body": False}

        async def receive():
            return start

        async def send(message):
            pass

        async def serve(count):
            for _ in range(count):
                await wrapped(http_scope(), receive, send)

        await serve(2_000)
        gc.collect()
        tracemalloc.start()
        try:
            await serve(1_000)
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            await serve(2_000)
            gc.collect()
            after, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert after - before < 20_000
        assert peak - before < 500_000
        resident = _resident()
        await serve(95_000)
        gc.collect()

        assert _resident() - resident < 8_000_000
        assert flight.figures["kept"] == flight.figures["discarded"] == 300_000


async def test_memory_is_flat_on_a_long_stream(flight):
    """P47: a request that never ends holds what it may, however much it logs, in bytes as well."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        peak = 0
        for number in range(20_000):
            app_log.debug("chunk", n=number, text="x" * 2_000)
            peak = max(peak, flight.figures["bytes"]) if number % 500 == 0 else peak
        assert 200_000 < peak <= 256_000
        await send({"type": "http.response.body", "body": b""})

    await run(flight.wrap(app))
    assert flight.figures["evicted"] > 19_000


async def test_many_requests_at_a_time_stay_below_the_bound_of_all():
    """1 000 requests that log without end hold ``max_total_bytes`` together, and each its share."""
    with flight_of(max_total_bytes="1 MB") as flight:
        gate = asyncio.Event()
        waiting = []

        async def app(scope, receive, send):
            for number in range(50):
                app_log.debug("step", n=number)
            waiting.append(scope)
            await gate.wait()
            await reply(send, 500)

        runs = [asyncio.create_task(run(flight.wrap(app))) for _ in range(1_000)]
        while len(waiting) < 1_000:
            await asyncio.sleep(0)
            assert flight.figures["bytes"] <= 1_000_000
        assert flight.figures["held"] > 1_500
        gate.set()
        await asyncio.gather(*runs)

        last = [event["n"] for event in flight.events if event["message"] == "step"]
        assert last.count(49) > 900


@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
async def test_a_fork_within_a_request(flight):
    """The child's copy is the parent's business: it comes out once, in the parent; nothing hangs in either."""
    statuses = []

    async def app(scope, receive, send):
        app_log.debug("before")
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                app_log.debug("in the child")
                figures = _runtime.default_engine().ledger.figures()
                code = 0 if (figures["kept"], figures["held"]) == (1, 1) else 2
            finally:
                os._exit(code)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))  # noqa: ASYNC222 - the child ends at once
        app_log.debug("after")
        await reply(send, 500)

    await run(flight.wrap(app))

    assert statuses == [0]
    assert flight.messages == ["before", "after", "request_completed"]


async def test_a_recorder_that_breaks_costs_neither_answer_nor_event(flight, monkeypatch):
    """Whatever goes wrong in it is counted and said; the request and its completion event are as ever."""
    monkeypatch.setattr("fapilog.flight.Ledger.discard", lambda *_: 1 / 0)
    server = Server()
    await run(flight.wrap(logging()), server=server)

    assert server.body == b"hello"
    assert flight.messages[:2] == ["middle", "request_completed"]
    assert flight.engine.diagnostics.counts()["asgi_recorder"] == 1
    monkeypatch.undo()
    flight.engine.ledger.reset()


async def test_events_come_out_even_if_the_completion_event_cannot(flight, monkeypatch):
    """What breaks before it is known how the request went is an error of ours: what was kept is told."""
    monkeypatch.setattr(exchange, "departed", lambda *_: 1 / 0)
    with pytest.raises(KeyError):
        await run(flight.wrap(logging(error=KeyError("x"))))

    assert flight.messages[:4] == ["middle", "step", "step", "step"]
    assert flight.figures["held"] == 0


async def test_the_file_reads_in_order(tmp_path):
    """What the engine writes is what came out, line by line, with the times of the calls."""
    chosen = LoggerBuilder().add_file(tmp_path / "app.log")._set(flight_recorder=FlightRecorderOptions()).options()
    engine = _runtime.build_engine(chosen)
    _runtime.push_default(engine)
    await run(RequestMiddleware(logging(503), below=recording_of(chosen)))
    _runtime.pop_default(engine)
    engine.drain(10.0)

    lines = [json.loads(line) for line in (tmp_path / "app.log").read_text().splitlines()]
    assert [line["message"] for line in lines] == ["middle", "step", "step", "step", "request_completed"]
    assert [line["timestamp"] for line in lines[1:4]] == sorted(line["timestamp"] for line in lines[1:4])
    assert lines[3]["timestamp"] <= lines[0]["timestamp"]


def _resident() -> int:
    """Return the memory of this process, in bytes."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
