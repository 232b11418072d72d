"""The engine beside its journal: what a log call keeps, and what the worker does with what dead processes have left.

    log call ─► redacted ─┬► serialised ─► journal ─► ticket ─┐
                          └► queue ───────────────────────────┴─► worker: claim ─► sinks ─► settled: forgotten
    start    ─► what was never settled, of processes that have died ─► the same sinks, with ``replayed`` on it

Redaction happens at the call, so that nothing unredacted reaches the disk; the other stages have state, and stay with
the worker. There it happens once more, for what enrichers add: a redactor has to leave its own output as it is. What is
replayed has been redacted, does not meet the filters, and is routed like any other event.
"""

import threading
import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from fapilog.clock import Clock
from fapilog.coerce import to_text
from fapilog.context import OWN_WORK
from fapilog.diagnostics import Diagnostics, attempt
from fapilog.engine.journal.frontier import Claim
from fapilog.engine.journal.options import JournalOptions
from fapilog.engine.journal.recovery import Recovery
from fapilog.engine.journal.store import Journal
from fapilog.engine.queue import RECURSION, EventQueue
from fapilog.engine.stages import REDACTION_FAILED, FailMode, HeldBack, Stages
from fapilog.event import (
    ERROR_KEYS,
    IDENTITY_KEYS,
    RESERVED,
    EventDict,
    Extra,
    Names,
    Origin,
    RenderedException,
    to_event,
)
from fapilog.protocols import Format, Redactor

REPLAYED = "replayed"
_LEVEL, _ORIGIN, _SHARED, _EXTRA = 1, 2, 7, 9
_NO_EXTRA = Extra()
_APART = frozenset((*RESERVED, *ERROR_KEYS))
_RETRY_SECONDS = 1.0
_READ_AT_ONCE = 64
_DEEPEST = 10


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
        self._at_call = parts.redactors
        self._begin()
        # An engine that is replaced is dropped without a word; at exit the last drain comes first, and closes it.
        weakref.finalize(self, self._journal.close).atexit = False

    def _begin(self) -> None:
        self.lock = threading.RLock()
        self._retry_at = 0.0
        self._depth = 0
        self._behind = (0, self._clock.monotonic())
        self._seen = self._behind[1]
        self._damaged = 0
        self._replay: Replay | None = None

    def after_fork(self) -> None:
        """Leave the parent's journal to the parent."""
        self._begin()
        self._form.reset()
        self._journal.after_fork()

    def keep(self, record: tuple[Any, ...]) -> tuple[tuple[Any, ...] | None, str]:
        """Redact a record, append it, and return it with its ticket, or None and the reason why it is to be dropped.

        One that the journal cannot take goes on without a ticket.
        """
        with self.lock:
            if self._depth == _DEEPEST:
                # A redactor that logs about every event is called for what it logs, without end.
                return None, RECURSION
            self._depth += 1
            try:
                redacted, line = self._redacted(record)
            finally:
                self._depth -= 1
        if redacted is None:
            return None, REDACTION_FAILED
        # Also when it is closed, which the journal counts.
        ticket = self._journal.append(line, redacted[_LEVEL])
        extra = redacted[_EXTRA]
        if ticket is not None:
            extra = (extra or _NO_EXTRA)._replace(ticket=ticket)
        # What sinks log has to be known for it, whatever redaction has left.
        shared = record[_SHARED] if record[_SHARED] is OWN_WORK.shared else redacted[_SHARED]
        return (*redacted[:_SHARED], shared, redacted[_SHARED + 1], extra), ""

    def let_go(self, records: Iterable[tuple[Any, ...]]) -> None:
        """Forget records that the worker will not see; they are counted as dropped."""
        for record in records:
            if record[_EXTRA] is not None and record[_EXTRA].ticket is not None:
                self._journal.discard(record[_EXTRA].ticket)

    def claim(self, records: Sequence[tuple[Any, ...]]) -> Claim:
        """Note that the worker has these records; to be settled when all sinks have."""
        extras = [record[_EXTRA] for record in records]
        return self._journal.claim([extra.ticket for extra in extras if extra is not None and extra.ticket is not None])

    def tend(self, queue: EventQueue) -> None:
        """Do what is to be done now and then, for the queue that the worker takes from."""
        position, at = self._behind
        if queue.gone() >= position:
            # All that waited then has come; before that, nothing is missing only because it is late.
            self._seen, self._behind = at, (queue.position(), self._clock.monotonic())
        self._journal.tend(self._seen)

    def recover(self) -> "Replay":
        """Return what dead processes have left."""
        if self._replay is not None:
            self._damaged += self._replay.damaged
        self._replay = Replay(self._journal.recover())
        return self._replay

    def close(self) -> None:
        """Leave what is not settled to the next start; the next record opens another journal."""
        self._journal.close()

    def figures(self) -> dict[str, Any]:
        """Return the journal's figures, and how many records of dead processes were ``damaged``."""
        replay = self._replay
        return self._journal.figures() | {"damaged": self._damaged + (0 if replay is None else replay.damaged)}

    def in_turn(self, redactors: Sequence[Redactor]) -> list[Redactor]:
        """Return the worker's redactors: those that are run at the call, too, one thread at a time."""
        shared = {id(redact) for redact in self._at_call}
        return [InTurn(redact, self) if id(redact) in shared else redact for redact in redactors]

    def _open(self) -> None:
        now = self._clock.monotonic()
        if now >= self._retry_at:
            # Before it is tried: a signal handler may log meanwhile.
            self._retry_at = now + _RETRY_SECONDS
            if self._journal.open():
                self._retry_at = 0.0

    def _redacted(self, record: tuple[Any, ...]) -> tuple[tuple[Any, ...] | None, bytes]:
        """Return a record redacted, and its line; no line if nothing keeps it."""
        if self._stages.raw:
            redacted = self._stages.redact([record], HeldBack())
            if not redacted:
                return None, b""
            return tuple(redacted[0]), self._form.encode_records(redacted)[0] if self._ready() else b""
        event = self._stages.apply(to_event(record, self._names, self._resource), HeldBack())
        if event is None:
            return None, b""
        return _record_of(event, record), self._form.encode_events([event])[0] if self._ready() else b""

    def _ready(self) -> bool:
        if not self._journal.is_open:
            self._open()
        return self._journal.is_open


class InTurn:
    """A redactor that log calls use as well: whoever calls it has the lock of the journaling."""

    def __init__(self, redact: Redactor, journaling: Journaling) -> None:
        """Hold both, and go by the redactor's name."""
        self.name = getattr(redact, "name", None) or getattr(redact, "__name__", None) or type(redact).__name__
        self._redact = redact
        self._journaling = journaling

    def __call__(self, event: EventDict) -> EventDict:
        """Redact an event."""
        with self._journaling.lock:
            return self._redact(event)


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
                    events.append(_marked(event))
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


def _marked(event: EventDict) -> EventDict:
    """Return an event with the mark, and a field of the mark's name under another."""
    fields = dict(event)
    if REPLAYED in fields:
        fields.setdefault(f"{REPLAYED}_", fields[REPLAYED])
    return fields | {REPLAYED: True}


def _record_of(event: EventDict, record: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a record that holds what a flat event says, with time and level of the record it was made of."""
    fields = {key: value for key, value in event.items() if key not in _APART}
    identity = {key: event[key] for key in IDENTITY_KEYS if key in event}
    exception, stack = event.get("exception"), event.get("stack")
    extra = record[_EXTRA]
    if extra is not None:
        extra = extra._replace(
            exception=RenderedException(exception) if isinstance(exception, dict) else None,
            stack=stack if isinstance(stack, str) else None,
        )
    origin = record[_ORIGIN]
    if event.get("logger") != origin.name:
        origin = Origin(to_text(event.get("logger", "")), origin.queue, origin.threshold)
    return (*record[:_ORIGIN], origin, to_text(event.get("message", "")), fields, {}, identity, {}, None, extra)
