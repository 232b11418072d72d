"""Small real sinks for the engine's tests."""

import asyncio
import threading
from typing import Any

from fapilog.protocols import Batch


class Keeping:
    """Keeps events; ``blocks=True`` makes the engine treat it as one that may block."""

    format = None

    def __init__(self, name: str = "keeping", *, blocks: bool = True) -> None:
        self.name = name
        self.blocks = blocks
        self.events: list[dict[str, Any]] = []
        self.opened = self.closed = 0

    async def open(self) -> None:
        self.opened += 1

    async def close(self) -> None:
        self.closed += 1

    def write(self, batch: Batch) -> None:
        self.events.extend(batch.events)


class Latched(Keeping):
    """Blocks in ``write`` until released."""

    def __init__(self, name: str = "latched") -> None:
        super().__init__(name)
        self.entered = threading.Event()
        self.latch = threading.Event()

    def write(self, batch: Batch) -> None:
        self.entered.set()
        self.latch.wait(30)
        super().write(batch)

    def release(self) -> None:
        self.latch.set()


class Raising(Keeping):
    """Raises what it is given at each write."""

    def __init__(self, error: BaseException, name: str = "raising") -> None:
        super().__init__(name)
        self.error = error

    def write(self, batch: Batch) -> None:
        raise self.error


class Awaited(Keeping):
    """An asynchronous sink that keeps the batches apart; waits for its latch if it has one."""

    def __init__(self, name: str = "awaited", *, latched: bool = False) -> None:
        super().__init__(name)
        self.batches: list[list[dict[str, Any]]] = []
        self.latched = latched

    async def write(self, batch: Batch) -> None:  # type: ignore[override]
        while self.latched:
            await asyncio.sleep(0.001)
        self.batches.append(batch.events)
        self.events.extend(batch.events)

    def release(self) -> None:
        self.latched = False
