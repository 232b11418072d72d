"""Turns options into running parts; the only place that knows concrete sinks and formats."""

import os
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from fapilog.coerce import to_plain_fields
from fapilog.config.options import FileOptions, Options, ServiceOptions, SinkChoice, StdoutOptions, merge
from fapilog.config.presets import preset
from fapilog.diagnostics import Diagnostics
from fapilog.engine.engine import Engine, EngineParts, Output
from fapilog.errors import ConfigError
from fapilog.levels import LevelTable
from fapilog.protocols import Format, Sink
from fapilog.serializers.json import JsonFormat
from fapilog.serializers.logfmt import LogfmtFormat
from fapilog.serializers.pretty import PrettyFormat, choose_color
from fapilog.sinks.file import FileSink
from fapilog.sinks.stdout import StdoutSink
from fapilog.units import parse_duration

PREFIX = "FAPILOG_"


def resolve(changes: Mapping[str, Any], preset_name: str | None, environ: Mapping[str, str] = os.environ) -> Options:
    """Return options from a preset, the environment, and changes made in code, later ones winning.

    Args:
        changes: What code said, by option name.
        preset_name: The preset that code asked for; None for that of the environment, or ``minimal``.
        environ: The environment.

    Raises:
        ConfigError: If any value cannot be used.
    """
    given: dict[str, Any] = {}
    if any(name.upper().startswith(PREFIX) for name in environ):
        # Only here, because importing pydantic takes longer than everything else together.
        from fapilog.config.settings import Settings  # noqa: PLC0415

        given = Settings().changes()
    if environ.get("LOG_LEVEL"):
        given.setdefault("level", environ["LOG_LEVEL"])
    asked = given.pop("preset", None)
    options = preset(preset_name) if preset_name is not None else _named_by("preset", preset, asked or "minimal")
    if preset_name is not None or asked:
        # With a preset sinks come on top; one of the preset's kinds takes that one's place.
        said = given.pop("sinks", ())
        kinds = {type(sink) for sink in said}
        given["sinks"] = (*(sink for sink in options.sinks if type(sink) not in kinds), *said)
    for name, value in given.items():
        options = _named_by(name, merge, options, {name: value})
    return merge(options, changes)


def _named_by(option: str, function: Callable[..., Options], *args: Any) -> Options:
    """Return ``function(*args)``, whose error is one about the option's variable."""
    try:
        return function(*args)
    except ConfigError as error:
        raise ConfigError(f"{PREFIX}{option.upper()}: {error}") from None


def build_engine(options: Options, levels: LevelTable) -> Engine:
    """Return a stopped engine.

    Raises:
        ConfigError: If an option cannot be used; nothing is left open then.
    """
    resource = _resource(options)
    formats: dict[str, Format] = {}
    outputs = [_output(choice, formats, levels, resource) for choice in options.sinks]
    names = [output.sink.name for output in outputs]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ConfigError.wrong("add_sink(sink.name)", name, "a name that no other sink of this logger has")
    return Engine(
        EngineParts(
            levels=levels,
            level=levels.number(options.level, _source_of_level(options.level)),
            outputs=outputs,
            queue=options.queue,
            batch=options.batch,
            resource=resource,
            shutdown_timeout_seconds=parse_duration(options.shutdown_timeout, "with_shutdown_timeout(seconds)"),
            filters=options.filters,
            enrichers=options.enrichers,
            redactors=options.redactors,
            processors=options.processors,
            diagnostics=Diagnostics() if options.diagnostics else Diagnostics(write=lambda _: None),
        )
    )


def _source_of_level(level: str | int) -> str:
    """Return where a level came from, for the error; only the process's table of levels tells whether it exists."""
    for variable in (f"{PREFIX}LEVEL", "LOG_LEVEL"):
        if os.environ.get(variable) == level:
            return variable
    return "with_level(level)"


def _output(choice: SinkChoice, formats: dict[str, Format], levels: LevelTable, resource: Mapping[str, Any]) -> Output:
    sink = _sink(choice)
    name = getattr(sink, "format", "json")
    if name is None:
        return Output(sink, None)
    if name not in formats:
        formats[name] = _format(name, levels, resource)
    return Output(sink, formats[name])


def _sink(choice: SinkChoice) -> Sink:
    if isinstance(choice, StdoutOptions):
        return StdoutSink(choice.format)
    if isinstance(choice, FileOptions):
        return FileSink(
            choice.path,
            max_bytes=choice.max_bytes,
            interval=choice.interval,
            max_files=choice.max_files,
            max_total_bytes=choice.max_total_bytes,
            compress=choice.compress,
        )
    if not isinstance(choice, Sink):
        raise ConfigError.wrong("add_sink(sink)", choice, "an object with name, open, write and close")
    return choice


def _format(name: str, levels: LevelTable, resource: Mapping[str, Any]) -> Format:
    if name == "json":
        return JsonFormat(levels, resource)
    if name == "logfmt":
        return LogfmtFormat(levels, resource)
    if name == "pretty":
        tty = sys.stdout is not None and sys.stdout.isatty()
        return PrettyFormat(levels, resource, color=choose_color(tty, os.environ))
    raise ConfigError.unknown("sink.format", name, ("json", "pretty", "logfmt"))


def _resource(options: Options) -> dict[str, Any]:
    """Return the fields that every event of the process carries."""
    known = _otel_attributes(os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    service: ServiceOptions = options.service
    resource = {
        "service": service.name or os.environ.get("OTEL_SERVICE_NAME") or known.get("service.name"),
        "env": service.env or known.get("deployment.environment.name") or known.get("deployment.environment"),
        "version": service.version or known.get("service.version"),
        "host": socket.gethostname(),
        "pid": os.getpid(),
    }
    return {**to_plain_fields(options.context), **{key: value for key, value in resource.items() if value is not None}}


def _otel_attributes(text: str) -> dict[str, str]:
    """Return the pairs of ``key=value,…`` with percent-encoded values, as the OpenTelemetry specification has it."""
    pairs = (pair.partition("=") for pair in text.split(","))
    return {key.strip(): unquote(value.strip()) for key, found, value in pairs if found}
