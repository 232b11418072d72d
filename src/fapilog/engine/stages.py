"""The user's stages, in their fixed order: filters, enrichers, redactors, processors.

A stage that raises is counted and reported, and the event goes on without it; only a redactor fails closed: what is
left of the event is its time, level and logger, and a note.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from fapilog.diagnostics import Diagnostics
from fapilog.event import EventDict
from fapilog.protocols import Enricher, Filter, Processor, Redactor

UNREDACTED = "event withheld: a redactor failed"
_KEPT = ("timestamp", "level", "logger")


class Stages:
    """What happens to an event between the queue and the sinks. Used by the worker alone."""

    def __init__(
        self,
        diagnostics: Diagnostics,
        filters: Sequence[Filter] = (),
        enrichers: Sequence[Enricher] = (),
        redactors: Sequence[Redactor] = (),
        processors: Sequence[Processor] = (),
    ) -> None:
        """Hold the callables; each list runs in the order given."""
        self._diagnostics = diagnostics
        self._filters = _named(filters)
        self._enrichers = _named(enrichers)
        self._redactors = _named(redactors)
        self._processors = _named(processors)

    def __bool__(self) -> bool:
        """Tell whether there is any stage."""
        return bool(self._filters or self._enrichers or self._redactors or self._processors)

    def apply(self, event: EventDict, held_back: Counter[str]) -> EventDict | None:
        """Run all stages on one event; None if one held it back, counted in ``held_back`` under its name."""
        for name, keep in self._filters:
            verdict, error = self._diagnostics.guard(f"filter {name}", keep, event)
            if error is None and not verdict:
                held_back[name] += 1
                return None
        for name, enrich in self._enrichers:
            more, _ = self._diagnostics.guard(f"enricher {name}", _pairs, enrich, event)
            for key, value in more or ():
                event.setdefault(key, value)
        for name, redact in self._redactors:
            redacted, error = self._diagnostics.guard(f"redactor {name}", _expect_dict, redact, event)
            if error is not None:
                return {key: event[key] for key in _KEPT if key in event} | {"message": UNREDACTED}
            event = redacted
        for name, process in self._processors:
            processed, error = self._diagnostics.guard(f"processor {name}", _expect_dict_or_none, process, event)
            if error is not None:
                continue
            if processed is None:
                held_back[name] += 1
                return None
            event = processed
        return event


def _named(stages: Iterable[Callable[..., Any]]) -> list[tuple[str, Callable[..., Any]]]:
    return [(str(getattr(s, "name", None) or getattr(s, "__name__", None) or type(s).__name__), s) for s in stages]


def _pairs(enrich: Enricher, event: EventDict) -> list[tuple[str, Any]]:
    more = enrich(event)
    return [(str(key), value) for key, value in more.items()] if isinstance(more, Mapping) else []


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
