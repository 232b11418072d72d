"""Opening the live file so that it is the one at its path, and locked against compression and removal."""

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

from fapilog.sinks.file.locks import try_lock, unlock

FILE_MODE = 0o640
DIRECTORY_MODE = 0o750
BINARY = getattr(os, "O_BINARY", 0)

_TRIES = 10
# Non-blocking so that a FIFO without a reader cannot hang the open; it has no effect on regular files.
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | BINARY | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_NONBLOCK", 0)


def open_locked(path: Path) -> tuple[int, os.stat_result]:
    """Open a path and hold a shared lock on a file that is still there when the lock is.

    After some tries it goes on without: whoever keeps locking the file on purpose must not stop the log.
    """
    tries = _TRIES
    while True:
        tries -= 1
        fd = _open_or_make(path)
        try:
            state = os.fstat(fd)
            if not stat.S_ISREG(state.st_mode) or (_locked(path, fd) and is_at(path, state)) or not tries:
                return fd, os.fstat(fd)
        except OSError:
            os.close(fd)
            raise
        os.close(fd)


def _locked(path: Path, fd: int) -> bool:
    """Take the shared lock. Whoever is the only one to have the file open first ends a line torn by a crash."""
    if not try_lock(fd, exclusive=False):
        return False
    if not _is_torn(path):
        return True
    if try_lock(fd, exclusive=True) and _is_torn(path):
        os.write(fd, b"\n")
    return try_lock(fd, exclusive=False)


def _open_or_make(path: Path) -> int:
    try:
        return os.open(path, _FLAGS, FILE_MODE)
    except FileNotFoundError:
        path.parent.mkdir(DIRECTORY_MODE, parents=True, exist_ok=True)
        return os.open(path, _FLAGS, FILE_MODE)


def release(fd: int) -> None:
    """Unlock and close a descriptor; -1 is none."""
    if fd >= 0:
        unlock(fd)
        with suppress(OSError):
            os.close(fd)


def identity(state: os.stat_result) -> tuple[int, int]:
    """Return what tells a file from all others there are now."""
    return state.st_dev, state.st_ino


def is_at(path: Path, state: os.stat_result) -> bool:
    """Tell whether a path is the file of that state."""
    try:
        return identity(path.stat()) == identity(state)
    except FileNotFoundError:
        return False


def _is_torn(path: Path) -> bool:
    """Tell whether a file does not end with a newline, so that the next line would be spoilt, too."""
    try:
        with path.open("rb") as file:
            return file.seek(0, os.SEEK_END) > 0 and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n"
    except OSError:  # it may be written to but not read
        return False


def look_alike(fd: int, before: os.stat_result) -> None:
    """Give the new file the mode and owner that somebody has given the old one, as far as we may."""
    if sys.platform == "win32" or fd < 0:
        return
    now = os.fstat(fd)
    with suppress(PermissionError):
        if stat.S_IMODE(now.st_mode) != stat.S_IMODE(before.st_mode):
            os.fchmod(fd, stat.S_IMODE(before.st_mode))
        if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
            os.fchown(fd, before.st_uid, before.st_gid)
