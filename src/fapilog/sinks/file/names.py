"""What rotated files are called: ``app.log.20261121T064421Z-000001``, with ``.gz`` when compressed.

The time (UTC) is that of the rotation. The counter tells files of one second apart. Sorted by name is sorted by
age, also after the clock was set back: the time of a new name is never before that of the newest file there.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fapilog.event import timestamp

PACKED = ".gz"
UNFINISHED = ".gz.tmp"
_SECONDS = len("2026-11-21T06:44:21")
_SUFFIX = r"\.([0-9]{8}T[0-9]{6}Z)-([0-9]{6,})(\.gz|\.gz\.tmp)?"


class Rotated(NamedTuple):
    """One rotated file, in the forms that lie in the directory.

    Attributes:
        stamp: The time in its name.
        counter: The counter in its name.
        path: The path without ``.gz``.
        suffixes: What is there of ``""``, ``".gz"`` and ``".gz.tmp"``.
    """

    stamp: str
    counter: int
    path: Path
    suffixes: frozenset[str]


def list_rotated(live: Path) -> list[Rotated]:
    """Return the rotated files of a live file, oldest first. Nothing else in the directory is ever touched.

    Raises:
        OSError: If the directory cannot be read.
    """
    pattern = re.compile(re.escape(live.name) + _SUFFIX, re.ASCII)
    found: dict[tuple[str, int, Path], set[str]] = {}
    for entry in live.parent.iterdir():
        match = pattern.fullmatch(entry.name)
        if match:
            key = (match[1], int(match[2]), beside(live, f".{match[1]}-{match[2]}"))
            found.setdefault(key, set()).add(match[3] or "")
    return [Rotated(*key, frozenset(suffixes)) for key, suffixes in sorted(found.items())]


def beside(path: Path, suffix: str) -> Path:
    """Return the path with something added to its name."""
    return path.with_name(path.name + suffix)


def next_path(live: Path, rotated: Sequence[Rotated], time_ns: int) -> Path:
    """Return a path that no file has and that sorts after all of ``rotated``."""
    stamp = timestamp(time_ns)[:_SECONDS].replace("-", "").replace(":", "") + "Z"
    counter = 1
    if rotated and rotated[-1].stamp >= stamp:
        stamp, counter = rotated[-1].stamp, rotated[-1].counter + 1
    return beside(live, f".{stamp}-{counter:06d}")
