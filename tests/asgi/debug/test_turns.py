"""The console's own thread."""

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from fapilog.asgi.debug.turns import Turns


def test_one_begins_when_the_one_before_it_has_returned() -> None:
    """However many ask, one thread is busy; also on the next loop."""
    turns, begun = Turns(), [0]

    async def several() -> list[int]:
        held, first = threading.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def search() -> int:
            begun[0] += 1
            loop.call_soon_threadsafe(first.set)
            held.wait()
            return begun[0]

        asked = [asyncio.create_task(turns.call(search)) for _ in range(3)]
        await first.wait()
        for _ in range(5):
            await asyncio.to_thread(str)
        alone = begun == [1]
        held.set()
        assert alone
        return await asyncio.gather(*asked)

    for _ in range(2):
        begun[0] = 0
        assert asyncio.run(several()) == [1, 2, 3]


def test_it_does_not_wait_for_the_threads_of_the_application() -> None:
    """An application whose threads all wait for something is one that somebody wants to look into."""
    held = threading.Event()

    async def course() -> str:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        stuck = asyncio.create_task(asyncio.to_thread(held.wait))
        await asyncio.sleep(0)
        turns = Turns()
        try:
            name = await asyncio.wait_for(turns.call(lambda: threading.current_thread().name), 5)
        finally:
            held.set()
        await stuck
        return name

    assert asyncio.run(course()) == "fapilog-console"


def test_what_is_raised_goes_to_whoever_has_asked_and_the_next_is_served() -> None:
    """Arguments are passed on; the thread outlives an error."""
    turns = Turns()

    async def course() -> int:
        with pytest.raises(ZeroDivisionError):
            await turns.call(divmod, 1, 0)
        return (await turns.call(divmod, 7, 2))[0]

    assert asyncio.run(course()) == 3


def test_a_forked_child_has_a_thread_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of its parent is not there."""
    turns = Turns()

    async def course() -> tuple[int, int]:
        here = await turns.call(threading.get_ident)
        monkeypatch.setattr(os, "getpid", lambda: -1)
        return here, await turns.call(threading.get_ident)

    here, there = asyncio.run(course())

    assert here != there
