"""How much later an event loop reacts while it logs 20 000 events a second.

Another process sends time stamps at odd moments, as requests would come; the lag is how much later the loop
reads one. It is measured first with calls that do nothing, then with the contender: the difference is reported.
"""

import asyncio
import struct
import subprocess
import sys
import time
from array import array

from benchmarks.contenders import load
from benchmarks.harness import NS, Emit, Lines, arguments, percentile, report, scratch, span

PER_SECOND = 20_000
TICK_SECONDS = 0.001
_STAMP = struct.Struct("=q")


def main() -> None:
    """Run one contender."""
    args = arguments()
    seconds = args.pick(2.5, 1.0)
    with scratch() as directory, span():
        running = load(args.contender).start(directory)
        idle, _ = asyncio.run(_lag(_nothing, seconds))
        logging, sent = asyncio.run(_lag(running.emit, seconds))
        running.stop()
        lines = Lines(directory)
        lines.read()
    report(
        idle_p999_ns=percentile(idle, 99.9),
        logging_p999_ns=percentile(logging, 99.9),
        added_p50_ns=percentile(logging, 50) - percentile(idle, 50),
        added_p99_ns=percentile(logging, 99) - percentile(idle, 99),
        added_p999_ns=percentile(logging, 99.9) - percentile(idle, 99.9),
        events_per_second=sent / seconds,
        lost=sent - lines.count,
    )


def _nothing(seq: int) -> None:
    del seq


async def _lag(emit: Emit, seconds: float) -> "tuple[array[int], int]":
    lags = array("q")
    loop = asyncio.get_running_loop()
    pulse = subprocess.Popen([sys.executable, "-m", "benchmarks.pulse"], stdout=subprocess.PIPE, bufsize=0)  # noqa: ASYNC220 - it starts before anything is measured
    if pulse.stdout is None:
        raise RuntimeError(pulse.args)
    pulse.stdout.read(_STAMP.size)  # it is up
    stamps = pulse.stdout

    def arrived() -> None:
        data = stamps.read(_STAMP.size * 512)
        now = time.perf_counter_ns()
        lags.extend(now - stamp for (stamp,) in _STAMP.iter_unpack(data))

    loop.add_reader(stamps.fileno(), arrived)
    sent = await _produce(emit, seconds)
    loop.remove_reader(stamps.fileno())
    pulse.kill()
    pulse.wait()
    stamps.close()
    return lags, sent


async def _produce(emit: Emit, seconds: float) -> int:
    sent = 0
    began = time.perf_counter_ns()
    while (passed := time.perf_counter_ns() - began) < seconds * NS:
        # At most five ticks' worth at once: a contender that cannot keep up must not starve the readers for good.
        for _ in range(min(passed * PER_SECOND // NS - sent, 5 * int(PER_SECOND * TICK_SECONDS))):
            emit(sent)
            sent += 1
        await asyncio.sleep(TICK_SECONDS)
    return sent


if __name__ == "__main__":
    main()
