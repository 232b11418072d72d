"""What the console does after a while, on the loop that serves it."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Protocol


class Timer(Protocol):
    """What a :data:`CallLater` returns."""

    def cancel(self) -> None: ...  # noqa: D102 - the name says it


CallLater = Callable[[float, Callable[[], None]], Timer]
"""Calls a function after so many seconds."""


def on_loop(seconds: float, function: Callable[[], None]) -> Timer:
    """Call a function later on the running loop, in nobody's context."""
    return asyncio.get_running_loop().call_later(seconds, function, context=Context())
