"""Blocking calls off an event loop, on daemon threads.

The pools of the standard library join their threads when the interpreter or the loop ends, so that a call that hangs,
such as that of a resolver that does not answer, would hang the exit; a daemon thread does not.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from fapilog.context import enter_own_work
from fapilog.diagnostics import attempt

_Call = tuple[asyncio.Future[Any], asyncio.AbstractEventLoop, Callable[..., Any], tuple[Any, ...]]


class Offload:
    """A thread that makes one call at a time. Use it from one event loop; start it anew in a forked child.

    A call that was cancelled while it ran goes on to its end; what it returns is thrown away, and the next one waits.

    Args:
        name: The thread's name.
    """

    def __init__(self, name: str) -> None:
        """Start no thread before the first call."""
        self._name = name
        self._calls: deque[_Call] = deque()
        self._ready = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False

    async def run(self, function: Callable[..., Any], /, *args: Any) -> Any:
        """Return what ``function(*args)`` returns, or raise what it raises.

        Raises:
            RuntimeError: If the system gives no thread.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        with self._ready:
            self._calls.append((future, loop, function, args))
            if self._thread is None:
                self._closing = False
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                _, error = attempt(self._thread.start)
                if error is not None:
                    self._thread = None
                    self._calls.clear()
                    raise error
            self._ready.notify()
        return await future

    def close(self) -> None:
        """Let the thread end when it has made the calls that wait; the next call starts another one."""
        with self._ready:
            self._closing = True
            self._ready.notify()

    def _work(self) -> None:
        enter_own_work()
        while True:
            with self._ready:
                while not self._calls and not self._closing:
                    self._ready.wait()
                if not self._calls:
                    self._thread = None
                    return
                future, loop, function, args = self._calls.popleft()
            result, error = attempt(function, *args)
            # The loop may be gone by now: then nobody waits for this any more.
            attempt(loop.call_soon_threadsafe, _settle, future, result, error)


def _settle(future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


class DaemonExecutor(ThreadPoolExecutor):
    """What an event loop resolves names on: a daemon thread for each call, which nothing waits for at the end.

    The loops of asyncio take no other kind of executor; the pool itself stays empty.
    """

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Make the call on a thread of its own.

        Raises:
            RuntimeError: If the system gives no thread.
        """
        future: Future[Any] = Future()
        call = partial(function, *args, **kwargs)
        threading.Thread(target=_call, args=(future, call), name="fapilog-call", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        """Let the calls end by themselves."""


def _call(future: "Future[Any]", function: Callable[[], Any]) -> None:
    enter_own_work()
    if future.set_running_or_notify_cancel():
        result, error = attempt(function)
        # Whoever waited for it may be gone, and the loop with it.
        attempt(future.set_result, result) if error is None else attempt(future.set_exception, error)
