"""What a server span adds to one request of a FastAPI application, ours beside those of others.

Six applications in one process take turns in blocks, in another order each time, as ``asgi.py`` does with two. What
``with_tracing()`` adds is the difference to fapilog without it; what the others add, the difference to the bare
application. The spans of a block are exported before the next one begins. Next to the median of what a request took
there is the processor time of the whole process for a block, which includes the threads of the SDK and of fapilog.
Every server span and every event is counted afterwards.
"""

import asyncio
import time
from array import array
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple

from benchmarks.asgi import WARM_UP, lifespan, requests
from benchmarks.asgi_apps.traced import Traced, builds
from benchmarks.harness import arguments, percentile, report

BLOCK = 250
EVENTS_PER_REQUEST = 2
_TRACEPARENT = (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


class Figures(NamedTuple):
    """What one application took: each request, and each block in processor time for one request."""

    took: "array[int]"
    cpu: "array[float]"

    @property
    def p50(self) -> float:
        """The median of a request."""
        return percentile(self.took, 50)

    @property
    def cpu_p50(self) -> float:
        """The median of the blocks."""
        return percentile(self.cpu, 50)


def main() -> None:
    """Run it."""
    rounds = int(arguments().pick(40, 8))
    apps = {name: build() for name, build in builds().items()}
    figures = asyncio.run(_measure(apps, rounds))
    lost = _lost(apps, WARM_UP + rounds * BLOCK)
    p50 = {name: each.p50 for name, each in figures.items()}
    cpu = {name: each.cpu_p50 for name, each in figures.items()}
    contrib, tracing = p50["contrib"] - p50["bare"], p50["traced"] - p50["logged"]
    report(
        bare_p50_ns=p50["bare"],
        contrib_ns=contrib,
        contrib_lean_ns=p50["contrib_lean"] - p50["bare"],
        fastapi_ns=p50["fastapi"] - p50["bare"],
        logged_ns=p50["logged"] - p50["bare"],
        tracing_ns=tracing,
        ratio=tracing / contrib,
        lean_ratio=tracing / (p50["contrib_lean"] - p50["bare"]),
        cpu_ratio=(cpu["traced"] - cpu["logged"]) / (cpu["contrib"] - cpu["bare"]),
        lost=lost,
    )


async def _measure(apps: dict[str, Traced], rounds: int) -> dict[str, Figures]:
    figures = {name: Figures(array("q"), array("d")) for name in apps}
    names = list(apps)
    async with AsyncExitStack() as running:
        for each in apps.values():
            await running.enter_async_context(lifespan(each.app))
            await _block(each, WARM_UP)
        for turn in range(rounds):
            for name in _rotated(names, turn):
                took, cpu = await _block(apps[name], BLOCK)
                figures[name].took.extend(took)
                figures[name].cpu.append(cpu / BLOCK)
    return figures


async def _block(each: Traced, count: int) -> "tuple[array[int], float]":
    """Serve some requests; return what each took, and what all the threads needed for them and their spans."""
    began = time.process_time_ns()
    took = await requests(each.app, count, _TRACEPARENT)
    if each.provider is not None:
        each.provider.force_flush()
    needed = time.process_time_ns() - began
    await asyncio.sleep(0.02)  # what fapilog has queued is written, and does not disturb the next one
    return took, needed


def _rotated(names: Sequence[str], by: int) -> list[str]:
    start = by % len(names)
    return [*names[start:], *names[:start]]


def _lost(apps: dict[str, Traced], served: int) -> int:
    """Return how many server spans and events are missing; those of the engines' own start and stop are not counted."""
    sinks = [each.sink for each in apps.values() if each.sink is not None]
    exporters = [each.exporter for name, each in apps.items() if name != "logged" and each.exporter is not None]
    spans = sum(served - exporter.server_spans for exporter in exporters)
    # Two engines of one process: the one that started last gets what loggers of modules log.
    return spans + max(0, len(sinks) * served * EVENTS_PER_REQUEST - sum(sink.events for sink in sinks))


if __name__ == "__main__":
    main()
