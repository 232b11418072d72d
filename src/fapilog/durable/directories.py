"""Private directories, each locked by the process that owns it."""

import errno
import os
import re
import socket
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

if sys.platform != "win32":
    import fcntl

LOCK = "LOCK"
SEGMENT = ".seg"
BAD = ".bad"
_TRIES = 10
_NAME = re.compile(r"\d{20}-[A-Za-z0-9._-]*-\d+-[0-9a-f]{8}")
_ODD = re.compile(r"[^A-Za-z0-9._]+")
_ROOT_UID = 0
PRIVATE_FILE = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
"""The flags with which a file of a private directory is opened: not for child processes, and no symbolic link."""
NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | PRIVATE_FILE
"""The flags with which one is made; it must not be there."""
_DIRECTORY = os.O_RDONLY | PRIVATE_FILE | getattr(os, "O_DIRECTORY", 0)


class Claimed(NamedTuple):
    """A directory that this process has locked: its descriptor and the one of its lock's file."""

    fd: int
    lock_fd: int


def safe_name(text: str) -> str:
    """Return a text as the name of a file: Latin letters, digits, dots and underscores; it may be empty."""
    return _ODD.sub("_", text).strip(".")


def make_root(root: Path, what: str) -> None:
    """Make the directory that is to hold the processes' ones, if it is missing, for its owner alone.

    Raises:
        OSError: If it cannot be made, or if it is a symbolic link of another user.
    """
    root.mkdir(0o700, parents=True, exist_ok=True)
    state = root.lstat()
    if stat.S_ISLNK(state.st_mode) and state.st_uid not in (_ROOT_UID, os.geteuid()):
        raise OSError(errno.ELOOP, f"{what} directory is another user's symbolic link")


def make_directory(root: Path) -> tuple[str, Claimed]:
    """Make, open and lock a new directory for this process; return its name and descriptors.

    Raises:
        OSError: If that cannot be done.
    """
    for _ in range(_TRIES):
        host = _ODD.sub("_", socket.gethostname())[:40]
        name = f"{time.time_ns():020d}-{host}-{os.getpid()}-{os.urandom(4).hex()}"
        (root / name).mkdir(0o700)
        claimed = claim_directory(root, name)
        # Another process may have found it before it was locked, and may have cleared it away.
        if claimed is not None:
            return name, claimed
    raise OSError(errno.EBUSY, f"other processes keep taking the directories in {root.name} away")


def claim_directory(root: Path, name: str) -> Claimed | None:
    """Open and lock a private directory; None if it has an owner, is gone, or is not this user's alone."""
    fds: list[int] = []
    try:
        fds.append(os.open(root / name, _DIRECTORY))
        state = os.fstat(fds[0])
        if state.st_uid == os.geteuid() and not state.st_mode & 0o077:
            fds.append(os.open(LOCK, os.O_RDWR | os.O_CREAT | PRIVATE_FILE, 0o600, dir_fd=fds[0]))
            if _try_lock(fds[1]) and _is_at(fds[0], fds[1]):
                return Claimed(fds[0], fds[1])
    except OSError:
        # It is gone, or not ours to open.
        pass
    close_all(fds)
    return None


def directories(root: Path) -> list[str]:
    """Return the names of the processes' directories, oldest first."""
    try:
        return sorted(path.name for path in root.iterdir() if _NAME.fullmatch(path.name))
    except OSError:
        return []


def remove_directory(path: Path, fd: int) -> None:
    """Delete a directory with its lock and segments, if nothing else is in it. The lock's file goes last."""
    with suppress(OSError):
        names = sorted(os.listdir(fd), key=lambda name: name == LOCK)
        for name in names:
            if name == LOCK or name.endswith(SEGMENT):
                os.unlink(name, dir_fd=fd)
        path.rmdir()


def give_up(claimed: Claimed) -> None:
    """Unlock a directory for the next owner, and close it."""
    if sys.platform != "win32":
        with suppress(OSError):
            # Copies of the descriptor in forked children would hold it otherwise.
            fcntl.flock(claimed.lock_fd, fcntl.LOCK_UN)
    close_all((claimed.lock_fd, claimed.fd))


def close_all(fds: tuple[int, ...] | list[int]) -> None:
    """Close descriptors."""
    for fd in fds:
        with suppress(OSError):
            os.close(fd)


def listed(fd: int) -> list[str]:
    """Return the names in an open directory, none if it cannot be read."""
    try:
        return os.listdir(fd)
    except OSError:
        return []


def _try_lock(fd: int) -> bool:
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_at(directory_fd: int, lock_fd: int) -> bool:
    """Tell whether the lock that we hold is the one that others will find."""
    there, here = os.stat(LOCK, dir_fd=directory_fd, follow_symlinks=False), os.fstat(lock_fd)
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
