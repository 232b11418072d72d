"""The parts that are configured here and have no module of their own: the built-in sinks."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fapilog import checks
from fapilog.errors import ConfigError
from fapilog.protocols import Sink
from fapilog.sinks.cloudwatch.options import CloudwatchOptions
from fapilog.sinks.http.options import HttpOptions
from fapilog.sinks.kafka.options import KafkaOptions
from fapilog.sinks.loki.options import LokiOptions
from fapilog.sinks.otlp.options import OtlpOptions
from fapilog.sinks.postgres.options import PostgresOptions
from fapilog.sinks.redis.options import RedisOptions
from fapilog.sinks.sqlite.options import SqliteOptions
from fapilog.sinks.webhook.options import WebhookOptions
from fapilog.units import parse_duration, parse_size

FORMATS = ("auto", "json", "pretty", "logfmt")
FILE_BYTES = "10 MB"


@dataclass(frozen=True)
class StdoutOptions:
    """Standard output.

    Attributes:
        format: ``"auto"`` (default) is pretty on a terminal and JSON elsewhere.
        name: The sink's name in routes, figures and diagnostics. Default ``"stdout"``.
    """

    format: Literal["auto", "json", "pretty", "logfmt"] = "auto"
    name: str = "stdout"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: If one cannot be used.
        """
        if self.format not in FORMATS:
            raise ConfigError.unknown("add_stdout(format)", self.format, FORMATS)
        checks.text(self.name, "add_stdout(name)")


@dataclass(frozen=True)
class FileOptions:
    """A file with rotation; see :class:`fapilog.sinks.file.FileSink`.

    Attributes:
        path: The live file; rotated ones stand beside it.
        max_bytes: Rotate before it grows over this. Default 10 MB; None never.
        interval: Rotate at multiples of this duration, such as ``"1h"``. Default never.
        max_files: How many rotated files are kept. Default all.
        max_total_bytes: How much all files together may take, the live one counted as ``max_bytes``. Default all.
        compress: Compress rotated files with gzip, in the background. Default False.
        name: The sink's name in routes, figures and diagnostics. Default ``"file"``.
    """

    path: str
    max_bytes: int | str | None = FILE_BYTES
    interval: float | str | None = None
    max_files: int | None = None
    max_total_bytes: int | str | None = None
    compress: bool = False
    name: str = "file"

    def __post_init__(self) -> None:
        """Check the values; the place on the disk is checked when the sink is made.

        Raises:
            ConfigError: If one cannot be used.
        """
        if not isinstance(self.path, str):
            raise ConfigError.hidden("add_file(path)", self.path, "the path of a file, as text")
        if not self.path or "\0" in self.path or self.path.endswith(("/", os.sep)):
            raise ConfigError.wrong("add_file(path)", self.path, "the path of a file, as text")
        most = None if self.max_bytes is None else parse_size(self.max_bytes, "add_file(max_bytes)")
        if self.interval is not None:
            parse_duration(self.interval, "add_file(interval)")
        if self.max_files is not None:
            checks.whole(self.max_files, "add_file(max_files)", 1)
        if self.max_total_bytes is not None:
            total = parse_size(self.max_total_bytes, "add_file(max_total_bytes)")
            if total < (most or 0):
                allowed = f"at least max_bytes, {most}, because the live file counts, too"
                raise ConfigError.wrong("add_file(max_total_bytes)", self.max_total_bytes, allowed)
        checks.flag(self.compress, "add_file(compress)")
        checks.text(self.name, "add_file(name)")


SinkChoice = (
    StdoutOptions
    | FileOptions
    | HttpOptions
    | WebhookOptions
    | LokiOptions
    | CloudwatchOptions
    | PostgresOptions
    | SqliteOptions
    | OtlpOptions
    | KafkaOptions
    | RedisOptions
    | Sink
)
"""What ``Options.sinks`` holds: the options of a sink, or one of the user's own."""

KINDS: Mapping[str, type] = {
    "stdout": StdoutOptions,
    "file": FileOptions,
    "http": HttpOptions,
    "webhook": WebhookOptions,
    "loki": LokiOptions,
    "cloudwatch": CloudwatchOptions,
    "postgres": PostgresOptions,
    "sqlite": SqliteOptions,
    "otlp": OtlpOptions,
    "kafka": KafkaOptions,
    "redis": RedisOptions,
}
"""The sinks that options and variables can say, by the name of their part."""


def kind_of(choice: SinkChoice) -> str | None:
    """Return the name of the kind of a sink's options; None for a sink of the user's own."""
    return next((kind for kind, options in KINDS.items() if isinstance(choice, options)), None)
