"""Named configurations: values, nothing else."""

from fapilog.config.options import Options, StdoutOptions
from fapilog.delivery.buffer import BatchOptions
from fapilog.engine.queue import QueueOptions
from fapilog.errors import ConfigError

PRESETS = {
    "minimal": Options(),
    "dev": Options(level="DEBUG", sinks=(StdoutOptions("pretty"),), queue=QueueOptions(policy="wait")),
    "production": Options(sinks=(StdoutOptions("json"),), queue=QueueOptions(policy="wait", wait_seconds=0.05)),
    "fastapi": Options(),
    "serverless": Options(
        sinks=(StdoutOptions("json"),), batch=BatchOptions(max_events=50, max_bytes="128 KB", max_age_seconds=0.05)
    ),
}
_LATER = {"hardened": "needs redaction and a journal, which this version does not have"}


def preset(name: str) -> Options:
    """Return the options of a preset.

    Raises:
        ConfigError: If there is no such preset.
    """
    if name in _LATER:
        raise ConfigError.wrong("with_preset(name)", name, f"{', '.join(PRESETS)}; {name} {_LATER[name]}")
    if name not in PRESETS:
        raise ConfigError.unknown("with_preset(name)", name, PRESETS)
    return PRESETS[name]


def list_presets() -> list[str]:
    """Return the names that ``with_preset`` takes."""
    return list(PRESETS)
