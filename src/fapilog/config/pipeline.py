"""What happens to an event, in order: the stages that options ask for, and the fields of the process.

    filters     sampling ─► rate limit ─► first seen ─► dedupe ─► the user's ─► plug-ins'
    enrichers   the user's ─► plug-ins'
    redactors   the user's ─► plug-ins' ─► the built-in one
    processors  the user's ─► plug-ins' ─► the built-in redactor again, if there were any ─► size guard

The built-in redactor has the last look, so that it sees what all others have put in, processors too; the size guard
measures what is left after everything.
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from fapilog.coerce import to_plain_fields
from fapilog.config.options import Options
from fapilog.enrichers.kubernetes import kubernetes_fields
from fapilog.enrichers.runtime import runtime_fields
from fapilog.filters.dedupe import Dedupe
from fapilog.filters.first_seen import FirstSeen
from fapilog.filters.rate_limit import RateLimit
from fapilog.filters.sampling import sampler
from fapilog.levels import LevelTable
from fapilog.plugins import load
from fapilog.processors.size_guard import SizeGuard
from fapilog.redaction.redactor import Redactor


class PipelineStages(NamedTuple):
    """The stages, each list in the order it runs; ``at_call`` are the redactors of an engine with a journal.

    ``at_look`` are those of fields that are no event.
    """

    filters: list[Any]
    enrichers: list[Any]
    redactors: list[Any]
    at_call: list[Any]
    at_look: list[Any]
    processors: list[Any]


def redactor_of(options: Options) -> Redactor | None:
    """Return the built-in redactor, or None if redaction is switched off."""
    return Redactor(options.redaction) if options.redaction.enabled else None


class _Late:
    """The built-in redactor on fields, made when they are first looked at: that takes 0.7 ms. One thread at a time."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._made: Redactor | None = None

    def __call__(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._made is None:
            self._made = Redactor(self._options.redaction)
        return self._made.fields(fields)


def stages_of(options: Options, redactor: Redactor | None, levels: LevelTable) -> PipelineStages:
    """Return the stages that the options ask for.

    Raises:
        ConfigError: If a plug-in cannot be used, or a level does not exist.
    """
    redactors = [*options.redactors, *_plugins("redactors", options)]
    at_look = [*redactors, *([_Late(options)] if options.redaction.enabled else [])]
    at_call: list[Any] = []
    if options.journal is not None:
        # The worker has them, too, for what enrichers add; of the built-in one each has its own, to wait for nobody.
        own = redactor_of(options)
        at_call = [*redactors, *([] if own is None else [own])]
    if redactor is not None:
        redactors.append(redactor)
    processors = [*options.processors, *_plugins("processors", options)]
    if processors and redactor is not None:
        # Once more, for what these put in; what is redacted stays as it is.
        processors.append(redactor)
    if options.size_guard is not None:
        processors.append(SizeGuard(options.size_guard))
    return PipelineStages(
        filters=[*_filters(options, levels), *options.filters, *_plugins("filters", options)],
        enrichers=[*options.enrichers, *_plugins("enrichers", options)],
        redactors=redactors,
        at_call=at_call,
        at_look=at_look,
        processors=processors,
    )


def resource_of(options: Options, redactor: Redactor | None) -> dict[str, Any]:
    """Return the fields that every event of the process carries: looked up once, and redacted once."""
    pod = {} if options.kubernetes is None else kubernetes_fields(options.kubernetes, os.environ)
    known = {**pod, **to_plain_fields(options.context), **runtime_fields(options.service, os.environ)}
    return known if redactor is None else dict(redactor.fields(known))


def _filters(options: Options, levels: LevelTable) -> list[Any]:
    """Return the built-in filters: the cheapest first, and what counts repetitions sees what the others let through."""

    def number(level: str | int, where: str) -> int:
        # An error of the only level among these options names the variable that said it.
        return levels.number(level, options.sources.get("sampling.exempt", where))

    found: list[Any] = []
    if options.sampling is not None:
        found.append(sampler(options.sampling, number))
    if options.rate_limit is not None:
        found.append(RateLimit(options.rate_limit, number))
    if options.first_seen is not None:
        found.append(FirstSeen(options.first_seen, number))
    if options.dedupe is not None:
        found.append(Dedupe(options.dedupe, number))
    return found


def _plugins(group: str, options: Options) -> list[Any]:
    return load(group, options.plugins, options.sources.get(f"plugins.{group}"))
