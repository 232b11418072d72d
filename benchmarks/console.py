"""What the console costs an application that is busy with 5 000 events a second: nobody looking, and a page open.

One process serves requests as fast as it can; each computes for about a millisecond and gives five events, so that a
saturated process makes about 5 000 a second. The application without a debug route, with one, and with one that
somebody watches take turns in blocks. Who watches is another process, which does what the page does: a tail that stays
open, the status every two seconds, the history at the beginning. The figures are requests a second, and the processor
time of a request; every event is counted, at the sink and at the tail.
"""

import asyncio
import hashlib
import socket
import statistics
import subprocess
import sys
import time
from array import array
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from fastapi import FastAPI

import fapilog
from benchmarks.asgi import WARM_UP, lifespan, requests
from benchmarks.harness import LOGGER_NAME, MESSAGE, Lines, arguments, report, scratch
from fapilog.fastapi import FastAPIBuilder

EVENTS_PER_REQUEST = 5
PER_SECOND = 5_000
_SEEN_SECONDS = 0.6  # what the tail may still be about to send
_TOKEN = "bench"  # noqa: S105 - of a process on loopback that is gone in a minute
_KINDS = ("without", "unwatched", "watched")
_WORK = b"x" * 16_384


class Figures(NamedTuple):
    """What the blocks of one kind took: each request's wall time and processor time."""

    wall: "array[float]"
    cpu: "array[float]"


def main() -> None:
    """Run it."""
    args = arguments()
    rounds, block = int(args.pick(16, 4)), int(args.pick(2_500, 500))
    with scratch() as directory:
        figures, seen = asyncio.run(_measure(directory, rounds, block))
        made = rounds * (WARM_UP + block) * EVENTS_PER_REQUEST
        lost = len(_KINDS) * made - _events(Lines(directory).read())
    unwatched, unwatched_spread = _more(figures["unwatched"].wall, figures["without"].wall)
    watched, watched_spread = _more(figures["watched"].wall, figures["unwatched"].wall)
    report(
        events_per_second=EVENTS_PER_REQUEST * 1e9 / statistics.median(figures["without"].wall),
        unwatched_percent=unwatched,
        unwatched_spread=unwatched_spread,
        watched_percent=watched,
        watched_spread=watched_spread,
        unwatched_cpu_percent=_more(figures["unwatched"].cpu, figures["without"].cpu)[0],
        watched_cpu_percent=_more(figures["watched"].cpu, figures["unwatched"].cpu)[0],
        tailed=seen / made,
        lost=lost,
    )


def _more(figures: Sequence[float], than: Sequence[float]) -> tuple[float, float]:
    """Return how much more it is, in percent: the median of the turns, each beside its neighbour.

    And how far from each other they are: half of the range in which the middle half of them lies.
    """
    turns = [100 * (ours / theirs - 1) for ours, theirs in zip(figures, than, strict=True)]
    low, middle, high = statistics.quantiles(turns, n=4)
    return middle, (high - low) / 2


def _events(data: bytes) -> int:
    return sum(MESSAGE.encode() in line or b"request_completed" in line for line in data.splitlines())


def _built(directory: Path, *, debug: bool, work: int) -> FastAPI:
    logger = fapilog.get_logger(LOGGER_NAME)
    builder = FastAPIBuilder().add_file(directory / f"debug-{debug}.jsonl", max_bytes="10 GB")
    builder = builder.with_backpressure(policy="wait").with_queue(100_000)
    builder = builder.with_debug_route(token=_TOKEN) if debug else builder.with_debug_route(None)
    app = FastAPI(lifespan=builder.build())

    @app.get("/orders/{order_id}")
    async def show(order_id: int) -> dict[str, object]:
        for place in range(EVENTS_PER_REQUEST - 1):
            logger.info(MESSAGE, seq=order_id, path="/orders", status=200, place=place)
        for _ in range(work):
            hashlib.sha256(_WORK).digest()
        return {"order": order_id}

    return app


async def _measure(directory: Path, rounds: int, block: int) -> tuple[dict[str, Figures], int]:
    work = _work()
    apps = {debug: _built(directory, debug=debug, work=work) for debug in (False, True)}
    figures = {kind: Figures(array("d"), array("d")) for kind in _KINDS}
    async with _served(apps[True]) as port:
        viewer = _Viewer(port)
        for turn in range(rounds):
            for place in range(len(_KINDS)):
                kind = _KINDS[(place + turn) % len(_KINDS)]
                app = apps[kind != "without"]
                async with lifespan(app):
                    if kind == "watched":
                        await viewer.tell("open")
                    wall, cpu = await _block(app, block)
                    if kind == "watched":
                        await asyncio.sleep(_SEEN_SECONDS)
                        await viewer.tell("close")
                figures[kind].wall.append(wall)
                figures[kind].cpu.append(cpu)
        return figures, await viewer.leave()


async def _block(app: Any, count: int) -> tuple[float, float]:
    await requests(app, WARM_UP)
    cpu, wall = time.process_time_ns(), time.perf_counter_ns()
    await requests(app, count)
    return (time.perf_counter_ns() - wall) / count, (time.process_time_ns() - cpu) / count


def _work() -> int:
    """Return how often to hash in a request so that a process that does nothing else makes 5 000 events a second."""
    began = time.perf_counter_ns()
    for _ in range(2_000):
        hashlib.sha256(_WORK).digest()
    each = (time.perf_counter_ns() - began) / 2_000
    return max(1, round(0.75 * 1e9 * EVENTS_PER_REQUEST / PER_SECOND / each))


@asynccontextmanager
async def _served(app: Any) -> AsyncIterator[int]:
    """Serve the console on a port of loopback, on this very loop; who runs the lifespan is the caller."""
    config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        task = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        await task


class _Viewer:
    """Another process that looks at the page when it is told to."""

    def __init__(self, port: int) -> None:
        command = [sys.executable, "-m", "benchmarks.console_viewer", str(port), _TOKEN]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)  # noqa: S603 - our own

    async def tell(self, word: str) -> bytes:
        """Tell it a word, and wait until it has done so."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError(self._process.args)
        stdin.write(word.encode() + b"\n")
        return await asyncio.to_thread(stdout.readline)

    async def leave(self) -> int:
        """Return how many events it has seen, and let it end."""
        seen = int(await self.tell("count"))
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        return seen


if __name__ == "__main__":
    main()
