"""A thread and the client that lives in it: made together, left behind together when a call hangs."""

import threading
from collections.abc import Callable
from typing import Any

from fapilog.diagnostics import attempt
from fapilog.offload import Offload
from fapilog.sinks.cloudwatch.client import LogsClient


class Connection:
    """Makes calls of a client in one daemon thread, one after the other. Used from one event loop.

    Args:
        name: The thread's name.
        make: Makes the client; called in the thread by the first call, and again as long as it raises.

    Attributes:
        client: The client once it is made. It can be used again after ``close``.
    """

    def __init__(self, name: str, make: Callable[[], LogsClient]) -> None:
        """Start no thread."""
        self._offload = Offload(name)
        self._make = make
        self.client: LogsClient | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._busy = False

    @property
    def busy(self) -> bool:
        """Whether the thread is in a call."""
        return self._busy

    async def run(self, function: Callable[..., Any], *args: Any) -> tuple[Any, Exception | None]:
        """Return what ``function(client, *args)`` returns, or None and what it raised.

        A call that is cancelled while it waits is never made; one that runs goes on, and its result is lost.

        Raises:
            RuntimeError: If the system gives no thread.
        """
        wanted = threading.Event()
        wanted.set()
        try:
            answer: tuple[Any, Exception | None] = await self._offload.run(self._call, wanted, function, args)
        finally:
            wanted.clear()
        return answer

    def close(self) -> None:
        """Let the thread end, and the connection with it. At once, whatever runs."""
        with self._lock:
            self._closed = True
            client = self.client
        self._offload.close()
        if client is not None:
            attempt(client.close)

    def _call(self, wanted: threading.Event, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        if not wanted.is_set():
            return None, None
        self._busy = True
        answer = attempt(self._answer, function, args)
        self._busy = False
        return answer

    def _answer(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        if self.client is None:
            client = self._make()
            with self._lock:
                self.client, closed = client, self._closed
            if closed:
                client.close()
        return function(self.client, *args)
