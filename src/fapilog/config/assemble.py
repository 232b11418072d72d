"""Turns options into running parts; with ``pipeline.py`` the only place that knows concrete sinks and stages."""

import os
import sys
from collections.abc import Mapping
from typing import Any

from fapilog.config.options import Options
from fapilog.config.parts import FileOptions, SinkChoice, StdoutOptions
from fapilog.config.pipeline import redactor_of, resource_of, stages_of
from fapilog.diagnostics import Diagnostics
from fapilog.engine.engine import Engine, EngineParts, Output
from fapilog.engine.journaling import JournalParts
from fapilog.errors import ConfigError
from fapilog.filters.level import parse_directives
from fapilog.levels import INFO, LevelTable
from fapilog.plugins import load
from fapilog.processors.schema import Schema, schema_named
from fapilog.protocols import Format, Sink
from fapilog.serializers.events import EventsFormat
from fapilog.serializers.json import JsonFormat
from fapilog.serializers.logfmt import LogfmtFormat
from fapilog.serializers.pretty import PrettyFormat, choose_color
from fapilog.sinks.file import FileSink
from fapilog.sinks.memory import MemorySink
from fapilog.sinks.stdout import StdoutSink
from fapilog.units import parse_duration

_NAMED_BY: Mapping[type, str] = {
    StdoutSink: "add_stdout(name)",
    FileSink: "add_file(name)",
    MemorySink: "add_memory(name)",
}


def build_engine(options: Options, levels: LevelTable) -> Engine:
    """Return a stopped engine.

    Raises:
        ConfigError: If an option cannot be used; nothing is left open then.
    """
    redactor = redactor_of(options)
    stages = stages_of(options, redactor, levels)
    resource = resource_of(options, redactor)
    reshape = None if options.schema is None else schema_named(options.schema)
    formats: dict[str, Format] = {}
    sinks = [_sink(choice, options.sources) for choice in options.sinks]
    sinks += load("sinks", options.plugins, options.sources.get("plugins.sinks"))
    _check_names(sinks)
    outputs = [_output(sink, formats, levels, resource, reshape) for sink in sinks]
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
        processors=stages.processors,
        fail=options.redaction.fail,
        routing=options.routing,
        journal=_journal(options, stages.at_call, levels, resource),
        diagnostics=Diagnostics(
            write=None if options.diagnostics else _silent, scrub=None if redactor is None else redactor.text
        ),
    )
    try:
        return Engine(parts)
    except ConfigError as error:
        # Only here are the names of sinks and levels known, which routes go by.
        place = options.sources.get("routing.fallback" if "fallback" in error.where else "routing.routes")
        if place is None or not error.where.startswith(("with_routing(", "Route(")):
            raise
        raise error.at(place) from None


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


def _output(
    sink: Sink, formats: dict[str, Format], levels: LevelTable, resource: Mapping[str, Any], reshape: Schema | None
) -> Output:
    name = getattr(sink, "format", "json")
    if name is None:
        return Output(sink, None)
    if name not in formats:
        formats[name] = _format(name, levels, resource, reshape)
    return Output(sink, formats[name])


def _sink(choice: SinkChoice, sources: Mapping[str, str]) -> Sink:
    if isinstance(choice, StdoutOptions):
        return StdoutSink(choice.format, choice.name)
    if not isinstance(choice, FileOptions):
        return choice
    try:
        return FileSink(
            choice.path,
            max_bytes=choice.max_bytes,
            interval=choice.interval,
            max_files=choice.max_files,
            max_total_bytes=choice.max_total_bytes,
            compress=choice.compress,
            name=choice.name,
        )
    except ConfigError as error:
        # Its options were checked before; what is left is the place on the disk.
        raise error.at(sources.get(f"sinks.{choice.name}", "add_file(path)")) from error.__cause__


def _format(name: str, levels: LevelTable, resource: Mapping[str, Any], reshape: Schema | None) -> Format:
    if name == "json":
        return JsonFormat(levels, resource, reshape)
    if name == "events":
        return EventsFormat(reshape)
    if name == "logfmt":
        return LogfmtFormat(levels, resource)
    if name == "pretty":
        tty = sys.stdout is not None and sys.stdout.isatty()
        return PrettyFormat(levels, resource, color=choose_color(tty, os.environ))
    raise ConfigError.unknown("sink.format", name, ("json", "pretty", "logfmt", "events"))
