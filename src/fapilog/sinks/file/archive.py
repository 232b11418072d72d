"""What becomes of rotated files: the oldest are removed, the others compressed, in a thread of its own.

    app.log.<time>-<n>  ──►  ….gz.tmp  ──rename──►  ….gz     and only then the original is removed

A crash at any point leaves the original or the finished ``.gz``, or both; the next ``open`` goes on from there.
Every process that writes to a file holds a shared lock on it, and this module touches a file only while it has the
exclusive one: a process that has not noticed a rotation yet can still write, and loses nothing.
"""

import os
import threading
import zlib
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from fapilog.sinks.file.locks import try_lock, unlock
from fapilog.sinks.file.names import PACKED, UNFINISHED, Rotated, beside, list_rotated

_CHUNK_BYTES = 256 * 1024
_LEVEL = 6
_GZIP = 31  # zlib's window bits for a gzip header and the largest window
_OPEN = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


class Rules(NamedTuple):
    """When to rotate and what to keep; see :class:`fapilog.sinks.file.FileSink`."""

    max_bytes: int | None
    interval_ns: int | None
    max_files: int | None
    max_total_bytes: int | None
    compress: bool


class Packer:
    """Compresses rotated files in a short-lived thread; does nothing unless the rules say so. Thread-safe."""

    def __init__(self, rules: Rules, figures: Counter[str]) -> None:
        """Make one without a thread."""
        self._rules = rules
        self._figures = figures
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._asked: Path | None = None
        self._stop = threading.Event()

    def start(self, live: Path) -> None:
        """Compress what lies beside ``live``, unless that is being done; then once more afterwards."""
        if not self._rules.compress:
            return
        with self._lock:
            self._asked = live
            if self._thread is not None or self._stop.is_set():
                return
            thread = threading.Thread(target=self._run, name="fapilog-gzip", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no thread can be had, for example when the interpreter ends: the next open does it
                self._figures["compress_failed"] += 1
                return
            self._thread = thread

    def stop(self, patience_seconds: float) -> None:
        """Let the thread finish within some seconds, then end it at the next chunk; the rest is left for later."""
        thread = self._thread
        if thread is not None:
            thread.join(patience_seconds)
        self._stop.set()
        if thread is not None:
            thread.join(patience_seconds)

    def _run(self) -> None:
        while True:
            with self._lock:
                live, self._asked = self._asked, None
                if live is None or self._stop.is_set():
                    self._thread = None
                    return
            self._pack_all(live)

    def _pack_all(self, live: Path) -> None:
        try:
            for rotated in list_rotated(live):
                if "" in rotated.suffixes and not self._stop.is_set() and pack(rotated.path, self._stop):
                    self._figures["compressed"] += 1
            prune(live, self._rules, self._figures)
        except OSError:
            self._figures["compress_failed"] += 1


def pack(path: Path, stop: threading.Event) -> bool:
    """Replace a file by its ``.gz``; False if it is still written to, is gone, or ``stop`` was set meanwhile.

    Raises:
        OSError: If the disk is full or broken; the file is as it was.
    """
    try:
        source = os.open(path, os.O_RDONLY | _OPEN)
    except FileNotFoundError:
        return False
    unfinished = beside(path, UNFINISHED)
    try:
        if not try_lock(source, exclusive=True) or not path.exists():
            return False
        state = os.fstat(source)
        target = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _OPEN, state.st_mode & 0o666)
        try:
            with os.fdopen(target, "wb") as out:
                done = _compress(source, out, stop)
            if done:
                os.utime(unfinished, ns=(state.st_atime_ns, state.st_mtime_ns))
                unfinished.replace(beside(path, PACKED))
                _unlinked(path)
        finally:
            unfinished.unlink(missing_ok=True)
    finally:
        unlock(source)
        os.close(source)
    return done and _unlinked(path)  # for Windows, where an open file cannot be removed


def _compress(source: int, out: BinaryIO, stop: threading.Event) -> bool:
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    while chunk := os.read(source, _CHUNK_BYTES):
        if stop.is_set():
            return False
        out.write(compressor.compress(chunk))
    out.write(compressor.flush())
    out.flush()
    os.fsync(out.fileno())  # the original is removed next
    return True


def prune(live: Path, rules: Rules, figures: Counter[str]) -> None:
    """Remove the oldest rotated files until those that are left keep the rules.

    A file that a process still writes to stays until a later time.

    Raises:
        OSError: If the directory cannot be read.
    """
    if rules.max_files is None and rules.max_total_bytes is None:
        return
    total = rules.max_bytes or 0
    for age, rotated in enumerate(reversed(list_rotated(live))):
        size = sum(map(_size, _paths(rotated)))
        total += size
        too_many = rules.max_files is not None and age >= rules.max_files
        too_much = rules.max_total_bytes is not None and total > rules.max_total_bytes
        if (too_many or too_much) and _remove(rotated):
            figures["removed_files"] += 1
            figures["removed_bytes"] += size


def clean(live: Path) -> None:
    """Remove unfinished compressions whose original is gone.

    Raises:
        OSError: If the directory cannot be read.
    """
    for rotated in list_rotated(live):
        if "" not in rotated.suffixes and UNFINISHED in rotated.suffixes:
            with suppress(OSError):
                beside(rotated.path, UNFINISHED).unlink()


def _paths(rotated: Rotated) -> list[Path]:
    return [beside(rotated.path, suffix) for suffix in rotated.suffixes]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _remove(rotated: Rotated) -> bool:
    """Remove all forms of a rotated file, unless somebody has it open for writing or is compressing it."""
    if "" not in rotated.suffixes:
        return all(_unlinked(path) for path in _paths(rotated))
    try:
        fd = os.open(rotated.path, os.O_RDONLY | _OPEN)
    except OSError:
        return False
    try:
        return try_lock(fd, exclusive=True) and all(_unlinked(path) for path in _paths(rotated))
    finally:
        unlock(fd)
        os.close(fd)


def _unlinked(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True
