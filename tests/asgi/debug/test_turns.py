"""Searches one at a time."""

import asyncio
import threading

import pytest

from fapilog.asgi.debug.turns import Turns


def test_one_begins_when_the_one_before_it_has_returned() -> None:
    """However many ask, one thread is busy; also on the next loop, where again some have to wait."""
    turns, begun = Turns(), [0]

    async def several() -> list[int]:
        held = threading.Event()

        def search() -> int:
            begun[0] += 1
            held.wait()
            return begun[0]

        asked = [asyncio.create_task(turns.call(search)) for _ in range(3)]
        for _ in range(5):
            await asyncio.to_thread(str)
        alone = begun == [1]
        held.set()
        assert alone
        return await asyncio.gather(*asked)

    for _ in range(2):
        begun[0] = 0
        assert asyncio.run(several()) == [1, 2, 3]


def test_one_that_raises_or_is_given_up_holds_nobody_up() -> None:
    """What it raises goes to whoever has asked."""
    turns, going_on = Turns(), threading.Event()

    async def course() -> str:
        with pytest.raises(ZeroDivisionError):
            await turns.call(lambda: 1 // 0)
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()

        def long() -> None:
            loop.call_soon_threadsafe(begun.set)
            going_on.wait()

        given_up = asyncio.create_task(turns.call(long))
        await begun.wait()
        given_up.cancel()
        found = await turns.call(lambda: "found")
        going_on.set()
        return found

    assert asyncio.run(course()) == "found"
