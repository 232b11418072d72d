"""Measurements for OpenTelemetry's histograms, recorded on a thread of their own.

    engine's thread, event loop ─► queue (at most 4 000) ─► daemon thread ─► ``Histogram.record`` of the SDK
    reader collects ─► the callback of an instrument waits until what was handed over before is recorded

The SDK records under locks, and does not renew them in a forked child: one that a reader held at the moment of the fork
is held in the child for ever. Whoever records there stands still for ever, so it must be nobody that anything else
waits for.
"""

import os
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec

from fapilog.context import enter_own_work
from fapilog.diagnostics import Diagnostics, attempt

MOST_WAITING = 4_000
_PATIENCE_SECONDS = 1.0
_KIND = "metrics"
P = ParamSpec("P")


class Recording:
    """Calls what records a measurement, in the order of handing over, on a daemon thread; one for a process is enough.

    The thread starts with the first measurement, and stays. Thread-safe. A forked child inherits nothing of it: what
    waits is the parent's. What still waits when the interpreter ends is lost; the last collection of a reader, which a
    provider's shutdown makes, waits for it like any other.

    Args:
        most: How many may wait, each with the span of its request: 5 kB. What finds no room is lost and counted.
        patience: How many seconds a collection waits, at most; not again before what it waited for has happened.
    """

    def __init__(self, most: int = MOST_WAITING, patience: float = _PATIENCE_SECONDS) -> None:
        """Start no thread before the first measurement."""
        self._make = partial(_Line, most, patience)
        # By process: a lock around it could be inherited held, an entry cannot.
        self._lines: dict[int, _Line] = {}

    @property
    def lost(self) -> int:
        """How many measurements of this process found no room."""
        line = self._lines.get(os.getpid())
        return 0 if line is None else line.lost

    def hand_over(self, function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Have ``function`` called soon; blocks for nothing. It may raise: that is said on standard error."""
        pid = os.getpid()
        line = self._lines.get(pid)
        if line is None:
            line = self._lines.setdefault(pid, self._make())
            self._lines = {pid: line}
        line.add(partial(function, *args, **kwargs))

    def catch_up(self, seconds: float = _PATIENCE_SECONDS) -> None:
        """Wait until all that was handed over before is recorded, not longer than the patience or ``seconds`` allow."""
        line = self._lines.get(os.getpid())
        if line is not None:
            line.catch_up(seconds)


class _Line:
    """What waits in one process, and its thread.

    The queue needs no lock that Python code could hold, and its order is all that waiting for the thread takes: a
    call that is put behind the others tells that they are done.
    """

    __slots__ = ("_behind", "_diagnostics", "_lock", "_most", "_patience", "_said", "_thread", "_waiting", "lost")

    def __init__(self, most: int, patience: float) -> None:
        self.lost = 0
        self._said = 0
        self._most = most
        self._patience = patience
        self._waiting: SimpleQueue[Callable[[], Any]] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._behind: threading.Event | None = None
        self._diagnostics = Diagnostics()

    def add(self, call: Callable[[], Any]) -> None:
        if self._waiting.qsize() >= self._most:
            with self._lock:
                self.lost += 1
            return
        self._waiting.put(call)
        if self._thread is None:
            self._start()

    def catch_up(self, seconds: float) -> None:
        if self.lost > self._said:
            self._said = self.lost
            self._diagnostics.report(_KIND, f"{self._said} measurements found no room; no histogram has them")
        if self._behind is not None and not self._behind.is_set():
            return
        if self._thread is None and self._waiting.empty():
            return
        reached = threading.Event()
        self._waiting.put(reached.set)
        if self._thread is None:
            self._start()
        if self._thread is None:
            # The system gives no thread. This one is the reader's, and takes the same locks for itself next.
            while attempt(partial(self._record_one, block=False))[1] is None:
                pass
        if not reached.wait(min(seconds, self._patience)):
            self._behind = reached
            self._diagnostics.report(_KIND, "OpenTelemetry's histograms take no measurements at present")

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="fapilog-metrics", daemon=True)
                if attempt(self._thread.start)[1] is not None:
                    self._thread = None

    def _work(self) -> None:
        enter_own_work()
        while True:
            self._record_one()

    def _record_one(self, *, block: bool = True) -> None:
        # In a function of its own: a call has the context of a request, which nobody keeps while nothing comes.
        self._diagnostics.guard(_KIND, self._waiting.get(block))
