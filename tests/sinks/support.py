"""Batches, reading a rotated log back, and programs that run beside the test."""

import asyncio
import gzip
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fapilog.protocols import Batch

SRC = Path(__file__).parents[2] / "src"
ROOT = Path(__file__).parents[2]


def batch_of(lines: Sequence[bytes]) -> Batch:
    """Return a batch of these lines; newlines are added."""
    return Batch([line + b"\n" for line in lines], list)


def numbered(start: int, count: int, tag: str = "a", width: int = 20) -> list[bytes]:
    """Return lines that tell where they belong, all of one width, newline not counted."""
    return [f"{tag}:{number}:".ljust(width, "x").encode() for number in range(start, start + count)]


@contextmanager
def opened(sink: Any) -> Iterator[Any]:
    """Open a sink and close it afterwards."""
    asyncio.run(sink.open())
    try:
        yield sink
    finally:
        asyncio.run(sink.close())


def rotated(live: Path) -> list[Path]:
    """Return the rotated files, sorted by name."""
    return sorted(path for path in live.parent.glob(f"{live.name}.*") if not path.name.endswith(".tmp"))


def names(directory: Path) -> list[str]:
    """Return the names in a directory, sorted."""
    return sorted(path.name for path in directory.iterdir())


def read_file(path: Path) -> bytes:
    """Return a file's content, unpacked if need be."""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def read_all(live: Path) -> list[bytes]:
    """Return all lines, those of the oldest rotated file first and those of the live one last."""
    files = [*rotated(live), *([live] if live.exists() else [])]
    content = b"".join(read_file(path) for path in files)
    assert content == b"" or content.endswith(b"\n")
    return content.splitlines()


def start_program(text: str, *args: object, **options: Any) -> subprocess.Popen[bytes]:
    """Start a Python program beside the test, with the package and ``tests`` importable."""
    environ = os.environ | {"PYTHONPATH": f"{SRC}{os.pathsep}{ROOT}"}
    command = [
        sys.executable,
        "-W",
        "ignore:This process:DeprecationWarning",
        "-c",
        textwrap.dedent(text),
        *map(str, args),
    ]
    return subprocess.Popen(command, env=environ, **options)


def run_program(text: str, *args: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a Python program to its end and return what it said."""
    with start_program(text, *args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options) as process:
        out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
