"""What the figures were measured on, read off the machine."""

import datetime
import os
import platform
import subprocess
from pathlib import Path
from typing import NamedTuple

from benchmarks.venvs import Pythons

_SHOWN = ("orjson", "structlog", "loguru", "asgi-correlation-id", "fastapi", "starlette", "opentelemetry-sdk")
_SINKS_SHOWN = (
    "httpx",
    "python-logging-loki",
    "watchtower",
    "boto3",
    "moto",
    "opentelemetry-exporter-otlp-proto-http",
    "asyncpg",
    "redis",
    "confluent-kafka",
)
_ASK = """
import importlib.metadata, platform, sys, sysconfig
print(platform.python_implementation(), platform.python_version())
print("--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS")))
for name in sys.argv[1:]:
    print(importlib.metadata.version(name))
"""


class Facts(NamedTuple):
    """The machine, the Python and the packages of one run."""

    date: str
    run: str
    load_average_at_the_end: str
    system: str
    processor: str
    cores: str
    memory: str
    python: str
    built_with_optimizations: str
    packages: str
    revision: str

    def rows(self) -> list[tuple[str, str]]:
        """Return a table's rows."""
        return [(name.replace("_", " "), value) for name, value in self._asdict().items()]


def facts(pythons: Pythons, root: Path, run: str) -> Facts:
    """Ask the machine and the environments; ``run`` says how thorough the run was."""
    python, optimized, *versions = _ask(pythons.ours, *_SHOWN)
    _, _, *of_sinks = _ask(pythons.sinks, *_SINKS_SHOWN)
    shown = zip((*_SHOWN, *_SINKS_SHOWN), (*versions, *of_sinks), strict=True)
    packages = ", ".join(f"{name} {version}" for name, version in shown)
    return Facts(
        date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        run=run,
        load_average_at_the_end=_load(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        processor=_from_proc("/proc/cpuinfo", "model name") or platform.processor() or "unknown",
        cores=str(os.cpu_count()),
        memory=_from_proc("/proc/meminfo", "MemTotal") or "unknown",
        python=python,
        built_with_optimizations="yes" if optimized == "True" else "no (--enable-optimizations was not given)",
        packages=f"{packages}; published fapilog {_ask(pythons.published, 'fapilog')[-1]}",
        revision=_revision(root),
    )


def _ask(python: Path, *names: str) -> list[str]:
    done = subprocess.run([str(python), "-c", _ASK, *names], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    return done.stdout.splitlines()


def _from_proc(path: str, key: str) -> str:
    file = Path(path)
    if not file.exists():
        return ""
    for line in file.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""


def _load() -> str:
    # Above the number of cores the figures tell more of the neighbours than of the contenders.
    return f"{os.getloadavg()[1]:.1f} (5 minutes)" if hasattr(os, "getloadavg") else "unknown"


def _revision(root: Path) -> str:
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - git, fixed arguments
    return done.stdout.strip() or "unknown"
