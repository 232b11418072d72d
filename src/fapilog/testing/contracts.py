"""What every sink must hold to, as checks that the author of a sink runs in tests of his own.

    @pytest.mark.parametrize("check", SINK_CHECKS, ids=lambda check: check.__name__)
    @pytest.mark.asyncio
    async def test_contract(check, tmp_path):
        path = tmp_path / "out"
        await check(SinkTarget(lambda: MySink(path), lambda: path.read_bytes().splitlines(keepends=True)))

A check raises ``AssertionError`` and says what is amiss.
"""

import asyncio
import copy
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fapilog.event import EventDict, timestamp
from fapilog.levels import LevelTable
from fapilog.protocols import Batch, Sink
from fapilog.serializers.json import JsonFormat
from fapilog.testing.fakes import EPOCH_NS

FORMATS = ("json", "pretty", "logfmt", "events", None)
_MICROSECOND = 1_000


@dataclass(frozen=True)
class SinkTarget:
    """A kind of sink and where it writes to.

    Attributes:
        make: Returns a new sink each time, all of them writing to one place.
        read: Returns the lines that have arrived there so far, in order, newline included. Left out for a place
            that cannot be read, and for a sink of another format than ``"json"``: the checks then see less.
    """

    make: Callable[[], Any]
    read: Callable[[], Sequence[bytes]] | None = None

    def arrived(self) -> list[bytes]:
        """Return the lines so far, or none if they cannot be read."""
        return list(self.read()) if self.read is not None else []

    def require_since(self, before: int, events: Sequence[EventDict]) -> None:
        """Require that exactly these events have arrived after the first ``before`` lines."""
        if self.read is None:
            return
        lines, expected = self.arrived()[before:], _lines(events)
        _require(len(lines) == len(expected), f"{len(expected)} events were written, {len(lines)} lines arrived")
        for number, (line, wanted) in enumerate(zip(lines, expected, strict=True)):
            _require(line == wanted, f"line {number} is {line[:200]!r}, not {wanted[:200]!r}")


SinkCheck = Callable[[SinkTarget], Awaitable[None]]


def make_events(count: int, *, start: int = 0, **fields: Any) -> list[EventDict]:
    """Return events as they come out of the stages, numbered in ``n``, with ``fields`` on each."""
    return [
        {
            "timestamp": timestamp(EPOCH_NS + number * _MICROSECOND),
            "level": "INFO",
            "logger": "contract",
            "message": f"event {number}",
            "n": number,
            **fields,
        }
        for number in range(start, start + count)
    ]


def make_batch(events: Sequence[EventDict]) -> Batch:
    """Return a batch of JSON lines as an engine makes it."""
    return Batch(JsonFormat(LevelTable(), {}).encode_events(events), lambda: list(events))


async def write(sink: Any, batch: Batch) -> None:
    """Write to a sink, be it asynchronous or synchronous (then in another thread, as the engine may do)."""
    if inspect.iscoroutinefunction(sink.write):
        await sink.write(batch)
        return
    result = await asyncio.to_thread(sink.write, batch)
    _require(result is None or inspect.isawaitable(result), f"write() returned {result!r}, neither None nor awaitable")
    if result is not None:
        await result


async def has_the_form_of_a_sink(target: SinkTarget) -> None:
    """Require a name, the three methods, and a format that exists."""
    sink = target.make()
    _require(isinstance(sink, Sink), f"{type(sink).__name__} lacks one of: name, open, write, close")
    _require(isinstance(sink.name, str) and bool(sink.name), f"name is {sink.name!r}, not a text")
    form = getattr(sink, "format", "json")
    _require(form in FORMATS, f"format is {form!r}; allowed: {FORMATS}")
    _require(isinstance(getattr(sink, "blocks", True), bool), "blocks is neither True nor False")
    for method in (sink.open, sink.close):
        _require(inspect.iscoroutinefunction(method), f"{method.__name__} is not an `async def`")


async def delivers_each_event_once_in_order(target: SinkTarget) -> None:
    """Require that what is written arrives once, in the order of writing, whatever the sizes of the batches."""
    sink, before, written = target.make(), len(target.arrived()), 0
    async with _opened(sink):
        for size in (1, 7, 500, 2):
            await write(sink, make_batch(make_events(size, start=written)))
            written += size
    target.require_since(before, make_events(written))


async def leaves_the_events_alone(target: SinkTarget) -> None:
    """Require that the dicts, which other sinks get too, are not changed."""
    sink = target.make()
    events = make_events(3, nested={"list": [1, {"deep": True}]})
    untouched = copy.deepcopy(events)
    async with _opened(sink):
        await write(sink, make_batch(events))
    _require(events == untouched, "the sink changed the events it was given")


async def opens_again_after_close(target: SinkTarget) -> None:
    """Require that a sink can be opened again, as a drained engine does with its next event, and keeps all."""
    sink, before = target.make(), len(target.arrived())
    for start in (0, 5):
        async with _opened(sink):
            await write(sink, make_batch(make_events(5, start=start)))
    target.require_since(before, make_events(10))


async def closes_without_a_write(target: SinkTarget) -> None:
    """Require that a sink without events closes, also twice."""
    sink, before = target.make(), len(target.arrived())
    async with _opened(sink):
        pass
    await sink.close()
    target.require_since(before, [])


async def takes_hostile_text(target: SinkTarget) -> None:
    """Require that control characters, other alphabets and 64 KB in one field neither raise nor tear a line."""
    sink, before = target.make(), len(target.arrived())
    events = [
        *make_events(1, text="\x00\r\n\t\x1b[31m\x7f\x9b\u2028\u202e"),
        *make_events(1, start=1, text="zażółć 😀 漢字"),
        *make_events(1, start=2, text="x" * 65_536),
        *make_events(1, start=3),
    ]
    async with _opened(sink):
        await write(sink, make_batch(events))
    target.require_since(before, events)


SINK_CHECKS: tuple[SinkCheck, ...] = (
    has_the_form_of_a_sink,
    delivers_each_event_once_in_order,
    leaves_the_events_alone,
    opens_again_after_close,
    closes_without_a_write,
    takes_hostile_text,
)


async def check_sink(target: SinkTarget) -> None:
    """Run all of :data:`SINK_CHECKS`, for authors who need no test for each.

    Raises:
        AssertionError: If a check fails.
    """
    for check in SINK_CHECKS:
        await check(target)


@asynccontextmanager
async def _opened(sink: Any) -> AsyncIterator[None]:
    """Open a sink and close it, whatever happens between."""
    await sink.open()
    try:
        yield
    finally:
        await sink.close()


def _require(held: bool, otherwise: str) -> None:  # noqa: FBT001 - an assert that `python -O` keeps
    if not held:
        raise AssertionError(otherwise)


def _lines(events: Sequence[EventDict]) -> list[bytes]:
    batch = make_batch(events)
    return [batch.line(index) for index in range(len(batch))]
