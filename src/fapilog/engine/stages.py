"""The stages, in their fixed order: filters, enrichers, redactors, processors.

    records ─┬─ only redactors that take records ──► records, redacted
             └─ otherwise ─► dicts ─► filters ─► enrichers ─► redactors ─► processors ─► dicts

A stage that raises is counted and reported, and the event goes on without it; only a redactor fails closed: what is
left of the event is its time, level and logger, and a note, or nothing, counted. What comes before the redactors, and
they themselves, see secrets: of what they raise only the type and the place are reported.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from fapilog.coerce import to_plain_fields, to_text
from fapilog.delivery.accounts import DROPPED, FILTERED
from fapilog.diagnostics import Diagnostics
from fapilog.event import EventDict
from fapilog.protocols import Enricher, Filter, Processor, RecordRedactor, Redactor, Summarising, Summary

UNREDACTED = "event withheld: a redactor failed"
REDACTION_FAILED = "redaction_failed"
_LEVEL = 1
_KEPT = ("timestamp", "level", "logger")

FailMode = Literal["mask_all", "drop"]


class HeldBack:
    """What the stages did not let through of some events.

    Attributes:
        filtered: How many, by the name of the filter or processor.
        dropped: How many, by reason: a redactor failed and the fail mode is ``"drop"``.
        levels: How many, by outcome and level.
    """

    __slots__ = ("dropped", "filtered", "levels")

    def __init__(self) -> None:
        """Start with nothing."""
        self.filtered: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.levels: Counter[tuple[str, int]] = Counter()

    def filter(self, name: str, level: int) -> None:
        """Count an event that was not let through on purpose."""
        self.filtered[name] += 1
        self.levels[FILTERED, level] += 1

    def drop(self, reason: str, level: int) -> None:
        """Count an event that is lost."""
        self.dropped[reason] += 1
        self.levels[DROPPED, level] += 1


class Stages:
    """What happens to an event between the queue and the sinks. Used by the worker alone.

    Attributes:
        raw: Whether records stay records, because nobody wants to see a dict.
    """

    def __init__(
        self,
        diagnostics: Diagnostics,
        filters: Sequence[Filter] = (),
        enrichers: Sequence[Enricher] = (),
        redactors: Sequence[Redactor] = (),
        processors: Sequence[Processor] = (),
        fail: FailMode = "mask_all",
    ) -> None:
        """Hold the callables; each list runs in the order given."""
        self._diagnostics = diagnostics
        self._filters = _named(filters)
        self._enrichers = _named(enrichers)
        self._redactors = _named(redactors)
        self._processors = _named(processors)
        self._summarising = [(name, keep) for name, keep in self._filters if isinstance(keep, Summarising)]
        self._drops = fail == "drop"
        staged = self._filters or self._enrichers or self._processors
        self.raw = not staged and all(isinstance(redact, RecordRedactor) for _, redact in self._redactors)

    def redact(self, records: Sequence[Any], held_back: HeldBack) -> Sequence[Any]:
        """Return records redacted, where :attr:`raw` says that this is all there is to do."""
        for name, redactor in self._redactors:
            redact, kind = redactor.redact_records, f"redactor {name}"
            redacted, error = self._diagnostics.guard_private(kind, _expect_as_many, redact, records)
            if error is not None:
                # One of them is to blame: the others are not to suffer for it.
                redacted = []
                for record in records:
                    one, error = self._diagnostics.guard_private(kind, _expect_as_many, redact, [record])
                    if error is None:
                        redacted += one
                    elif self._drops:
                        held_back.drop(REDACTION_FAILED, record[_LEVEL])
                    else:
                        redacted.append((*record[:3], UNREDACTED, {}, {}, {}, {}, None, None))
            records = redacted
        return records

    def apply(self, event: EventDict, held_back: HeldBack, level: int = 0) -> EventDict | None:
        """Run all stages on one event of a level; None if one held it back, counted in ``held_back``."""
        for name, keep in self._filters:
            verdict, error = self._diagnostics.guard_private(f"filter {name}", keep, event)
            if error is None and not verdict:
                held_back.filter(name, level)
                return None
        for name, enrich in self._enrichers:
            more, _ = self._diagnostics.guard_private(f"enricher {name}", _pairs, enrich, event)
            for key, value in more or ():
                event.setdefault(key, value)
        whole = self._redacted(event)
        if whole is None and self._drops:
            held_back.drop(REDACTION_FAILED, level)
            return None
        if whole is None:
            return {key: event[key] for key in _KEPT if key in event} | {"message": UNREDACTED}
        event = whole
        for name, process in self._processors:
            processed, error = self._diagnostics.guard(f"processor {name}", _expect_dict_or_none, process, event)
            if error is not None:
                continue
            if processed is None:
                held_back.filter(name, level)
                return None
            event = processed
        return event

    def _redacted(self, event: EventDict) -> EventDict | None:
        """Return the event redacted; None if that failed."""
        for name, redact in self._redactors:
            redacted, error = self._diagnostics.guard_private(f"redactor {name}", _expect_dict, redact, event)
            if error is not None:
                return None
            event = redacted
        return event

    def due(self, *, final: bool) -> list[Summary]:
        """Return what filters have to say about events that they held back; with ``final`` all of it."""
        found: list[Summary] = []
        for name, keep in self._summarising:
            summaries, _ = self._diagnostics.guard_private(f"filter {name}", _expect_summaries, keep.due, final)
            found += summaries or ()
        return found


def _named(stages: Iterable[Callable[..., Any]]) -> list[tuple[str, Any]]:
    return [(str(getattr(s, "name", None) or getattr(s, "__name__", None) or type(s).__name__), s) for s in stages]


def _pairs(enrich: Enricher, event: EventDict) -> list[tuple[str, Any]]:
    more = enrich(event)
    return [(str(key), value) for key, value in more.items()] if isinstance(more, Mapping) else []


def _expect_as_many(redact: Callable[[Sequence[Any]], Sequence[Any]], records: Sequence[Any]) -> Sequence[Any]:
    redacted = redact(records)
    if len(redacted) != len(records):
        message = f"returned {len(redacted)} records for {len(records)}"
        raise ValueError(message)
    return redacted


def _expect_summaries(due: Callable[[bool], Sequence[Summary]], final: bool) -> list[Summary]:  # noqa: FBT001 - as due
    return [Summary(level, to_text(message), to_plain_fields(fields)) for level, message, fields in due(final)]


def _expect_dict(redact: Redactor, event: EventDict) -> EventDict:
    result = redact(event)
    if not isinstance(result, dict):
        message = f"returned {type(result).__name__}, not the event"
        raise TypeError(message)
    return result


def _expect_dict_or_none(process: Processor, event: EventDict) -> EventDict | None:
    result = process(event)
    if result is not None and not isinstance(result, dict):
        message = f"returned {type(result).__name__}, neither the event nor None"
        raise TypeError(message)
    return result
