"""Turns options into running parts; with ``pipeline.py`` the only place that knows concrete sinks and stages."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from fapilog.clock import SYSTEM_CLOCK
from fapilog.config.formats import Formats
from fapilog.config.options import Options
from fapilog.config.parts import FileOptions
from fapilog.config.pipeline import redactor_of, resource_of, stages_of
from fapilog.config.presets import PRESETS
from fapilog.config.sink_parts import make_sink
from fapilog.delivery.books import OnDelivery
from fapilog.delivery.breaker import Breaker
from fapilog.delivery.dead_letters import DeadLetterOptions, DeadLetters
from fapilog.delivery.fallback import Fallback, Late, Target
from fapilog.delivery.identity import Numbered
from fapilog.delivery.retry import Retry
from fapilog.delivery.splitting import Splitting
from fapilog.delivery.spool.store import SpoolStore
from fapilog.delivery.spooling import Spooling
from fapilog.delivery.tracing import Traced
from fapilog.delivery.wrapping import Honest, Plain, Threaded
from fapilog.diagnostics import Diagnostics
from fapilog.engine.channels import Output
from fapilog.engine.engine import Engine, EngineParts
from fapilog.engine.journaling import JournalParts
from fapilog.engine.pressure import AdaptiveOptions
from fapilog.engine.watching import WatchParts
from fapilog.errors import ConfigError
from fapilog.filters.level import parse_directives
from fapilog.levels import INFO, LevelTable
from fapilog.otel.delivery_spans import DeliverySpans
from fapilog.plugins import load
from fapilog.processors.schema import Schema, schema_named
from fapilog.protocols import Format, Sink
from fapilog.serializers.json import JsonFormat
from fapilog.sinks.file import FileSink
from fapilog.sinks.memory import MemorySink
from fapilog.sinks.stdout import StdoutSink
from fapilog.units import parse_duration

_NAMED_BY: Mapping[type, str] = {
    StdoutSink: "add_stdout(name)",
    FileSink: "add_file(name)",
    MemorySink: "add_memory(name)",
}


class _Delivery(NamedTuple):
    """What the wrappers of all sinks are made of."""

    options: Options
    target: Target | None
    record_form: Format
    diagnostics: Diagnostics


def build_engine(options: Options, levels: LevelTable, name: str, on_delivery: OnDelivery | None) -> Engine:
    """Return a stopped engine.

    Args:
        options: What it is made of.
        levels: The process's level names.
        name: Its name in its figures, which no other engine of the process has.
        on_delivery: Told of each batch; see ``EngineParts``.

    Raises:
        ConfigError: If an option cannot be used; nothing is left open then.
    """
    redactor = redactor_of(options)
    stages = stages_of(options, redactor, levels)
    resource = resource_of(options, redactor)
    reshape = None if options.schema is None else schema_named(options.schema)
    formats = Formats(levels, resource, reshape)
    diagnostics = Diagnostics(
        write=None if options.diagnostics else _silent, scrub=None if redactor is None else redactor.text
    )
    sinks = [make_sink(choice, options.sources, levels) for choice in options.sinks]
    sinks += load("sinks", options.plugins, options.sources.get("plugins.sinks"))
    _check_names(sinks)
    deliver = _Delivery(options, _target(options, sinks, formats, levels), JsonFormat(levels, resource), diagnostics)
    if options.spool is not None and not any(_is_fed(sink) for sink in sinks):
        diagnostics.report("spool", "no sink uses it: it is for remote sinks and others that are asynchronous")
    spooled = options.spool is not None
    forms = {sink.name: _form(sink, formats, numbered=spooled and _is_fed(sink)) for sink in sinks}
    outputs = [Output(_delivered(sink, forms[sink.name], deliver), forms[sink.name]) for sink in sinks]
    thresholds = parse_directives(options.level, levels.number, options.sources.get("level", "with_level(level)"))
    parts = EngineParts(
        levels=levels,
        level=INFO if thresholds.default is None else thresholds.default,
        level_overrides=thresholds.loggers,
        outputs=outputs,
        queue=options.queue,
        batch=options.batch,
        resource=resource,
        shutdown_timeout_seconds=parse_duration(options.shutdown_timeout, "with_shutdown_timeout(seconds)"),
        filters=stages.filters,
        enrichers=stages.enrichers,
        redactors=stages.redactors,
        at_look=stages.at_look,
        processors=stages.processors,
        fail=options.redaction.fail,
        routing=options.routing,
        journal=_journal(options, stages.at_call, levels, resource),
        adaptive=_adaptive(options, levels),
        diagnostics=diagnostics,
        name=name,
        watch=_watch(options, formats, reshape, levels, resource),
        on_delivery=on_delivery,
        recorded=options.flight_recorder is not None,
    )
    return _engine_of(parts, options)


def _engine_of(parts: EngineParts, options: Options) -> Engine:
    """Return the engine, which lets events below the levels through if there is a flight recorder to keep them.

    Raises:
        ConfigError: If a sink or level that a route or the recorder goes by is not known.
    """
    try:
        engine = Engine(parts)
    except ConfigError as error:
        # Only here are the names of sinks and levels known, which routes go by.
        place = options.sources.get("routing.fallback" if "fallback" in error.where else "routing.routes")
        if place is None or not error.where.startswith(("with_routing(", "Route(")):
            raise
        raise error.at(place) from None
    if options.flight_recorder is not None:
        place = options.sources.get("flight_recorder.level", "with_flight_recorder(level)")
        engine.open_floor(parts.levels.number(options.flight_recorder.level, place))
    return engine


def _watch(
    options: Options, formats: Formats, reshape: Schema | None, levels: LevelTable, resource: Mapping[str, Any]
) -> WatchParts | None:
    """Return what is kept for the debug route, if there is to be one."""
    if options.debug_route is None:
        return None
    form = formats.named("json")
    if reshape is not None:
        form = JsonFormat(levels, resource)
        form.name = "recent"
    return WatchParts(form, options.debug_route.keep_bytes)


def _journal(
    options: Options, redactors: list[Any], levels: LevelTable, resource: Mapping[str, Any]
) -> JournalParts | None:
    if options.journal is None:
        return None
    return JournalParts(options.journal, str(resource.get("service", "")), JsonFormat(levels, resource), redactors)


def _silent(_: str) -> None:
    """Say nothing."""


def _check_names(sinks: list[Sink]) -> None:
    names = [sink.name for sink in sinks]
    for index, name in enumerate(names):
        if name in names[:index]:
            where = _NAMED_BY.get(type(sinks[index]), "add_sink(sink.name)")
            raise ConfigError.wrong(where, name, "a name that no other sink of this logger has")


def _adaptive(options: Options, levels: LevelTable) -> AdaptiveOptions | None:
    """Return the options with the number of the level, which is looked up where the variable is known that said it."""
    if options.adaptive is None:
        return None
    where = options.sources.get("adaptive.shed", "with_adaptive(shed)")
    return replace(options.adaptive, shed=levels.number(options.adaptive.shed, where))


def _form(sink: Sink, formats: Formats, *, numbered: bool = False) -> Format | None:
    """Return what makes the lines of a sink, shared by all sinks of the format; None if it reads dicts only.

    Args:
        sink: The sink.
        formats: What there is.
        numbered: Whether its events have ids although it does not ask for them.
    """
    name = getattr(sink, "format", "json")
    form = None if name is None else formats.named(name)
    return Numbered(form) if numbered or getattr(sink, "event_ids", False) else form


def _target(options: Options, sinks: list[Sink], formats: Formats, levels: LevelTable) -> Target | None:
    """Return the sink that gets what others could not deliver, taken off the list if it was on it.

    Raises:
        ConfigError: If there is none of that name, or none beside it.
    """
    if options.fallback is None:
        return None
    if options.fallback.path is not None:
        file, sources = FileOptions(options.fallback.path, name="fallback"), options.sources
        if options.fallback != PRESETS[options.preset].fallback:
            # What the user asked for has to be possible; a preset's file may never be needed.
            make_sink(file, sources, levels)
        sink: Sink = Late(file.name, lambda: make_sink(file, sources, levels))
        _check_names([*sinks, sink])
    else:
        where = options.sources.get("fallback.to", "with_fallback(to)")
        named = {sink.name: sink for sink in sinks}
        if options.fallback.to not in named:
            raise ConfigError.unknown(where, options.fallback.to, named)
        sink = named[options.fallback.to]
        sinks.remove(sink)
        waits = inspect.iscoroutinefunction(sink.write)
        if not sinks or (waits and not all(_is_fed(other) for other in sinks)):
            allowed = "a sink beside others" if not sinks else "a synchronous sink, as some of the others are"
            raise ConfigError.wrong(where, options.fallback.to, allowed)
    return Target(sink, _form(sink, formats))


def _is_fed(sink: Sink) -> bool:
    """Tell whether a sink gets its batches from a task, with all that can be put in between."""
    return inspect.iscoroutinefunction(sink.write) or bool(getattr(sink, "threaded", False))


def _delivered(sink: Sink, form: Format | None, deliver: _Delivery) -> Sink:
    """Return a sink in the wrappers that the options ask for; this is their order, from the inside out.

    A synchronous sink is neither retried, split nor spooled, as that would block whoever writes, unless it asks for a
    thread of its own by ``threaded``. One that only touches memory is left as it is.
    """
    options, target = deliver.options, deliver.target
    if getattr(sink, "threaded", False):
        sink = Threaded(sink)
    asynchronous = inspect.iscoroutinefunction(sink.write)
    if not asynchronous and (not getattr(sink, "blocks", True) or (options.circuit_breaker is None and target is None)):
        return sink

    def say(what: str) -> Callable[[str], None]:
        # Each of its own kind: one line a minute is written of each.
        return partial(deliver.diagnostics.report, f"{what} {sink.name}")

    spool, letters = options.spool, options.dead_letters
    if spool is not None and letters is None:
        letters = DeadLetterOptions(Path(spool.directory) / "dead-letters.jsonl")
    wrapped: Sink = Honest(sink, waits=asynchronous)
    if options.circuit_breaker is not None:
        wrapped = Breaker(wrapped, options.circuit_breaker, say=say("circuit"), say_closed=say("recovery"))
    if asynchronous:
        passes_open = target is not None and spool is None
        retry = options.retry
        wrapped = Retry(Splitting(wrapped), retry, endless=spool is not None, passes_open=passes_open, say=say("retry"))
        if letters is not None:
            wrapped = DeadLetters(wrapped, letters, say=say("dead letters"), scrub=deliver.diagnostics.scrubbed)
        wrapped = _traced(wrapped, options)
    if asynchronous and spool is not None:
        store = SpoolStore(spool, sink.name, SYSTEM_CLOCK, say("spool"))
        wrapped = Spooling(wrapped, store, form, deliver.record_form, say("spool"))
    if target is not None:
        takes_rejected = not asynchronous or letters is None
        wrapped = Fallback(wrapped, target, here=not asynchronous, takes_rejected=takes_rejected, say=say("sink"))
    return wrapped if asynchronous else Plain(wrapped)


def _traced(sink: Sink, options: Options) -> Sink:
    linked = options.tracing is not None and options.tracing.links
    return Traced(sink, DeliverySpans(options.tracer_provider)) if linked else sink
