"""What the engine logs about itself, as the logger ``fapilog``: drops, and what filters held back.

The worker says it between slices and before it stops. The events go the way of all others, redaction included.
"""

import time
from typing import Any

from fapilog.clock import Clock
from fapilog.diagnostics import attempt
from fapilog.engine.queue import EventQueue
from fapilog.engine.stages import Stages
from fapilog.event import Origin
from fapilog.levels import WARNING

SUMMARY_SECONDS = 5.0


class Notices:
    """Drops and summaries of one engine. Used by the worker alone; a forked child starts a new one."""

    def __init__(self, queue: EventQueue, origin: Origin, stages: Stages, clock: Clock) -> None:
        """Start with nothing said."""
        self._queue = queue
        self._origin = origin
        self._stages = stages
        self._clock = clock
        self._told = 0
        self._tell_at = 0.0

    def between_slices(self) -> None:
        """Say what is due now and then."""
        self._tell_drops()
        self._tell_summaries(final=False)

    def last_words(self) -> bool:
        """Say all that filters still have to say, and tell whether there was anything."""
        return self._tell_summaries(final=True)

    def recovered(self, events: int, damaged: int) -> None:
        """Say what a journal had kept of processes that have died."""
        if events or damaged:
            self._say(WARNING, "events recovered", {"count": events, "damaged": damaged})

    def _tell_drops(self) -> None:
        """Report new drops by one event, at most every few seconds."""
        dropped = self._queue.dropped.total()
        if dropped == self._told:
            return
        now = self._clock.monotonic()
        if not self._tell_at:
            self._tell_at = now + SUMMARY_SECONDS
        elif now >= self._tell_at:
            fields = {"dropped": dropped - self._told, "reasons": dict(self._queue.dropped)}
            self._told, self._tell_at = dropped, 0.0
            self._say(WARNING, "events dropped", fields)

    def _tell_summaries(self, *, final: bool) -> bool:
        summaries = self._stages.due(final=final)
        for summary in summaries:
            level, error = attempt(self._queue.levels.number, summary.level, "summary")
            self._say(WARNING if error is not None else level, summary.message, dict(summary.fields))
        return bool(summaries)

    def _say(self, levelno: int, message: str, fields: dict[str, Any]) -> None:
        empty: dict[str, Any] = {}
        record = (time.time_ns(), levelno, self._origin, message, fields, empty, empty, empty, None, None)
        self._queue.admit(record, may_await=False)
