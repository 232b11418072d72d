"""The virtual environments of the contenders, made under ``.bench/`` and reused until the pins change.

Three of them: the published fapilog and ours share their import name, and what the sinks and their rivals need
stays out of the environment in which an import is timed. CPython 3.13 is taken where it is found, as the budgets are
for it; else the Python that runs this.
"""

import hashlib
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.progress import say

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".bench"
PUBLISHED = "fapilog==0.18.1"
WANTED = "3.13"
_VERSION = "import sys; print('.'.join(map(str, sys.version_info[:2])))"


class Pythons(NamedTuple):
    """The interpreters of the three environments."""

    ours: Path
    published: Path
    sinks: Path

    def of(self, contender: str, *, sinks: bool = False) -> Path:
        """Return the one that a contender runs in; ``sinks`` for a scenario of remote sinks."""
        if sinks:
            return self.sinks
        return self.published if contender.startswith("published") else self.ours


def prepare() -> Pythons:
    """Make the environments if they are not there or are out of date."""
    base = _base()
    requirements = _requirements("bench")
    return Pythons(
        _make("ours", base, requirements),
        _make("published", base, _beside(requirements)),
        _make("sinks", base, [*_requirements("bench-sinks"), *_extras()]),
    )


def _requirements(group: str) -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    bench: list[str] = project["dependency-groups"][group]
    return [*project["project"]["dependencies"], "fastapi", "opentelemetry-sdk", *bench]


def _extras() -> list[str]:
    """Return what the extra ``sinks`` installs."""
    extras: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    names = extras["sinks"][0].removeprefix("fapilog[").removesuffix("]").split(",")
    return [item for name in names for item in extras[name] if not item.startswith("fapilog[")]


def _beside(requirements: list[str]) -> list[str]:
    # The published one with the same versions of everything it shares with ours; the rivals are not needed there.
    shared = ("fastapi", "opentelemetry", "orjson", "pydantic")
    return [PUBLISHED, *(item for item in requirements if item.startswith(shared))]


def _make(name: str, base: str, requirements: list[str]) -> Path:
    home = HOME / name
    python = home / "bin" / "python"
    constraints = ROOT / "constraints.txt"
    wanted = hashlib.sha256("\n".join([base, *requirements, constraints.read_text()]).encode()).hexdigest()
    stamp = home / "stamp"
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    say(f"making {home.relative_to(ROOT)} ...")
    subprocess.run([base, "-m", "venv", "--clear", str(home)], check=True)  # noqa: S603 - a Python found here
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    subprocess.run([*command, "--constraint", str(constraints), *requirements], check=True)  # noqa: S603 - the same
    stamp.write_text(wanted)
    return python


def _base() -> str:
    for candidate in _candidates():
        done = subprocess.run([candidate, "-c", _VERSION], capture_output=True, text=True, check=False)  # noqa: S603 - a Python
        if done.returncode == 0 and done.stdout.strip() == WANTED:
            return candidate
    return sys.executable


def _candidates() -> Iterator[str]:
    yield sys.executable
    on_path = shutil.which(f"python{WANTED}")
    if on_path:
        yield on_path
    pyenv = shutil.which("pyenv")
    if pyenv:
        root = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 - pyenv
        yield from (str(found) for found in sorted(Path(root).glob(f"versions/{WANTED}.*/bin/python"), reverse=True))
