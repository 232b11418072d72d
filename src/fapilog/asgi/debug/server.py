"""What an answer that never ends has to know of the server around it, and ASGI does not tell: that it is stopping.

uvicorn and hypercorn wait for open answers before they shut the lifespan down, uvicorn for ever. So the objects behind
``receive`` and ``send`` are looked at, and those behind the handler of SIGTERM, by the names of their attributes; no
server is imported, and one that has none of them is not noticed before its lifespan ends.
"""

import signal
from typing import Any

from fapilog.asgi.types import Receive, Send
from fapilog.diagnostics import attempt


class ServerWatch:
    """Watches the server of one request.

    Args:
        receive: As the server gave it.
        send: As the server gave it.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        """Remember how the connection is now."""
        self._exchange = getattr(receive, "__self__", None)
        self._kept_alive = self._keeps_alive()
        self._context = getattr(getattr(send, "__self__", None), "context", None)

    def is_stopping(self) -> bool:
        """Tell whether the server is shutting down, as far as it can be known."""
        stopping, failed = attempt(self._seen_stopping)
        return failed is None and stopping

    def hang_up(self) -> bool:
        """Close the connection without waiting for what was sent; False if it cannot be reached."""
        abort = getattr(getattr(self._exchange, "transport", None), "abort", None)
        _, failed = attempt(abort) if abort is not None else (None, None)
        return abort is not None and failed is None

    def _keeps_alive(self) -> bool:
        return getattr(self._exchange, "keep_alive", None) is True

    def _seen_stopping(self) -> bool:
        # uvicorn, also in a thread or after its last request: at shutdown no open connection is to be used again.
        if self._kept_alive and not self._keeps_alive():
            return True
        # uvicorn, alone and as a worker of its own and of gunicorn: its handler is a method of the server.
        handler: Any = signal.getsignal(signal.SIGTERM)
        if getattr(getattr(handler, "__self__", None), "should_exit", None) is True:
            return True
        # hypercorn.
        terminated = getattr(self._context, "terminated", None)
        return terminated is not None and terminated.is_set() is True
