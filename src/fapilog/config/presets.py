"""Named configurations: values, nothing else."""

import sys
from typing import Any, NamedTuple

from fapilog.config.detect import AUTO, here
from fapilog.config.options import Options
from fapilog.config.parts import FileOptions, StdoutOptions
from fapilog.delivery.breaker import BreakerOptions
from fapilog.delivery.buffer import BatchOptions
from fapilog.delivery.fallback import FallbackOptions
from fapilog.edge_options import AsgiOptions, DebugRouteOptions
from fapilog.engine.journal.options import JournalOptions
from fapilog.engine.pressure import AdaptiveOptions
from fapilog.engine.queue import QueueOptions
from fapilog.errors import ConfigError
from fapilog.redaction.options import RedactionOptions

_JSON = (StdoutOptions("json"),)
_WITH_CONTENT = RedactionOptions(("CREDENTIALS", "CONTENT_PATTERNS"))

PRESETS = {
    "minimal": Options(),
    "dev": Options(
        preset="dev",
        level="DEBUG",
        sinks=(StdoutOptions("pretty"),),
        queue=QueueOptions(policy="wait"),
        batch=BatchOptions(max_age_seconds=0.001),
    ),
    "production": Options(
        preset="production",
        sinks=_JSON,
        queue=QueueOptions(policy="wait", wait_seconds=0.05),
        redaction=_WITH_CONTENT,
        # One batch at a time: order is kept.
        adaptive=AdaptiveOptions(max_in_flight=1),
        circuit_breaker=BreakerOptions(),
        fallback=FallbackOptions("logs/fapilog-fallback.log"),
    ),
    "fastapi": Options(preset="fastapi", redaction=_WITH_CONTENT, debug_route=DebugRouteOptions()),
    "serverless": Options(
        preset="serverless",
        sinks=_JSON,
        redaction=_WITH_CONTENT,
        batch=BatchOptions(max_events=50, max_bytes="128 KB", max_age_seconds=0.05),
        asgi=AsgiOptions(flush_each_request=True),
    ),
    "hardened": Options(
        preset="hardened",
        sinks=(*_JSON, FileOptions("logs/fapilog.log")),
        queue=QueueOptions(policy="wait"),
        # Fail closed by masking all: what is dropped would be closed, too, but lost.
        redaction=RedactionOptions(("CREDENTIALS", "PCI_DSS", "HIPAA_PHI"), fail="mask_all"),
        journal=JournalOptions(),
    ),
}


class Row(NamedTuple):
    """One line of the table that ``list_presets()`` prints."""

    preset: str
    level: str
    sinks: str
    full_queue: str
    redaction: str
    notes: str


_CONTENT = "credentials + content patterns"
TABLE = (
    Row("minimal", "INFO", "stdout auto", "drop", "credentials", "the same as no preset"),
    Row("dev", "DEBUG", "stdout pretty", "wait", "credentials", "flush at once, diagnostics on"),
    Row("production", "INFO", "stdout JSON", "wait 50 ms", _CONTENT, "adaptive, circuit breaker, fallback file"),
    Row("fastapi", "INFO", "stdout auto", "drop", _CONTENT, "request context, access log, debug route with token"),
    Row("serverless", "INFO", "stdout JSON", "drop", _CONTENT, "small batches, flush per request"),
    Row(
        "hardened",
        "INFO",
        "stdout JSON + file + journal",
        "wait",
        "credentials, PCI, HIPAA, fail closed",
        "nothing unredacted leaves, nothing is lost on a kill",
    ),
)


class PresetList(list[str]):
    """The names of the presets; printed it is the table of what each of them means."""

    def __repr__(self) -> str:
        """Return the table."""
        rows: list[tuple[str, ...]] = [tuple(name.replace("_", " ") for name in Row._fields), *TABLE]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def preset(name: Any, where: str = "with_preset(name)") -> Options:
    """Return the options of a preset; for ``"auto"`` those of the one for where the process runs.

    Args:
        name: The name.
        where: Who asks, for the error.

    Raises:
        ConfigError: If there is no such preset.
    """
    if name == AUTO:
        name = here(sys.stdout)
    if not isinstance(name, str) or name not in PRESETS:
        raise ConfigError.unknown(where, name, (*PRESETS, AUTO))
    return PRESETS[name]


def list_presets() -> list[str]:
    """Return the names that ``with_preset`` takes; ``print(list_presets())`` shows what each of them means.

    ``"auto"`` is taken, too, and stands for one of them; see :mod:`fapilog.config.detect`.
    """
    return PresetList(PRESETS)
