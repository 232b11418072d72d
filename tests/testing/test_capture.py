"""``capture_logs``: what was logged in a block, and nothing else."""

import asyncio
import contextlib
import logging
import threading

import httpx
import pytest
from fastapi import FastAPI

from fapilog import _runtime, bind_context, context_scope, get_async_logger, get_logger
from fapilog.errors import ConfigError
from fapilog.fastapi import FastAPIBuilder
from fapilog.testing import capture_logs

module_logger = get_logger(__name__)


def test_logger_made_before_the_block_is_caught() -> None:
    """A module-level logger follows, with its fields, its bound context and its exception."""
    with capture_logs() as logs, context_scope(request_id="r1"):
        module_logger.bind(shop=1).info("paid", order=7)
        try:
            raise ValueError("bad")
        except ValueError:
            module_logger.exception("failed")

    first, second = logs.events
    assert (first["logger"], first["message"], first["order"], first["shop"]) == (__name__, "paid", 7, 1)
    assert first["request_id"] == "r1"
    assert second["exception"]["type"] == "ValueError"


def test_events_are_complete_whenever_they_are_read() -> None:
    """Reading waits for what was logged before; there is no need to sleep."""
    with capture_logs() as logs:
        for number in range(500):
            module_logger.info(f"n{number}")
            if number % 100 == 0:
                assert logs.messages[-1] == f"n{number}"

    assert logs.messages == [f"n{number}" for number in range(500)]


@pytest.mark.asyncio
async def test_asynchronous_logger_is_caught() -> None:
    """The asynchronous facade and tasks of their own are caught, too."""
    with capture_logs() as logs:
        logger = await get_async_logger("job")
        await logger.info("awaited")
        logger.info("forgotten")
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(module_logger.info, "thread"))

        assert logs.messages == ["awaited", "forgotten", "thread"]


def test_former_default_is_back_afterwards() -> None:
    """After the block, and after one that raised, loggers lead where they led before."""
    with capture_logs() as outer:
        with contextlib.suppress(RuntimeError), capture_logs() as inner:
            module_logger.info("inner")
            raise RuntimeError("stop")
        module_logger.info("outer")

        assert (inner.messages, outer.messages) == (["inner"], ["outer"])
        assert _runtime.default_engine() is outer.engine


def test_no_thread_is_left() -> None:
    """The block takes its engine's thread with it."""
    before = set(threading.enumerate())

    with capture_logs() as logs:
        module_logger.info("x")
        assert logs.messages == ["x"]

    assert set(threading.enumerate()) == before


def test_find_and_clear() -> None:
    """Events are found by message and fields, and forgotten on demand."""
    with capture_logs() as logs:
        module_logger.info("paid", order=1, cart=["x"])
        module_logger.info("paid", order=2)
        module_logger.info("sent", order=2, note=None)

        assert [event["message"] for event in logs.find(order=2)] == ["paid", "sent"]
        assert [event["order"] for event in logs.find("paid", cart=["x"])] == [1]
        assert logs.find("sent", note=None) != []
        assert logs.find("paid", note=None) == []
        logs.clear()
        module_logger.info("new")
        assert logs.messages == ["new"]


def test_level_limits_what_is_caught() -> None:
    """From DEBUG on by default, from a given level on otherwise; a wrong one is refused."""
    with capture_logs() as logs:
        module_logger.debug("all")
    with capture_logs("WARNING") as warnings:
        module_logger.info("no")
        module_logger.warning("yes")

    assert logs.messages == ["all"]
    assert warnings.messages == ["yes"]
    with pytest.raises(ConfigError, match=r"capture_logs\(level\)"), capture_logs("LOUD"):
        pass


def test_concurrent_threads_are_caught_in_order() -> None:
    """Nothing is lost or reordered under load."""
    barrier = threading.Barrier(8)

    def work(name: int) -> None:
        barrier.wait()
        bind_context(worker=name)
        for number in range(300):
            module_logger.info("x", n=number)

    with capture_logs() as logs:
        threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    for name in range(8):
        assert [event["n"] for event in logs.find(worker=name)] == list(range(300))


def test_beside_caplog_and_capfd(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """P49: pytest's own fixtures see theirs, we see ours, and nothing is printed."""
    with capture_logs() as logs:
        module_logger.warning("ours")
        logging.getLogger(__name__).warning("theirs")

    assert logs.messages == ["ours"]
    assert caplog.messages == ["theirs"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.asyncio
async def test_running_application_is_caught() -> None:
    """Opened while an application runs, the block has the events of its requests, the completion event too."""
    app = FastAPI(lifespan=FastAPIBuilder().build())

    @app.get("/orders/{number}")
    async def order(number: int) -> int:
        module_logger.info("Order shown", order=number)
        return number

    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        with capture_logs() as logs:
            answer = await client.get("/orders/7")

        (shown,) = logs.find("Order shown", order=7)
        (completed,) = logs.find("request_completed", status_code=200)
        assert shown["request_id"] == completed["request_id"] == answer.headers["x-request-id"]


@pytest.mark.asyncio
async def test_application_started_inside_the_block_is_caught() -> None:
    """The engine that its lifespan brings does not take the block's place, and ends as it began."""
    app = FastAPI(lifespan=FastAPIBuilder().build())
    with capture_logs() as logs:
        async with app.router.lifespan_context(app):
            module_logger.info("running")
            assert logs.messages == ["running"]
        module_logger.info("stopped")
    assert logs.messages == ["running", "stopped"]


def test_it_is_a_sequence_of_events() -> None:
    """It has a length, an order and a membership, as a list would."""
    with capture_logs() as logs:
        for number in range(3):
            get_logger("app").info("event", number=number)
        assert len(logs) == 3
        assert logs[0]["number"] == 0
        assert [event["number"] for event in logs] == [0, 1, 2]
        assert [event["number"] for event in logs[1:]] == [1, 2]
