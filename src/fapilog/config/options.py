"""Everything that can be chosen about an engine, as one immutable value.

The options of a part are typed beside the part; this value holds them. It needs no pydantic, so that a program that
configures nothing imports none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal

from fapilog.delivery.buffer import BatchOptions
from fapilog.engine.queue import QueueOptions
from fapilog.errors import ConfigError
from fapilog.protocols import Enricher, Filter, Processor, Redactor, Sink
from fapilog.units import parse_duration

FORMATS = ("auto", "json", "pretty", "logfmt")


@dataclass(frozen=True)
class StdoutOptions:
    """Standard output.

    Attributes:
        format: ``"auto"`` is pretty on a terminal and JSON elsewhere.
    """

    format: Literal["auto", "json", "pretty", "logfmt"] = "auto"

    def __post_init__(self) -> None:
        """Check the format.

        Raises:
            ConfigError: If it is not known.
        """
        if self.format not in FORMATS:
            raise ConfigError.unknown("add_stdout(format)", self.format, FORMATS)


@dataclass(frozen=True)
class FileOptions:
    """A file with rotation; see :class:`fapilog.sinks.file.FileSink` for what each option means."""

    path: str = ""
    max_bytes: int | str = "10 MB"
    interval: float | str | None = None
    max_files: int | None = None
    max_total_bytes: int | str | None = None
    compress: bool = False


@dataclass(frozen=True)
class ServiceOptions:
    """What runs here; on every event. None is left out.

    Attributes:
        name: ``service`` on the wire; default ``OTEL_SERVICE_NAME`` or ``service.name`` of
            ``OTEL_RESOURCE_ATTRIBUTES``.
        version: Default ``service.version`` of ``OTEL_RESOURCE_ATTRIBUTES``.
        env: Default ``deployment.environment.name`` of ``OTEL_RESOURCE_ATTRIBUTES``.
    """

    name: str | None = None
    version: str | None = None
    env: str | None = None


SinkChoice = StdoutOptions | FileOptions | Sink


@dataclass(frozen=True)
class Options:
    """The whole configuration of one engine.

    Attributes:
        name: The name of the logger that a builder returns. Default ``"root"``.
        level: Events below it are not taken. Default ``"INFO"``, or ``LOG_LEVEL``.
        service: What runs here.
        queue: How much may wait, and what a full queue means.
        batch: How much goes to an asynchronous sink at once.
        sinks: Where events go, in order.
        context: Fields on every event, under those of the call and of the bound context.
        shutdown_timeout: How long a drain may take: seconds, or a string such as ``"5s"``. Default 5.
        diagnostics: Whether the engine says on standard error what goes wrong inside it. Default True.
        filters, enrichers, redactors, processors: The user's stages, in the order they run.
    """

    name: str = "root"
    level: str | int = "INFO"
    service: ServiceOptions = ServiceOptions()
    queue: QueueOptions = QueueOptions()
    batch: BatchOptions = BatchOptions()
    sinks: tuple[SinkChoice, ...] = (StdoutOptions(),)
    context: Mapping[str, Any] = field(default_factory=dict)
    shutdown_timeout: float | str = 5.0
    diagnostics: bool = True
    filters: tuple[Filter, ...] = ()
    enrichers: tuple[Enricher, ...] = ()
    redactors: tuple[Redactor, ...] = ()
    processors: tuple[Processor, ...] = ()

    def __post_init__(self) -> None:
        """Check what no part checks.

        Raises:
            ConfigError: If a value cannot be used.
        """
        if not isinstance(self.name, str) or not self.name:
            raise ConfigError.wrong("with_name(name)", self.name, "a text that is not empty")
        parse_duration(self.shutdown_timeout, "with_shutdown_timeout(seconds)")
        for kind in ("filters", "enrichers", "redactors", "processors"):
            for stage in getattr(self, kind):
                if not callable(stage):
                    raise ConfigError.wrong(f"with_{kind.removesuffix('s')}()", stage, "something that can be called")


def merge(options: Options, changes: Mapping[str, Any]) -> Options:
    """Return ``options`` with changes on top; a mapping given for a part changes only what it names.

    Raises:
        ConfigError: If a value cannot be used, or a name is not known.
    """
    known = {item.name for item in fields(options)}
    values: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in known:
            raise ConfigError.unknown("Settings", name, known)
        part = getattr(options, name)
        values[name] = replace(part, **value) if is_dataclass(part) and isinstance(value, Mapping) else value  # type: ignore[type-var]
    return replace(options, **values)
