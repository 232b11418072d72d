"""Redacting what is no event and is looked at now: the spans at ``/debug/logging``.

worker ──► stages ─► the user's redactors ◄─ Looking ◄── the event loop, or a thread of its own
                        │ one at a time: they may have been written for one thread
                        ╰ the built-in one is each one's own, so that nobody waits
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from fapilog.clock import Clock
from fapilog.diagnostics import Diagnostics
from fapilog.event import EventDict, timestamp
from fapilog.protocols import RecordRedactor, Redactor

_LOGGER = "fapilog.console"


class Locked(Protocol):
    """Whatever has the lock that redactors are run under; a new one after a fork."""

    lock: Any


class Looking:
    """Redacts fields as those of an event would be. Thread-safe.

    Args:
        redactors: In their order; None if it is not known how to do it here, and everything is withheld.
        diagnostics: Where it is said that one failed.
        clock: Gives what redactors take for the event its time.
        holder: Has the lock that the user's redactors are run under already; None: nobody has.
    """

    def __init__(
        self, redactors: Sequence[Redactor] | None, diagnostics: Diagnostics, clock: Clock, holder: Locked | None = None
    ) -> None:
        """Look at nothing yet."""
        self._redactors = redactors
        self._diagnostics = diagnostics
        self._clock = clock
        self._holder: Locked = self if holder is None else holder
        self.lock = threading.RLock()

    def after_fork(self) -> None:
        """Take a new lock: a thread that is not there any more may hold the old one."""
        self.lock = threading.RLock()

    def __call__(self, fields: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return fields redacted, or None if a redactor failed, which is reported.

        Args:
            fields: Plain values as they would stand at the root of an event.
        """
        if self._redactors is None:
            return None
        # A redactor may rely on these: every event has them.
        own = {"timestamp": timestamp(self._clock.time_ns()), "level": "INFO", "logger": _LOGGER, "message": ""}
        event: Any = {**own, **fields}
        with self._holder.lock:
            for redact in self._redactors:
                event, error = self._diagnostics.guard_private("redactor for a look", redact, event)
                if error is not None or not isinstance(event, Mapping):
                    return None
        return {key: value for key, value in event.items() if key in fields or key not in own}

    def in_turn(self, redactors: Sequence[Redactor]) -> list[Redactor]:
        """Return the worker's redactors: those that are run here, too, one thread at a time."""
        shared = {id(redact) for redact in self._redactors or ()}
        return [_in_turn(redact, self) if id(redact) in shared else redact for redact in redactors]


class InTurn:
    """A redactor that others use as well: whoever calls it has the lock."""

    def __init__(self, redact: Any, holder: Locked) -> None:
        """Hold both, and go by the redactor's name."""
        self.name = getattr(redact, "name", None) or getattr(redact, "__name__", None) or type(redact).__name__
        self._redact = redact
        self._holder = holder

    def __call__(self, event: EventDict) -> EventDict:
        """Redact an event."""
        with self._holder.lock:
            redacted: EventDict = self._redact(event)
        return redacted


class RecordsInTurn(InTurn):
    """The same for one that takes captured records, too."""

    def redact_records(self, records: Sequence[Any]) -> Sequence[Any]:
        """Redact records."""
        with self._holder.lock:
            redacted: Sequence[Any] = self._redact.redact_records(records)
        return redacted


def _in_turn(redact: Redactor, holder: Locked) -> InTurn:
    return (RecordsInTurn if isinstance(redact, RecordRedactor) else InTurn)(redact, holder)
