"""The live tail, look by look: the clock is a fake one and nothing sleeps."""

import asyncio
import json
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.asgi.debug.answers import HEADERS, Answer
from fapilog.asgi.debug.auth import Access
from fapilog.asgi.debug.request import Request
from fapilog.asgi.debug.tail import (
    BATCH_BYTES,
    DEFAULT_LAST,
    LOOK_SECONDS,
    PING_SECONDS,
    RENEW_SECONDS,
    SLOW_SECONDS,
    Tails,
    _pause,
    tail,
)
from fapilog.asgi.debug.turns import Turns
from fapilog.event import timestamp
from fapilog.levels import LevelTable
from fapilog.protocols import Batch
from fapilog.recent import Recent
from fapilog.serializers.json import dump_event
from fapilog.testing import FakeClock
from tests.asgi.debug.test_search import events

pytestmark = pytest.mark.asyncio
SOON = 0.01


class Told(NamedTuple):
    """One message as an ``EventSource`` hands it out."""

    kind: str
    last_id: str
    data: str


class Rig:
    """A ring and the tails on it."""

    def __init__(self, max_bytes: int = 1 << 20, max_clients: int = 2, **more: Any) -> None:
        self.recent = Recent(max_bytes)
        self.clock = FakeClock()
        self.tails = Tails(max_clients, self.clock, self._pause, **more)
        self.clients: dict[Any, Client] = {}
        self._written = 0

    async def _pause(self, _gone: Any, _seconds: float) -> None:
        await self.clients[asyncio.current_task()].pause()

    def log(self, count: int = 1, level: str = "INFO", **fields: Any) -> None:
        """Let the worker take a slice."""
        lines = []
        for _ in range(count):
            self._written += 1
            event = {"level": level, "logger": "shop", "message": f"event {self._written}", **fields}
            lines.append(dump_event({"timestamp": timestamp(self._written * 10**9), **event}))
        self.recent.take(Batch(lines, list), [LEVELS.number(level, "")] * count)


LEVELS = LevelTable()


class Client:
    """A client of the tail: plays the server's part, and decides when the tail looks again."""

    def __init__(self, rig: Rig, resume: str | None = None, *, method: str = "GET", **query: str) -> None:
        self.rig = rig
        self.sent: list[dict[str, Any]] = []
        self.keep_alive = True
        self.transport = SimpleNamespace(abort=self._abort)
        self.hung_up = self.is_broken = False
        self.flows = asyncio.Event()
        self.flows.set()
        self._left = asyncio.Event()
        self._paused, self._go = asyncio.Event(), asyncio.Event()
        engine = SimpleNamespace(recent=rig.recent, queue=SimpleNamespace(levels=LEVELS))
        headers = [] if resume is None else [(b"last-event-id", resume.encode("latin-1"))]
        scope = {"type": "http", "method": method, "headers": headers}
        console: Any = SimpleNamespace(engine=lambda: engine, tails=rig.tails, turns=Turns())
        request = Request(console, scope, self.receive, self.send, "tail", query, Access.READ, "")
        self.task = asyncio.create_task(tail(request))
        rig.clients[self.task] = self

    async def receive(self) -> dict[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.flows.wait()
        if self.is_broken:
            raise BrokenPipeError
        self.sent.append(message)

    def _abort(self) -> None:
        self.hung_up = True
        self._left.set()

    async def pause(self) -> None:
        """Wait for the next look."""
        self._paused.set()
        await self._go.wait()
        self._go.clear()

    async def rest(self) -> None:
        """Wait until the tail waits for its next look, or is over."""
        paused = asyncio.create_task(self._paused.wait())
        await asyncio.wait({self.task, paused}, return_when=asyncio.FIRST_COMPLETED)
        paused.cancel()
        await asyncio.wait({paused})

    async def look(self) -> None:
        """Let it look once more."""
        await self.rest()
        self._paused.clear()
        self._go.set()
        await self.rest()

    async def leave(self) -> None:
        """Hang up, and see that nothing goes on."""
        self._left.set()
        await asyncio.sleep(0)
        self._go.set()
        assert await self.task is None

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def told(self) -> list[Told]:
        return event_source(self.body)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events so far."""
        told = [each for each in self.told if each.kind == "events"]
        return [json.loads(line) for each in told for line in each.data.split("\n")]

    @property
    def messages(self) -> list[str]:
        return [event["message"] for event in self.events]

    @property
    def ended(self) -> dict[str, Any]:
        """What was said at the end."""
        assert self.task.done()
        assert self.sent[-1]["more_body"] is False
        assert self.told[-1].kind == "end"
        return dict(json.loads(self.told[-1].data))


def event_source(body: bytes) -> list[Told]:
    """Read a stream as the specification of ``EventSource`` says."""
    told: list[Told] = []
    data: list[str] = []
    kind = last_id = ""
    text = body.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    for line in text.split("\n"):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                told.append(Told(kind or "message", last_id, "\n".join(data)))
            data, kind = [], ""
        elif field == "data":
            data.append(value)
        elif field == "event":
            kind = value
        elif field == "id":
            last_id = value
    return told


def numbers(found: Iterable[str]) -> list[int]:
    return [int(message.removeprefix("event ")) for message in found]


async def started(rig: Rig, resume: str | None = None, **query: str) -> Client:
    client = Client(rig, resume, **query)
    await client.rest()
    return client


async def test_it_opens_at_once_as_an_event_stream() -> None:
    """An ``EventSource`` is open with the first byte, without an event."""
    client = await started(Rig())

    start, hello = client.sent
    headers = dict(start["headers"])
    assert start["status"] == 200
    assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert headers.items() >= HEADERS.items()
    assert headers[b"x-accel-buffering"] == b"no"
    assert b"content-length" not in headers
    assert hello["body"]
    assert hello["more_body"] is True
    assert client.told == []
    await client.leave()


async def test_head_is_answered_at_once() -> None:
    """What GET would send, without opening a stream that never ends."""
    rig = Rig()
    answer = await Client(rig, method="HEAD").task

    assert answer == Answer(200, b"", b"text/event-stream; charset=utf-8")
    assert rig.tails.clients == 0


async def test_events_come_as_they_are_logged() -> None:
    """Each look sends what came since the last one, in order and once."""
    rig = Rig()
    client = await started(rig)
    rig.log(3)
    await client.look()
    assert numbers(client.messages) == [1, 2, 3]
    await client.look()
    rig.log(2)
    rig.log(1)
    await client.look()

    assert numbers(client.messages) == [1, 2, 3, 4, 5, 6]
    assert [each.last_id for each in client.told] == [f"{rig.recent.boot}-3", f"{rig.recent.boot}-6"]
    await client.leave()


@pytest.mark.parametrize(("last", "expected"), [("", DEFAULT_LAST), ("0", 0), ("7", 7), ("1000", 250)])
async def test_it_begins_with_the_last_events(last: str, expected: int) -> None:
    """A hundred unless another number is asked for; then what comes."""
    rig = Rig()
    rig.log(120)
    rig.log(130)
    client = await started(rig, last=last)
    rig.log(1)
    await client.look()

    assert numbers(client.messages) == list(range(251 - expected, 252))
    await client.leave()


async def test_the_last_events_are_the_last_that_are_wanted() -> None:
    """The filter comes before the count."""
    rig = Rig()
    rig.log(2, "ERROR")
    rig.log(50)
    rig.log(1, "ERROR")
    rig.log(50)
    client = await started(rig, level="WARNING", last="2")

    assert numbers(client.messages) == [2, 53]
    await client.leave()


@pytest.mark.parametrize(
    ("query", "expected"),
    [({"level": "error"}, [2]), ({"logger": "shop"}, [1, 2, 3, 4]), ({"logger": "sho"}, []), ({"text": "ÜBER"}, [3]),
     ({"request_id": "r-1"}, [4]), ({"trace_id": "t-1"}, [4]), ({"request_id": "r-1", "level": "ERROR"}, []),
     ({"text": ""}, [1, 2, 3, 4])],
)  # fmt: skip
async def test_only_what_is_asked_for(query: dict[str, str], expected: list[int]) -> None:
    """Filters by level, logger, text, request and trace; all of them have to hold; empty ones are none."""
    rig = Rig()
    client = await started(rig, **query)
    rig.log()
    rig.log(1, "ERROR")
    rig.log(1, note="über")
    rig.log(1, request_id="r-1", trace_id="t-1")
    await client.look()

    assert numbers(client.messages) == expected
    await client.leave()


@pytest.mark.parametrize(
    ("query", "names"),
    [({"level": "LOUD"}, "CRITICAL"), ({"last": "1001"}, "1000"), ({"last": "-1"}, "0"), ({"last": "x"}, "last"),
     ({"last": "١"}, "last"), ({"last": "9" * 5000}, "last")],
)  # fmt: skip
async def test_what_cannot_be_asked_for_is_a_400(query: dict[str, str], names: str) -> None:
    """The answer names what is allowed, and no client is counted."""
    rig = Rig()
    client = Client(rig, **query)
    answer = await client.task

    assert isinstance(answer, Answer)
    assert answer.status == 400
    assert names in orjson.loads(answer.body)["error"]
    assert client.sent == []
    assert rig.tails.clients == 0


async def test_a_client_resumes_after_the_last_event_it_has_seen() -> None:
    """``Last-Event-ID`` goes on where the last message ended, whatever ``last`` says."""
    rig = Rig()
    rig.log(5)
    client = await started(rig, f"{rig.recent.boot}-3", last="1")

    assert numbers(client.messages) == [4, 5]
    await client.leave()


@pytest.mark.parametrize("resume", ["{boot}-10", "0badcafe-3", "", "x", "{boot}", "{boot}--1", "{boot}-99", "\xff-1",
                                    "{boot}-9999999999999999999999"])  # fmt: skip
async def test_an_id_of_another_process_or_none_at_all_gets_all_that_is_kept(resume: str) -> None:
    """After a restart the events of the new process are new; nonsense is treated like that. Of ours: none twice."""
    rig = Rig()
    rig.log(10)
    client = await started(rig, resume.format(boot=rig.recent.boot))

    assert numbers(client.messages) == ([] if resume == "{boot}-10" else list(range(1, 11)))
    assert {each.kind for each in client.told} <= {"events"}
    await client.leave()


async def test_who_resumes_too_late_is_told_how_much_is_lost() -> None:
    """The exact number, then the events that there are."""
    rig = Rig(max_bytes=2000)
    for _ in range(100):
        rig.log()
    kept = rig.recent.end - rig.recent.start
    client = await started(rig, f"{rig.recent.boot}-10")

    lost = client.told[0]
    assert (lost.kind, json.loads(lost.data)) == ("lost", {"lost": 90 - kept})
    assert numbers(client.messages) == list(range(101 - kept, 101))
    assert rig.tails.describe() == {"clients": 1, "max_clients": 2, "cut_off": 0, "lost": 0}
    rig.log()
    await client.look()
    assert numbers(client.messages)[-1] == 101
    await client.leave()


async def test_a_slow_client_is_told_what_it_missed_and_cut_off() -> None:
    """While its send waits the ring moves on: nothing is kept for it, and the application waits for nothing."""
    rig = Rig(max_bytes=2000)
    client = await started(rig)
    client.flows.clear()
    rig.log()
    client._paused.clear()
    client._go.set()
    await asyncio.sleep(0)
    for _ in range(50):
        rig.log()
    missed = rig.recent.start - 2
    rig.clock.advance(SLOW_SECONDS + 0.1)
    client.flows.set()
    await client.look()

    assert missed > 0
    assert client.ended == {"reason": "slow", "lost": missed}
    assert numbers(client.messages) == [1]
    assert rig.tails.describe() == {"clients": 0, "max_clients": 2, "cut_off": 1, "lost": missed}


async def test_a_flood_is_not_the_clients_fault() -> None:
    """More between two looks than is kept: the client is told, and goes on."""
    rig = Rig(max_bytes=2000)
    client = await started(rig)
    for _ in range(50):
        rig.log()
    missed = rig.recent.start - 1
    rig.clock.advance(LOOK_SECONDS)
    await client.look()
    rig.log()
    await client.look()

    assert json.loads(client.told[0].data) == {"lost": missed}
    assert numbers(client.messages) == list(range(missed + 1, 52))
    assert rig.tails.describe() == {"clients": 1, "max_clients": 2, "cut_off": 0, "lost": missed}
    await client.leave()


async def test_a_client_that_takes_nothing_any_more_is_cut_off_without_a_word() -> None:
    """A send that takes longer than its time ends the tail; there is nobody to tell."""
    rig = Rig(send_seconds=SOON)
    client = await started(rig)
    client.flows.clear()
    sent = len(client.sent)
    rig.log()
    await client.look()

    assert client.task.done()
    assert await client.task is None
    assert len(client.sent) == sent
    assert client.hung_up
    assert rig.tails.describe() == {"clients": 0, "max_clients": 2, "cut_off": 1, "lost": 0}


async def test_a_slow_client_that_does_not_hear_its_end_is_counted_once() -> None:
    """Cut off for what it has missed, and then it takes no end either."""
    rig = Rig(max_bytes=2000, send_seconds=SOON)
    client = await started(rig)
    for _ in range(50):
        rig.log()
    rig.clock.advance(SLOW_SECONDS + 0.1)
    client.flows.clear()
    await client.look()

    assert client.task.done()
    assert rig.tails.cut_off == 1


async def test_a_client_that_leaves_leaves_nothing_behind() -> None:
    """Its task is over, its place is free; the fixture of all tests looks for stray tasks."""
    rig = Rig(max_clients=1)
    client = await started(rig)
    assert rig.tails.clients == 1
    await client.leave()

    assert rig.tails.clients == 0
    assert client.told == []


async def test_a_server_that_raises_for_a_client_that_has_gone() -> None:
    """Some do; it is an end like any other."""
    rig = Rig()
    client = await started(rig)
    client.is_broken = True
    rig.log()
    await client.look()

    assert await client.task is None
    assert rig.tails.describe()["cut_off"] == 0


async def test_there_are_only_so_many() -> None:
    """One too many is refused before it begins, with the time after which to try again; then there is room again."""
    rig = Rig(max_clients=2)
    first, second = await started(rig), await started(rig)
    answer = await Client(rig).task

    assert isinstance(answer, Answer)
    assert answer.status == 503
    assert dict(answer.headers)[b"retry-after"].isdigit()
    assert orjson.loads(answer.body)["max_clients"] == 2
    assert rig.tails.clients == 2
    await second.leave()
    third = await started(rig)
    assert not third.task.done()
    rig.tails.close()
    for client in (first, third):
        client._go.set()
        await client.task


async def test_it_ends_when_the_application_stops() -> None:
    """P48: it says so, so that the page need not guess; a tail of the next lifespan is served."""
    rig = Rig()
    client = await started(rig)
    rig.tails.close()
    await client.look()
    assert client.ended == {"reason": "shutdown", "lost": 0}

    again = await started(rig)
    assert not again.task.done()
    await again.leave()


async def test_it_ends_when_the_server_stops() -> None:
    """The server waits for it before it tells the application, so the tail has to see that by itself."""
    rig = Rig()
    client = await started(rig)
    client.keep_alive = False
    await client.look()

    assert client.ended == {"reason": "shutdown", "lost": 0}


async def test_it_is_renewed_after_a_while_and_goes_on_without_a_gap() -> None:
    """Ten minutes; the client comes back by itself with the id that it has."""
    rig = Rig()
    client = await started(rig)
    rig.log(2)
    await client.look()
    rig.clock.advance(RENEW_SECONDS - 1)
    await client.look()
    assert not client.task.done()
    rig.clock.advance(1)
    await client.look()
    assert client.ended == {"reason": "renew", "lost": 0}

    rig.log(2)
    again = await started(rig, client.told[-1].last_id)
    assert numbers(again.messages) == [3, 4]
    await again.leave()


async def test_it_says_now_and_then_that_it_is_there() -> None:
    """A comment every fifteen seconds of silence, which no client hands out."""
    rig = Rig()
    client = await started(rig)
    before = len(client.sent)
    rig.clock.advance(PING_SECONDS - 1)
    await client.look()
    assert len(client.sent) == before
    rig.clock.advance(1)
    await client.look()
    assert client.sent[-1]["body"] == b": ping\nid: %s-0\n\n" % rig.recent.boot.encode()
    assert len(client.sent) == before + 1
    await client.look()
    assert len(client.sent) == before + 1
    rig.clock.advance(PING_SECONDS)
    await client.look()
    assert client.sent[-1]["body"] == b": ping\n\n"
    assert client.told == []
    await client.leave()


async def test_a_ping_carries_how_far_a_filter_has_come() -> None:
    """Who resumes after an hour without a match is not told that an hour of events was lost."""
    rig = Rig(max_bytes=2000)
    client = await started(rig, level="ERROR")
    for _ in range(50):
        rig.log()
        await client.look()
    rig.clock.advance(PING_SECONDS)
    await client.look()
    assert client.sent[-1]["body"] == b": ping\nid: %s-50\n\n" % rig.recent.boot.encode()
    assert client.told == []

    again = await started(rig, f"{rig.recent.boot}-50", level="ERROR")
    assert again.told == []
    rig.log(1, "ERROR")
    await again.look()
    assert numbers(again.messages) == [51]
    await again.leave()
    client._go.set()
    await client.leave()


async def test_much_at_once_comes_in_pieces() -> None:
    """What one message holds is bounded, and nothing of it is lost; a larger event comes whole."""
    rig = Rig(max_bytes=8 << 20)
    client = await started(rig)
    for _ in range(300):
        rig.log(20, note="x" * 200)
    rig.log(1, note="y" * (2 * BATCH_BYTES))
    await client.look()

    assert numbers(client.messages) == list(range(1, 6002))
    sizes = [len(message["body"]) for message in client.sent[1:]]
    assert max(sizes[:-1]) < 1.1 * BATCH_BYTES
    assert len(sizes) > 5
    await client.leave()


async def test_the_pause_ends_with_the_client() -> None:
    """Nobody waits a quarter of a second for a client that has gone."""
    left = asyncio.Event()

    async def gone() -> None:
        await left.wait()

    task = asyncio.create_task(gone())
    asyncio.get_running_loop().call_soon(left.set)
    async with asyncio.timeout(10):
        await _pause(task, 1000)

    assert task.done()


async def test_a_look_without_a_client_that_goes_is_short() -> None:
    """The pause is over after its time, whether or not anything happened."""
    task = asyncio.create_task(asyncio.Event().wait())
    async with asyncio.timeout(10):
        await _pause(task, SOON)  # type: ignore[arg-type]

    assert not task.done()
    task.cancel()


batches = st.lists(st.lists(events(), min_size=1, max_size=2), max_size=3)


@given(batches, batches, st.data())
@settings(max_examples=30, deadline=None)
async def test_hostile_events_arrive_whole_and_once(before: Any, after: Any, data: st.DataObject) -> None:
    """Whatever was logged, a client that resumes anywhere has every event after that, byte for byte."""
    lines = [[dump_event(event) for event in batch] for batch in before + after]
    everything = [line[:-1].decode() for batch in lines for line in batch]
    seen = data.draw(st.integers(0, sum(map(len, lines[: len(before)]))))

    rig = Rig()
    for batch in lines[: len(before)]:
        rig.recent.take(Batch(batch, list), [20] * len(batch))
    client = await started(rig, f"{rig.recent.boot}-{seen}")
    for batch in lines[len(before) :]:
        rig.recent.take(Batch(batch, list), [20] * len(batch))
    await client.look()
    await client.leave()
    told = client.told

    assert {each.kind for each in told} <= {"events"}
    assert [line for each in told for line in each.data.split("\n")] == everything[seen:]
