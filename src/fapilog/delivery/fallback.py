"""Another sink for what could not be delivered.

    write ─► the sink ─► taken
                │ ─► what it could not take ─► Target ─► the other sink, in its own format
                ╰─► refused for good ─► raised, if a file keeps it; else to the other sink, too

What the other sink is given has been through the stages like everything else, redaction included. It is counted as
delivered, and in ``fell_back``.
"""

import asyncio
import inspect
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

from fapilog import checks
from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.context import do_own_work
from fapilog.delivery.batches import batch_of
from fapilog.delivery.plugin import REOPEN_SECONDS
from fapilog.delivery.wrapping import Honest, Wrapper, at_once, finished
from fapilog.diagnostics import attempt
from fapilog.errors import CircuitOpenError, ConfigError, RejectedError, SinkError
from fapilog.offload import Offload
from fapilog.protocols import Batch, Format, Sink

_RESCUE_SECONDS = 1.0


@dataclass(frozen=True)
class FallbackOptions:
    """Where goes what a sink could not deliver.

    Attributes:
        to: The name of a sink that was added, which then gets nothing else; or a file, if there is a slash in it, with
            rotation as ``add_file`` does it by default. Its sink is called ``fallback``.
    """

    to: str

    def __post_init__(self) -> None:
        """Check the value; whether there is such a sink is checked when the logger is built.

        Raises:
            ConfigError: If it cannot be used.
        """
        checks.text(self.to, "with_fallback(to)")

    @property
    def path(self) -> str | None:
        """The file, if it is one."""
        return self.to if "/" in self.to or os.sep in self.to else None


class Late:
    """A synchronous sink of JSON lines that is made when it is opened: a directory that nobody needs is not made.

    Args:
        name: Its name.
        make: Makes the sink; may raise ``ConfigError``.
    """

    def __init__(self, name: str, make: Callable[[], Sink]) -> None:
        """Make nothing yet."""
        self.name = name
        self.inner: Sink | None = None
        self._make = make

    async def open(self) -> None:
        """Make and open the sink.

        Raises:
            SinkError: If it cannot be made.
        """
        try:
            self.inner = self._make()
        except ConfigError as error:
            raise SinkError(str(error)) from error
        await finished(self.inner.open())

    def write(self, batch: Batch) -> None:
        """Write to the sink."""
        if self.inner is not None:
            self.inner.write(batch)

    async def close(self) -> None:
        """Close the sink if it was opened."""
        if self.inner is not None:
            await finished(self.inner.close())


class Target:
    """The other sink, shared by all that fall back to it: one batch at a time, whatever thread it comes from.

    A synchronous sink is written to by a thread of its own for wrappers on an event loop, and at once for others.

    Args:
        sink: The other sink.
        form: Makes its lines; None if it reads dicts only.
    """

    def __init__(self, sink: Sink, form: Format | None) -> None:
        """Open nothing: that happens with the first batch."""
        self.sink = sink
        self.form = form
        self.waits = inspect.iscoroutinefunction(sink.write)
        self._asked = Honest(sink, waits=self.waits)
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._turn = asyncio.Lock()
        self._opened = False
        self._offload = Offload(f"fapilog-{self.sink.name}")

    def prepare(self) -> None:
        """Forget in a forked child what the parent has opened."""
        if self._pid != os.getpid():
            self._begin()

    async def write(self, batch: Batch, *, here: bool) -> None:
        """Write events in the sink's own format.

        Args:
            batch: The events.
            here: Whether the calling thread may be blocked; nothing is waited for then.

        Raises:
            SinkError: If the sink cannot take them.
        """
        own = batch_of(batch.flat, self.form)
        if self.waits:
            async with self._turn:
                if not self._opened:
                    await self._asked.open()
                    self._opened = True
                await self._asked.write(own)
        elif here:
            self._write(own)
        else:
            await self._offload.run(self._write, own)

    async def close(self) -> None:
        """Close the sink if it was opened; the next batch opens it again."""
        self._offload.close()
        if self.waits:
            async with self._turn:
                if self._opened:
                    self._opened = False
                    await finished(self.sink.close())
            # The next one belongs to the next run's event loop.
            self._turn = asyncio.Lock()
            return
        with self._lock:
            if self._opened:
                self._opened = False
                await finished(self.sink.close())

    def rescue(self, batch: Batch) -> bool:
        """Write at once, from any thread, what nobody has time to deliver any more; tell whether that was done.

        It takes a second at most. An asynchronous sink is not used: its loop is not the caller's.
        """
        ended: list[Exception | None] = []
        if not self.waits:
            own = batch_of(batch.flat, self.form)

            def write() -> None:
                ended.append(attempt(do_own_work, self._write, own)[1])

            thread = threading.Thread(target=write, daemon=True)
            _, error = attempt(thread.start)
            if error is None:
                thread.join(_RESCUE_SECONDS)
        return ended == [None]

    def _write(self, batch: Batch) -> None:
        with self._lock:
            if not self._opened:
                self._asked.open_here()
                self._opened = True
            at_once(self._asked.write(batch))


class Fallback(Wrapper):
    """Gives to another sink what the one inside could not take.

    Args:
        inner: The sink.
        target: The other one.
        here: Whether writes may block the calling thread, because the sink inside is synchronous.
        takes_rejected: Whether events that are refused for good go to the other sink, too.
        say: Is told why the sink inside cannot be opened.
        clock: Says when a sink that could not be opened is tried again.

    Attributes:
        figures: ``fell_back``, how many events the other sink has taken.
    """

    def __init__(
        self,
        inner: Sink,
        target: Target,
        *,
        here: bool,
        takes_rejected: bool,
        say: Callable[[str], object] = str,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Hold both."""
        super().__init__(inner)
        self.figures = {"fell_back": 0}
        self._target = target
        self._here = here
        self._takes_rejected = takes_rejected
        self._say = say
        self._clock = clock
        self._opened = False
        self._retry_at = 0.0
        self._last_error: str | None = None

    async def open(self) -> None:
        """Open the sink inside; if it cannot be opened now, events fall back, and it is tried again as they come."""
        await self._open(here=False)

    def open_here(self) -> None:
        """Do the same in the calling thread."""
        at_once(self._open(here=True))

    async def _open(self, *, here: bool) -> None:
        self._opened = False
        self._retry_at = 0.0
        self._last_error = None
        self._target.prepare()
        try:
            await self._reopen(here=here)
        except SinkError as error:
            self._last_error = str(error)
            self._say(f"cannot be opened, events go to {self._target.sink.name}: {error}")

    async def write(self, batch: Batch) -> None:
        """Write to the sink inside, and what it does not take to the other one.

        Raises:
            SinkError: For what neither has taken.
        """
        try:
            if not self._opened:
                await self._reopen(here=self._here)
            await finished(self.inner.write(batch))
            self._last_error = None
        except SinkError as error:
            if error.failed_indexes is not None and len(error.failed_indexes) < len(batch):
                self._last_error = None
            elif self._last_error is None or not isinstance(error, CircuitOpenError):
                self._last_error = str(error)
            await self._fall_back(batch, error)

    def health(self) -> dict[str, str]:
        """Tell that the sink inside took nothing of the last batch, and why: what fell back counts as delivered."""
        return {} if self._last_error is None else {"status": "failing", "last_error": self._last_error}

    def rescue(self, batch: Batch) -> bool:
        """Give events that the sink inside was not given in time to the other one; tell whether it has taken them."""
        done = self._target.rescue(batch)
        self.figures["fell_back"] += len(batch) if done else 0
        return done

    async def close(self) -> None:
        """Close both."""
        if self._opened:
            await super().close()
        await self._target.close()

    async def _reopen(self, *, here: bool) -> None:
        now = self._clock.monotonic()
        if now < self._retry_at:
            raise SinkError(self._last_error or f"{self.name} is not open", retryable=True)
        self._retry_at = now + REOPEN_SECONDS
        if here:
            super().open_here()
        else:
            await super().open()
        self._opened = True
        self._retry_at = 0.0

    async def _fall_back(self, batch: Batch, error: SinkError) -> None:
        named = range(len(batch)) if error.failed_indexes is None else sorted(error.failed_indexes)
        refused = () if self._takes_rejected else error.rejected
        places = [place for place in named if place not in refused]
        missing = list(places)
        if places:
            try:
                await self._target.write(batch.only(places), here=self._here)
            except SinkError as second:
                missing = places if second.failed_indexes is None else [places[at] for at in second.failed_indexes]
                error = SinkError(f"{error}; and the fallback {self._target.sink.name}: {second}")
            else:
                missing = []
        self.figures["fell_back"] += len(places) - len(missing)
        if missing or refused:
            lost = {place: error.rejected.get(place, str(error)) for place in (*missing, *refused)}
            raise RejectedError(str(error), failed_indexes=lost, rejected=lost)
