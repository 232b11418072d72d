"""What logging adds to one request of a FastAPI application, called in process without a server.

The bare application and the dressed one take turns in one process, in blocks, so that the machine's moods hit
both; the difference of their medians is the figure. Between requests the event loop runs once, as it does
under a server. The lifespan is run as a server would, and the lines are counted afterwards.
"""

import asyncio
import time
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.asgi_apps import load
from benchmarks.harness import Lines, arguments, percentile, report, scratch

BLOCK = 250
WARM_UP = 500
_HEADERS = [(b"host", b"shop.test"), (b"user-agent", b"bench/1"), (b"accept", b"application/json")]


def main() -> None:
    """Run one contender."""
    args = arguments()
    with scratch() as directory:
        dressing = load(args.contender)
        bare, dressed = load("bare").build(directory), dressing.build(directory)
        blocks = int(args.pick(16, 6))
        plain, logged = asyncio.run(_measure(bare, dressed, blocks))
        lines = Lines(directory)
        lost = (WARM_UP + blocks * BLOCK) * dressing.EVENTS_PER_REQUEST - _events(lines.read())
    report(
        bare_p50_ns=percentile(plain, 50),
        added_p50_ns=percentile(logged, 50) - percentile(plain, 50),
        added_p99_ns=percentile(logged, 99) - percentile(plain, 99),
        lost=lost,
    )


def _events(data: bytes) -> int:
    """Count the events of requests, and no other lines such as those of start and stop."""
    return sum(b"order placed" in line or b"request_completed" in line for line in data.splitlines())


async def _measure(bare: Any, dressed: Any, blocks: int) -> "tuple[array[int], array[int]]":
    plain, logged = array("q"), array("q")
    async with lifespan(bare), lifespan(dressed):
        await requests(bare, WARM_UP)
        await requests(dressed, WARM_UP)
        for _ in range(blocks):
            plain.extend(await requests(bare, BLOCK))
            logged.extend(await requests(dressed, BLOCK))
            await asyncio.sleep(0.05)  # what is queued gets written, and does not disturb the bare one
    return plain, logged


async def requests(app: Any, count: int, *headers: tuple[bytes, bytes]) -> "array[int]":
    """Send requests one after the other, with headers on top of the usual ones, and return what each took."""
    took = array("q")
    clock = time.perf_counter_ns
    for number in range(count):
        scope = _scope(number, *headers)
        began = clock()
        await app(scope, _receive, _send)
        took.append(clock() - began)
        await asyncio.sleep(0)
    return took


def _scope(number: int, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    path = f"/orders/{number}"
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [*_HEADERS, *headers],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8_000),
        "state": {},
    }


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: dict[str, Any]) -> None:
    if message.get("status", 200) != 200:  # noqa: PLR2004 - OK
        raise RuntimeError(message)


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Start ``app`` as a server does, and shut it down."""
    to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
    task = asyncio.create_task(app(scope, to_app.get, from_app.put))
    for phase in ("startup", "shutdown"):
        await to_app.put({"type": f"lifespan.{phase}"})
        answer = await from_app.get()
        if answer["type"] != f"lifespan.{phase}.complete":
            raise RuntimeError(answer)
        if phase == "startup":
            yield
    await task


if __name__ == "__main__":
    main()
