"""The engine beside its journal: what a log call keeps, and what the worker does with what dead processes have left.

    log call ─► redacted ─┬► serialised ─► journal ─► ticket ─┐
                          └► queue ───────────────────────────┴─► worker: claim ─► sinks ─► settled: forgotten
    start    ─► what was never settled, of processes that have died ─► the same sinks, with ``replayed`` on it

Redaction happens at the call, so that nothing unredacted reaches the disk; the other stages have state, and stay with
the worker. What is replayed has been redacted, does not meet the filters, and is routed like any other event.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from fapilog.clock import Clock
from fapilog.diagnostics import Diagnostics, attempt
from fapilog.engine.journal.frontier import Claim
from fapilog.engine.journal.options import JournalOptions
from fapilog.engine.journal.recovery import Recovery
from fapilog.engine.journal.store import Journal
from fapilog.engine.stages import FailMode, HeldBack, Stages
from fapilog.event import ERROR_KEYS, IDENTITY_KEYS, RESERVED, EventDict, Extra, Names, to_event
from fapilog.protocols import Format, Redactor

REPLAYED = "replayed"
_LEVEL = 1
_ORIGIN_END = 3
_EXTRA = 9
_NO_EXTRA = Extra()
_APART = frozenset((*RESERVED, *ERROR_KEYS))
_RETRY_SECONDS = 1.0
_READ_AT_ONCE = 64


class JournalParts(NamedTuple):
    """What a journal is made of.

    Attributes:
        options: Where it is and how large.
        service: What the default directory is named after.
        form: Makes the lines that are kept, in schema ``fapilog/1``; the journal's own.
        redactors: Run at the call, in order; used by one thread at a time.
    """

    options: JournalOptions
    service: str
    form: Format
    redactors: Sequence[Redactor]


class Rendered:
    """An exception that is in an event already."""

    __slots__ = ("_value",)

    def __init__(self, value: dict[str, Any]) -> None:
        """Hold the ``exception`` object."""
        self._value = value

    def render(self) -> dict[str, Any]:
        """Return it."""
        return self._value


class Journaling:
    """Keeps records until they are settled. :meth:`keep` and :meth:`let_go` are thread-safe, the rest is the worker's.

    Args:
        parts: What the journal is made of.
        fail: What is left of an event whose redaction fails.
        names: Names the levels.
        resource: Fields about the process.
        diagnostics: Where it is said what cannot be done.
        clock: Says when a journal that could not be opened is tried again.
    """

    def __init__(
        self,
        parts: JournalParts,
        fail: FailMode,
        names: Names,
        resource: Mapping[str, Any],
        diagnostics: Diagnostics,
        clock: Clock,
    ) -> None:
        """Open nothing."""
        self._journal = Journal(parts.options, parts.service, diagnostics, clock)
        self._stages = Stages(diagnostics, redactors=parts.redactors, fail=fail)
        self._form = parts.form
        self._names = names
        self._resource = resource
        self._clock = clock
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._retry_at = 0.0

    def after_fork(self) -> None:
        """Leave the parent's journal to the parent."""
        self._begin()
        self._form.reset()
        self._journal.after_fork()

    def keep(self, record: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """Redact a record, append it, and return it with its ticket.

        One that the journal cannot take goes on without a ticket. None if its redaction failed and it is to be dropped.
        """
        with self._lock:
            redacted = self._redacted(record)
            if redacted is None or not (self._journal.is_open or self._open()):
                return redacted
            line = self._form.encode_records([redacted])[0]
        ticket = self._journal.append(line, redacted[_LEVEL])
        if ticket is None:
            return redacted
        return (*redacted[:_EXTRA], (redacted[_EXTRA] or _NO_EXTRA)._replace(ticket=ticket))

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
        now = self._clock.monotonic()
        if now < self._retry_at:
            return False
        self._retry_at = now + _RETRY_SECONDS
        return self._journal.open()

    def _redacted(self, record: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if self._stages.raw:
            redacted = self._stages.redact([record], HeldBack())
            return tuple(redacted[0]) if redacted else None
        event = self._stages.apply(to_event(record, self._names, {}), HeldBack())
        return None if event is None else _record_of(event, record)


class Replay:
    """What dead processes have left, a few events at a time. The worker's, but for :meth:`settle`.

    Attributes:
        events: How many were found.
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
        """Return the next events and their levels: none while the last are not settled; None when there are no more."""
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
        if self._settled:
            self._recovery.settle()
        self._recovery.close()


def _record_of(event: EventDict, record: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a record that holds what a flat event says, with time, level and logger of the record it was made of."""
    fields = {key: value for key, value in event.items() if key not in _APART}
    identity = {key: event[key] for key in IDENTITY_KEYS if key in event}
    exception, stack = event.get("exception"), event.get("stack")
    extra = record[_EXTRA]
    if extra is not None:
        extra = extra._replace(
            exception=Rendered(exception) if isinstance(exception, dict) else None,
            stack=stack if isinstance(stack, str) else None,
        )
    message = event.get("message", "")
    return (*record[:_ORIGIN_END], str(message), fields, {}, identity, {}, None, extra)
