"""Tells the websockets of this worker about orders."""

import asyncio

from example_app.models import OrderUpdate

WAITING_UPDATES = 100


class OrderUpdates:
    """Hands each update to every listener. For one event loop; a listener that does not read misses updates."""

    def __init__(self) -> None:
        """Start without listeners."""
        self._listeners: set[asyncio.Queue[OrderUpdate]] = set()

    def subscribe(self) -> asyncio.Queue[OrderUpdate]:
        """Return a queue that gets every later update, until :meth:`unsubscribe`."""
        listener: asyncio.Queue[OrderUpdate] = asyncio.Queue(WAITING_UPDATES)
        self._listeners.add(listener)
        return listener

    def unsubscribe(self, listener: asyncio.Queue[OrderUpdate]) -> None:
        """Stop handing updates to ``listener``."""
        self._listeners.discard(listener)

    def publish(self, update: OrderUpdate) -> int:
        """Hand ``update`` to the listeners and return how many took it."""
        ready = [listener for listener in self._listeners if not listener.full()]
        for listener in ready:
            listener.put_nowait(update)
        return len(ready)
