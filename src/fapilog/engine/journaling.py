"""The engine beside its journal: what a log call keeps, and what the worker does with what dead processes have left.

    log call ─► redacted, serialised ─► journal ─► ticket ─► queue ─► worker: claim ─► sinks ─► settled: the journal forgets it
    start    ─► what was never settled, from this process or its predecessors ─► the same sinks, with ``replayed`` on it

Only redaction happens at the call, so that nothing unredacted reaches the disk; the other stages have state, and stay with the
worker. What is replayed has been redacted, has not met the filters, and is routed like any other event.
"""

import threading
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from fapilog.clock import Clock
from fapilog.diagnostics import attempt
from fapilog.engine.journal.frontier import Claim
from fapilog.engine.journal.recovery import Recovery
from fapilog.engine.journal.store import Journal
from fapilog.engine.stages import HeldBack, Stages
from fapilog.event import EventDict, Extra, Names, to_event
from fapilog.protocols import Format

REPLAYED = "replayed"
_LEVEL = 1
_EXTRA = 9
_NO_EXTRA = Extra()
_RETRY_SECONDS = 1.0
_READ_AT_ONCE = 64


class Journaling:
    """Keeps records until they are settled. :meth:`keep` and :meth:`let_go` are thread-safe, the rest is the worker's.

    Args:
        journal: Where records are kept.
        stages: Their redactors run at the call.
        form: Makes the lines, in schema ``fapilog/1``; this object's own.
        names: Names the levels.
        resource: Fields about the process.
        clock: Says when a journal that could not be opened is tried again.
    """

    def __init__(
        self, journal: Journal, stages: Stages, form: Format, names: Names, resource: dict[str, Any], clock: Clock
    ) -> None:
        """Open nothing."""
        self._journal = journal
        self._stages = stages
        self._form = form
        self._names = names
        self._resource = resource
        self._clock = clock
        self._lock = threading.RLock()
        self._retry_at = 0.0

    def after_fork(self) -> None:
        """Leave the parent's journal to the parent."""
        self._lock = threading.RLock()
        self._form.reset()
        self._retry_at = 0.0
        self._journal.after_fork()

    def keep(self, record: tuple[Any, ...]) -> tuple[Any, ...]:
        """Append a record, redacted, and return it with its ticket; as it is if the journal does not take it."""
        if not self._journal.is_open and not self._open():
            return record
        with self._lock:
            line, error = attempt(self._line, record)
        ticket = self._journal.append(line, record[_LEVEL]) if error is None and line else None
        if ticket is None:
            return record
        return (*record[:_EXTRA], (record[_EXTRA] or _NO_EXTRA)._replace(ticket=ticket))

    def let_go(self, records: Iterable[tuple[Any, ...]]) -> None:
        """Forget records that the worker will not see; they are counted as dropped."""
        for record in records:
            if record[_EXTRA] is not None and record[_EXTRA].ticket is not None:
                self._journal.discard(record[_EXTRA].ticket)

    def claim(self, records: Sequence[tuple[Any, ...]]) -> Claim:
        """Note that the worker has these records; to be settled when all sinks have."""
        extras = [record[_EXTRA] for record in records]
        return self._journal.claim([extra.ticket for extra in extras if extra is not None and extra.ticket is not None])

    def tend(self) -> None:
        """Do what is to be done now and then."""
        self._journal.tend()

    def recover(self) -> "Replay":
        """Return what dead processes have left."""
        return Replay(self._journal.recover())

    def close(self) -> None:
        """Keep what is not settled for the next start."""
        self._journal.close()

    def figures(self) -> dict[str, Any]:
        """Return the journal's figures."""
        return self._journal.figures()

    def _open(self) -> bool:
        with self._lock:
            now = self._clock.monotonic()
            if now < self._retry_at:
                return False
            self._retry_at = now + _RETRY_SECONDS
            return self._journal.open()

    def _line(self, record: tuple[Any, ...]) -> bytes:
        """Return the line of a record; empty if its redaction failed and it is to be dropped."""
        if self._stages.takes_records:
            redacted = self._stages.redact([record], HeldBack())
            return self._form.encode_records(redacted)[0] if redacted else b""
        event = self._stages.redact_event(to_event(record, self._names, self._resource), HeldBack())
        return b"" if event is None else self._form.encode_events([event])[0]


class Replay:
    """What dead processes have left, a few events at a time. The worker's.

    Attributes:
        events: How many were found.
        damaged: How many could not be read.
    """

    def __init__(self, recovery: Recovery) -> None:
        """Look for nothing yet."""
        self._recovery = recovery
        self._waiting = False
        self._settled = False
        self._spoilt = 0
        self.events = 0

    @property
    def damaged(self) -> int:
        """How many could not be read."""
        return self._recovery.damaged + self._spoilt

    def read(self) -> tuple[list[EventDict], list[int]] | None:
        """Return the next events and their levels; nothing while the last are not settled, None when there are no more."""
        if self._waiting:
            return [], []
        if self._settled:
            self._settled = False
            self._recovery.settle()
        while found := self._recovery.read(_READ_AT_ONCE):
            events: list[EventDict] = []
            levels: list[int] = []
            for level, payload in found:
                event, error = attempt(orjson.loads, payload)
                if error is None and isinstance(event, dict):
                    events.append(event | {REPLAYED: True})
                    levels.append(level)
            self._spoilt += len(found) - len(events)
            if events:
                self.events += len(events)
                self._waiting = True
                return events, levels
            self._recovery.settle()
        return None

    def settle(self) -> None:
        """Say that all sinks have settled what was read; any thread. The next :meth:`read` forgets it, and goes on."""
        self._settled = True
        self._waiting = False

    def close(self) -> None:
        """Leave the rest to the next start."""
        self._recovery.close()
