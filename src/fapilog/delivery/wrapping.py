"""What the wrappers of a sink share: each is a sink itself, and asks the one inside.

    Fallback ─► Spooling ─► Traced ─► DeadLetters ─► Retry ─► Splitting ─► Breaker ─► Honest ─► the sink
       │            │          │           │           │          │           │          ╰ all it raises is a SinkError
       │            │          │           │           │          │           ╰ leaves a failing receiver alone
       │            │          │           │           │          ╰ finds the events to blame for a refused batch
       │            │          │           │           ╰ asks again, for what may succeed later
       │            │          │           ╰ keeps the refused events in a file, with the reason
       │            │          ╰ a span for each delivery, if anybody asks
       │            ╰ keeps events on disk until the receiver has taken them
       ╰ gives what could not be delivered to another sink

The order is put together in ``fapilog/config/assemble.py``. A wrapper is used by the tasks of one event loop.
"""

import asyncio
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fapilog.delivery.plugin import outcome
from fapilog.diagnostics import attempt, describe, type_name
from fapilog.errors import CircuitOpenError, ConfigError, RejectedError, SinkError
from fapilog.offload import Offload
from fapilog.protocols import Batch, Sink


class Wrapper:
    """Opens and closes the sink inside, and has its name.

    Attributes:
        inner: The sink inside.
    """

    def __init__(self, inner: Sink) -> None:
        """Hold the sink."""
        self.name = inner.name
        self.inner = inner

    async def open(self) -> None:
        """Open the sink inside."""
        await finished(self.inner.open())

    def open_here(self) -> None:
        """Open the sink inside in the calling thread; for wrappers of a synchronous sink that are asked to write."""
        if isinstance(self.inner, Wrapper):
            self.inner.open_here()
        else:
            finish_here(self.inner.open())

    async def write(self, batch: Batch) -> None:
        """Give the batch to the sink inside."""
        await finished(self.inner.write(batch))

    async def close(self) -> None:
        """Close the sink inside."""
        await finished(self.inner.close())


class Honest(Wrapper):
    """Turns whatever the sink raises into a ``SinkError``, so that the other wrappers know what they deal with.

    What is no ``SinkError`` is not retried, and not split either: the sink itself is broken, not an event.

    Args:
        inner: The sink.
        waits: Whether its ``write`` may return something to wait for; not so behind :class:`Plain`.
    """

    def __init__(self, inner: Sink, *, waits: bool = True) -> None:
        """Hold the sink."""
        super().__init__(inner)
        self._waits = waits

    async def open(self) -> None:
        """Open, and raise nothing but ``SinkError``: for what is none of its own trying again may help."""
        work, error = attempt(self.inner.open)
        failed: BaseException | None = error
        if error is None and inspect.isawaitable(work):
            failed = await outcome(work)
        self._judge(failed)

    def open_here(self) -> None:
        """Do the same in the calling thread."""
        _, error = attempt(super().open_here)
        self._judge(error)

    @staticmethod
    def _judge(failed: BaseException | None) -> None:
        if failed is not None and not isinstance(failed, SinkError):
            raise SinkError(describe(failed), retryable=not isinstance(failed, ConfigError)) from failed
        if failed is not None:
            raise failed

    async def write(self, batch: Batch) -> None:
        """Write, and raise nothing but ``SinkError`` and the task's own cancellation."""
        work, error = attempt(self.inner.write, batch)
        failed: BaseException | None = error
        if error is None and inspect.isawaitable(work):
            if not self._waits:
                if inspect.iscoroutine(work):
                    work.close()
                text = f"the write of {self.name} waits for something, although it is no coroutine function"
                raise SinkError(text, failed_indexes=range(len(batch)))
            failed = await outcome(work)
        if failed is None:
            return
        if isinstance(failed, SinkError):
            told, odd = attempt(sensible, failed, len(batch))
            if odd is None:
                raise told
        refused = SinkError(describe(failed), failed_indexes=range(len(batch)))
        refused.reason = type_name(failed)
        raise refused from failed


class Threaded(Wrapper):
    """Makes an asynchronous sink of a synchronous one: a thread of its own opens, writes and closes.

    So a sink that blocks can be retried and spooled like any other. A call that hangs is left to the thread, a daemon.
    """

    def __init__(self, inner: Sink) -> None:
        """Start no thread yet."""
        super().__init__(inner)
        self._offload = Offload(f"fapilog-{self.name}")

    async def open(self) -> None:
        """Take a new thread, as that of a forked child's parent is not there, and open the sink in it."""
        self._offload = Offload(f"fapilog-{self.name}")
        await self._offload.run(self._done, self.inner.open)

    async def write(self, batch: Batch) -> None:
        """Write in the thread."""
        await self._offload.run(self._done, self.inner.write, batch)

    async def close(self) -> None:
        """Close the sink in the thread, and let it end."""
        try:
            await self._offload.run(self._done, self.inner.close)
        finally:
            self._offload.close()

    @staticmethod
    def _done(function: Callable[..., Any], *args: Any) -> None:
        work = function(*args)
        if inspect.isawaitable(work):
            asyncio.run(finished(work))


class Plain(Wrapper):
    """Makes a synchronous sink of wrappers around one: as nothing inside ever waits, the work is done when asked.

    The wrappers may be a breaker and a fallback, which do not sleep.
    """

    def write(self, batch: Batch) -> None:  # type: ignore[override]  # a plain method is what this class is for
        """Write now.

        Raises:
            SinkError: If the batch, or a part of it, could not be delivered.
        """
        at_once(self.inner.write(batch))

    def rescue(self, batch: Batch) -> bool:
        """Let the wrapper inside give events elsewhere for which there is no more time; tell whether it could."""
        rescue = getattr(self.inner, "rescue", None)
        return rescue is not None and bool(rescue(batch))


def sensible(error: SinkError, count: int) -> SinkError:
    """Return a sink's error about a batch of so many events, or one without what makes no sense in it.

    An event that is not there, or no event, makes it an error about all of them: none counts as delivered by mistake.
    """
    text = str(error)
    places = range(count)
    named = error.failed_indexes
    # None stands for everything; a bool is a number and no place.
    fits = named is None or all(type(place) is int and place in places for place in named)
    known = {place: reason for place, reason in error.rejected.items() if type(place) is int and place in places}
    after = error.retry_after
    waits = after is None or (type(after) in (int, float) and 0 <= after < float("inf"))
    if fits and waits and len(known) == len(error.rejected):
        return error
    made = SinkError(
        text,
        retryable=bool(error.retryable),
        retry_after=after if waits else None,
        failed_indexes=named if fits else places,
        rejected=known if fits else None,
    )
    made.reason = error.reason
    return made


def at_once(work: Any) -> None:
    """Do the work of a coroutine that waits for nothing.

    Raises:
        RuntimeError: If it waits after all.
    """
    if inspect.iscoroutine(work):
        try:
            work.send(None)
        except StopIteration:
            return
        work.close()
        raise RuntimeError("waits for something")


def finish_here(work: Any) -> None:
    """Do the work of a coroutine in the calling thread: on a loop of its own, unless one is running here already.

    Raises:
        RuntimeError: If one is running, and the work waits for something.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        if inspect.isawaitable(work):
            asyncio.run(finished(work))
        return
    at_once(work)


async def finished(work: Any) -> None:
    """Wait for a plug-in's work if it is something to wait for."""
    if inspect.isawaitable(work):
        await work


def layers(sink: Any) -> Iterator[Any]:
    """Yield a sink, and those inside it from the outermost on."""
    while sink is not None:
        yield sink
        sink = getattr(sink, "inner", None)


def figures_of(sink: Any) -> dict[str, float]:
    """Return what a sink and its wrappers count: the numbers in their ``figures``. No texts: one may hold a secret."""
    found: dict[str, float] = {}
    for layer in reversed(list(layers(sink))):
        found |= attempt(_numbers, layer)[0] or {}
    return found


def health_of(sink: Any) -> dict[str, Any]:
    """Return how a sink is, as far as it and its wrappers tell: plain values; texts are not scrubbed yet."""
    found: dict[str, Any] = {}
    for layer in reversed(list(layers(sink))):
        told = attempt(_told, layer)[0] or {}
        failing = "failing" in (told.get("status"), found.get("status"))
        found |= told
        if failing:
            found["status"] = "failing"
    return found


def _numbers(layer: Any) -> dict[str, float]:
    figures = getattr(layer, "figures", None)
    pairs = dict(figures).items() if isinstance(figures, Mapping) else ()
    return {name: value for name, value in pairs if type(name) is str and type(value) in (int, float)}


def _told(layer: Any) -> dict[str, Any]:
    health = getattr(layer, "health", None)
    told = health() if callable(health) else {}
    return {
        name: value
        for name, value in (dict(told).items() if isinstance(told, Mapping) else ())
        if type(name) is str and type(value) in (str, int, float, bool, type(None))
    }


class FailedPart:
    """Which events of a batch are left to deliver, and which are refused for good, by their places in the whole batch.

    Wrappers that write parts of a batch are told places in the part; this keeps the places in the whole.
    """

    def __init__(self, count: int) -> None:
        """Begin with everything left."""
        self.left: list[int] = list(range(count))
        self.rejected: dict[int, str] = {}
        self._reason = RejectedError.__name__

    def part(self, batch: Batch) -> Batch:
        """Return what is left of the whole batch."""
        return batch if len(self.left) == len(batch) else batch.only(self.left)

    def note(self, error: SinkError) -> None:
        """Take note of what an error says about a batch of what was left.

        One that is not retryable refuses everything that it names, or all if it names nothing.
        """
        places = self.left
        if error.failed_indexes is not None:
            self.left = [places[index] for index in sorted(error.failed_indexes) if index < len(places)]
        refused = {places[index]: why for index, why in error.rejected.items() if index < len(places)}
        if not error.retryable:
            refused = {place: refused.get(place, str(error)) for place in self.left}
        if refused:
            self._reason = error.reason if type(error) is SinkError else self._reason
            self.rejected |= refused
            self.left = [place for place in self.left if place not in refused]

    def take_over(self, part: "FailedPart") -> None:
        """Take over what a part, which counts in the places of the same batch, says is refused."""
        if part.rejected:
            self.rejected |= part.rejected
            self._reason = part._reason  # noqa: SLF001 - of the same class

    def given_up(self, error: SinkError) -> SinkError:
        """Return an error that names everything that was not taken: what is left, and what is refused."""
        kind = CircuitOpenError if isinstance(error, CircuitOpenError) else SinkError
        return kind(
            str(error), retryable=True, retry_after=error.retry_after, failed_indexes=self.left, rejected=self.rejected
        )

    def raise_rejected(self) -> None:
        """Raise what there is to say about the refused events, if there are any.

        Raises:
            RejectedError: It names them, with the reason of each.
        """
        if not self.rejected:
            return
        first = next(iter(self.rejected.values()))
        count = len(self.rejected)
        text = f"{count} events refused: {first}" if count > 1 else f"event refused: {first}"
        error = RejectedError(text, failed_indexes=self.rejected, rejected=self.rejected)
        error.reason = self._reason
        raise error


async def asleep(seconds: float) -> None:
    """Wait; a function of its own, so that tests can give another one."""
    await asyncio.sleep(seconds)
