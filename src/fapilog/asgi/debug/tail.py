"""``GET /debug/logging/tail``: the events as they come, as server-sent events.

    worker ─► Recent (ring) ◄── since(cursor) ── tail ─► filter ─► send        one cursor a client, and no queue

Nothing is kept for a client but the number of the next event that it is to see. Four times a second it is asked what
has come; without a filter the bytes of the ring go out as they are. While nobody looks nothing runs. If the ring has
moved on over events that a client has not had, it is told how many. If that was because it has not taken what it was
sent, it is cut off: it was too slow.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from fapilog.asgi.debug.answers import HEADERS, Answer, refuse
from fapilog.asgi.debug.request import Request
from fapilog.asgi.debug.search import Wanted, newest
from fapilog.asgi.debug.server import ServerWatch
from fapilog.asgi.types import Receive
from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.errors import ConfigError
from fapilog.levels import LevelTable
from fapilog.recent import Recent

LOOK_SECONDS = 0.25
PING_SECONDS = 15.0
SLOW_SECONDS = 1.0
SEND_SECONDS = 10.0
RENEW_SECONDS = 600.0
DEFAULT_LAST, MAX_LAST = 100, 1000
BATCH_BYTES = 256 * 1024
BACKLOG_BYTES = 1024 * 1024
SHUTDOWN, SLOW, RENEW = "shutdown", "slow", "renew"
_RETRY = ((b"retry-after", b"5"),)
_MAX_DIGITS = 18
_HELLO = b"retry: 1000\n\n"
_EVENT_STREAM = b"text/event-stream; charset=utf-8"
_HEADERS = (
    (b"content-type", _EVENT_STREAM),
    (b"x-accel-buffering", b"no"),
    *HEADERS.items(),
)

Pause = Callable[["asyncio.Task[None]", float], Awaitable[Any]]


async def _pause(gone: "asyncio.Task[None]", seconds: float) -> None:
    """Wait, but not for a client that has gone."""
    await asyncio.wait({gone}, timeout=seconds)


class Tails:
    """The tails of one console. For one event loop; :meth:`close` and :meth:`describe` may be called from any thread.

    Args:
        max_clients: How many there may be at once.
        clock: For pings and renewal.
        pause: Waits until the next look.
        send_seconds: How long a client may take for what it is sent.

    Attributes:
        clients: How many there are now.
        cut_off: How many were cut off because they were too slow.
        lost: How many events those have missed, and others when more came between two looks than is kept.
        closings: How often :meth:`close` was called; a tail ends when that changes.
    """

    def __init__(
        self,
        max_clients: int,
        clock: Clock = SYSTEM_CLOCK,
        pause: Pause = _pause,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        """Start without a client."""
        self.max_clients = max_clients
        self.clock = clock
        self.pause = pause
        self.send_seconds = send_seconds
        self.clients = self.cut_off = self.lost = self.closings = 0

    def close(self) -> None:
        """End all tails at their next look, within a quarter of a second; later ones are served again."""
        self.closings += 1

    def describe(self) -> dict[str, int]:
        """Return the figures."""
        return {
            "clients": self.clients,
            "max_clients": self.max_clients,
            "cut_off": self.cut_off,
            "lost": self.lost,
        }


async def tail(request: Request) -> Answer | None:
    """Answer with events until the client goes, the server stops, or ten minutes have passed.

    400 for a filter that cannot be used, 503 beyond the number of clients.
    """
    engine = request.console.engine()
    tails: Tails = request.console.tails
    try:
        wanted = wanted_of(request.query, engine.queue.levels)
        last = whole_number(request.query, "last", DEFAULT_LAST, (0, MAX_LAST))
    except ConfigError as error:
        return refuse(400, str(error))
    if tails.clients >= tails.max_clients:
        return refuse(503, "there are as many tails as there may be", _RETRY, max_clients=tails.max_clients)
    if request.scope["method"] == "HEAD":
        return Answer(200, b"", _EVENT_STREAM)
    tails.clients += 1
    try:
        await _Tail(tails, request, recent_of(engine), wanted).run(last)
    finally:
        tails.clients -= 1
    return None


def recent_of(engine: Any) -> Recent:
    """Return the last events of an engine: none of one that keeps none, as when it took the place of the console's."""
    kept: Recent | None = engine.recent
    return Recent(0) if kept is None else kept


def wanted_of(query: Mapping[str, str], levels: LevelTable) -> Wanted:
    """Return the filter of a query; what is empty is not asked for.

    Raises:
        ConfigError: If there is no such level.
    """
    keys = ("level", "logger", "text", "request_id", "trace_id")
    return Wanted(levels, **{key: query.get(key) or None for key in keys})


def whole_number(query: Mapping[str, str], key: str, default: int, allowed: tuple[int, int]) -> int:
    """Return a number of a query.

    Raises:
        ConfigError: If it is no whole number between the two that are allowed.
    """
    given = query.get(key) or str(default)
    number = int(given) if given.isascii() and given.isdigit() and len(given) <= _MAX_DIGITS else -1
    if not allowed[0] <= number <= allowed[1]:
        raise ConfigError.wrong(key, given, f"a whole number from {allowed[0]} to {allowed[1]}")
    return number


def resumed_at(header: str, recent: Recent) -> int:
    """Return the number of the event after the one that ``Last-Event-ID`` names.

    Of another process, or of no process at all: that of the oldest event there is.
    """
    boot, _, digits = header.partition("-")
    if boot == recent.boot and digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS:
        number = int(digits) + 1
        if number <= recent.end:
            return number
    return recent.start


class _Tail:
    """One client."""

    def __init__(self, tails: Tails, request: Request, recent: Recent, wanted: Wanted) -> None:
        self._tails = tails
        self._request = request
        self._recent = recent
        self._wanted = wanted
        self._server = ServerWatch(request.receive, request.send)
        self._closings = tails.closings
        self._began = self._sent_at = self._read_at = tails.clock.monotonic()
        self._cursor = self._told = 0
        self._is_cut_off = False

    async def run(self, last: int) -> None:
        """Send what is asked for until there is a reason to end."""
        self._gone = asyncio.create_task(_until_gone(self._request.receive))
        try:
            end = await self._start(last)
            while end is None:
                await self._tails.pause(self._gone, LOOK_SECONDS)
                end = await self._look()
            if end:
                await self._put(_message(b"end", None, orjson.dumps(end)), more=False)
        except TimeoutError:
            self._cut_off()
            if self._server.hang_up():
                await asyncio.wait({self._gone}, timeout=self._tails.send_seconds)
        except OSError:
            return  # how some servers say that the client has gone
        finally:
            self._gone.cancel()
            await asyncio.wait({self._gone})
            if not self._gone.cancelled():
                self._gone.exception()

    def _cut_off(self) -> None:
        """Count this client as too slow, once."""
        self._tails.cut_off += not self._is_cut_off
        self._is_cut_off = True

    async def _start(self, last: int) -> dict[str, Any] | None:
        """Send the headers and what is kept already."""
        start = {"type": "http.response.start", "status": 200, "headers": list(_HEADERS), "trailers": False}
        await self._send(start)
        await self._put(_HELLO)
        header = self._request.header(b"last-event-id")
        if header is not None:
            self._cursor = self._told = resumed_at(header, self._recent)
            return await self._look(resumed=True)
        chunks = self._recent.chunks()
        self._cursor = chunks[-1].first + chunks[-1].count if chunks else self._recent.start
        if last and chunks:
            found = await self._request.console.turns.call(newest, chunks, self._wanted, last, BACKLOG_BYTES)
            if found:
                await self._put_events(b"".join([b"%s\n" % line for _, line in found]))
        return await self._look()

    async def _look(self, *, resumed: bool = False) -> dict[str, Any] | None:
        """Send what has come; return why it is over, empty if there is nobody to tell, None to go on."""
        target = self._recent.end
        while True:
            if self._gone.done():
                return {}
            if self._is_stopping():
                return _end(SHUTDOWN)
            if self._tails.clock.monotonic() - self._began >= RENEW_SECONDS:
                return _end(RENEW)
            lost, chunks = self._recent.since(self._cursor, BATCH_BYTES)
            now = self._tails.clock.monotonic()
            waited, self._read_at = now - self._read_at, now
            if lost:
                self._tails.lost += 0 if resumed else lost
                if waited > SLOW_SECONDS:
                    self._cut_off()
                    return _end(SLOW, lost)
                await self._put(_message(b"lost", None, orjson.dumps({"lost": lost})))
                resumed = False
            if chunks:
                self._cursor = chunks[-1].first + chunks[-1].count
                data = b"".join([self._filtered(chunk) for chunk in chunks])
                if data:
                    await self._put_events(data)
            if not chunks or self._cursor >= target:
                break
            await asyncio.sleep(0)
        await self._ping()
        return None

    def _filtered(self, chunk: Any) -> bytes:
        if self._wanted.everything:
            return bytes(chunk.data)
        return b"".join([b"%s\n" % line for _, line in self._wanted.lines(chunk)])

    async def _ping(self) -> None:
        """Tell now and then that the connection lives, and how far it has come."""
        if self._tails.clock.monotonic() - self._sent_at < PING_SECONDS:
            return
        # An id without data: nothing is dispatched, but a reconnecting client goes on from here.
        await self._put(b": ping\n" + (b"id: %s\n\n" % self._id() if self._told != self._cursor else b"\n"))
        self._told = self._cursor

    async def _put_events(self, lines: bytes) -> None:
        await self._put(_message(b"events", self._id(), lines[:-1]))
        self._told = self._cursor

    def _id(self) -> bytes:
        return f"{self._recent.boot}-{self._cursor - 1}".encode()

    async def _put(self, body: bytes, *, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
        self._sent_at = self._tails.clock.monotonic()

    async def _send(self, message: Any) -> None:
        """Hand a message to the server.

        Raises:
            TimeoutError: If the client does not take what it was sent before, in time or before the server stops.
        """
        sending = asyncio.ensure_future(self._request.send(message))
        left = self._tails.send_seconds
        try:
            while not (await asyncio.wait({sending}, timeout=min(left, LOOK_SECONDS)))[0]:
                left -= LOOK_SECONDS
                if left <= 0 or self._is_stopping():
                    raise TimeoutError
        finally:
            sending.cancel()
        await sending

    def _is_stopping(self) -> bool:
        return self._tails.closings != self._closings or self._server.is_stopping()


def _message(event: bytes, last_id: bytes | None, data: bytes) -> bytes:
    """Return one server-sent event. A line of ``data`` becomes one of it; JSON lines hold no other line ends."""
    head = b"event: %s\n" % event + (b"" if last_id is None else b"id: %s\n" % last_id)
    return b"%sdata: %s\n\n" % (head, data.replace(b"\n", b"\ndata: "))


def _end(reason: str, lost: int = 0) -> dict[str, Any]:
    return {"reason": reason, "lost": lost}


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
