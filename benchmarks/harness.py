"""What every scenario needs: the workload, clocks, percentiles, lines on disk, and one JSON line of results.

A scenario is run as ``python -m benchmarks.<scenario> <contender> [quick]``. All times are nanoseconds of
``time.perf_counter_ns``, which processes of one machine share.
"""

import json
import os
import re
import resource
import shutil
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from opentelemetry.sdk.trace import TracerProvider

Emit = Callable[[int], object]

MESSAGE = "order placed"
LOGGER_NAME = "bench"
BOUND = {"request_id": "6f1c2a7e9b3d4c5f", "tenant": "acme"}
SEQUENCE = re.compile(rb'"seq": ?(\d+)')
SECRET = "AKIA" + "IOSFODNN7EXAMPLE"
NS = 1_000_000_000
_POLL_SECONDS = 0.002
_SETTLE_SECONDS = 60.0


class Arguments(NamedTuple):
    """The command line of a scenario."""

    contender: str
    quick: bool

    def pick(self, full: float, quick: float) -> float:
        """Return how much to do."""
        return quick if self.quick else full


def arguments() -> Arguments:
    """Read the command line."""
    return Arguments(sys.argv[1], "quick" in sys.argv[2:])


def order(seq: int, secret: str = "") -> dict[str, Any]:
    """Return the fields of a nested event: 30 values, as an order service would log them; one more with a secret."""
    fields: dict[str, Any] = {
        "seq": seq,
        "order": {
            "number": f"A-{seq}",
            "currency": "EUR",
            "total": 64.85,
            "paid": True,
            "items": [
                {"sku": "B-1009", "title": "Garden hose 20 m", "quantity": 1, "price": 24.95},
                {"sku": "B-2210", "title": "Hose trolley", "quantity": 1, "price": 39.9},
            ],
        },
        "customer": {
            "id": f"cus_{seq}",
            "tier": "gold",
            "locale": "nl-NL",
            "since": "2019-04-02",
            "visits": 42,
            "newsletter": False,
        },
        "shipping": {"carrier": "postnl", "country": "NL", "parcels": 1, "weight_kg": 4.2, "pickup": None},
        "client": {"platform": "ios", "version": "7.14.2", "screen": "390x844", "language": "nl"},
        "timing": {"stock_ms": 3.1, "payment_ms": 212.4},
    }
    if secret:
        fields["client"]["api_key"] = secret
    return fields


def report(**figures: float | str | None) -> None:
    """Print the results, one line of JSON."""
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


def leave() -> None:
    """End the process at once: for scenarios that leave a sink stuck, whose queue would take hours to drain."""
    sys.stdout.flush()
    os._exit(0)


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a directory for the files of one run."""
    directory = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def span() -> Iterator[None]:
    """Run inside a recording span of the OpenTelemetry SDK, without an exporter."""
    with TracerProvider().get_tracer(LOGGER_NAME).start_as_current_span("request"):
        yield


@contextmanager
def busy_thread() -> Iterator[None]:
    """Run beside a thread that never gives up the interpreter lock of its own accord."""
    stopping = threading.Event()

    def spin() -> None:
        while not stopping.is_set():
            sum(range(1_000))

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def percentile(samples: Sequence[float], percent: float) -> float:
    """Return the sample below which ``percent`` of all samples lie (nearest rank)."""
    ordered = sorted(samples)
    return float(ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))])


def time_calls(emit: Emit, first: int, count: int) -> "array[int]":
    """Call ``emit`` in a tight loop with rising numbers and return what each call took."""
    took = array("q", bytes(8 * count))
    clock = time.perf_counter_ns
    for index in range(count):
        number = first + index
        began = clock()
        emit(number)
        took[index] = clock() - began
    return took


def timing_cost() -> float:
    """Return the median time that :func:`time_calls` shows for a call that does nothing."""
    return percentile(time_calls(_nothing, 0, 20_000), 50)


def _nothing(seq: int) -> None:
    del seq


def rss_bytes() -> int:
    """Return the resident memory of this process; where there is no ``/proc``, its highest so far."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Lines:
    """Counts the lines that have arrived in any file of a directory, reading each byte once."""

    def __init__(self, directory: Path) -> None:
        """Look at ``directory``, which may be empty still."""
        self.count = 0
        self._directory = directory
        self._offsets: dict[Path, int] = {}

    def read(self) -> bytes:
        """Return the whole lines that are new since the last call."""
        return b"".join(self._new_of(path) for path in sorted(self._directory.iterdir()) if path.is_file())

    def settle(self, expected: int) -> None:
        """Wait until ``expected`` lines are there.

        Raises:
            TimeoutError: If they are not after a minute.
        """
        deadline = time.monotonic() + _SETTLE_SECONDS
        while self.count < expected:
            self.read()
            if time.monotonic() > deadline:
                message = f"{self.count} of {expected} lines arrived"
                raise TimeoutError(message)
            time.sleep(_POLL_SECONDS)

    def _new_of(self, path: Path) -> bytes:
        offset = self._offsets.get(path, 0)
        if path.stat().st_size <= offset:
            return b""
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._offsets[path] = offset + len(whole)
        self.count += whole.count(b"\n")
        return whole
