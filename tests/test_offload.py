"""Blocking calls are made by one daemon thread, in order."""

import asyncio
import threading

import pytest

from fapilog.offload import DaemonExecutor, Offload

pytestmark = pytest.mark.asyncio


async def test_calls_are_made_in_order_by_one_other_thread() -> None:
    """Results and exceptions come back to who asked."""
    offload = Offload("test-offload")
    seen: list[tuple[int, str]] = []

    def note(number: int) -> int:
        seen.append((number, threading.current_thread().name))
        return number * 2

    results = await asyncio.gather(*(offload.run(note, number) for number in range(20)))
    with pytest.raises(ZeroDivisionError):
        await offload.run(lambda: 1 // 0)
    offload.close()

    assert results == [number * 2 for number in range(20)]
    assert seen == [(number, "test-offload") for number in range(20)]


async def test_it_is_a_daemon_and_ends_when_closed() -> None:
    """The exit of the interpreter waits for no call that hangs; a closed one can be used again."""
    offload = Offload("test-offload")
    thread = await offload.run(threading.current_thread)
    assert thread.daemon

    offload.close()
    thread.join(10)
    assert not thread.is_alive()

    assert await offload.run(lambda: 7) == 7
    offload.close()


async def test_a_cancelled_call_does_not_disturb_the_next() -> None:
    """It goes on to its end, and its result is thrown away."""
    offload = Offload("test-offload")
    begun, release = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        release.wait(10)

    first = asyncio.ensure_future(offload.run(hang))
    while not begun.is_set():
        await asyncio.sleep(0)
    first.cancel()
    second = asyncio.ensure_future(offload.run(lambda: "next"))
    release.set()

    assert await second == "next"
    assert first.cancelled()
    offload.close()


async def test_a_system_without_threads_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next call tries again."""
    offload = Offload("test-offload")

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="new thread"):
            await offload.run(int)

    assert await offload.run(int) == 0
    offload.close()


async def test_a_resolver_that_hangs_does_not_hang_the_end_of_a_loop() -> None:
    """``asyncio.run`` joins a pool of the standard library; these threads are daemons that nobody joins."""
    release, begun = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        release.wait(60)

    async def resolve() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(DaemonExecutor())
        assert await loop.run_in_executor(None, int, "7") == 7
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, lambda: 1 // 0)
        hanging = loop.run_in_executor(None, hang)
        while not begun.is_set():
            await asyncio.sleep(0)
        hanging.cancel()

    ended = threading.Thread(target=asyncio.run, args=(resolve(),), daemon=True)
    ended.start()
    ended.join(20)
    assert not ended.is_alive()
    release.set()
    for thread in threading.enumerate():
        if thread.name == "fapilog-call":
            assert thread.daemon
            thread.join(20)
