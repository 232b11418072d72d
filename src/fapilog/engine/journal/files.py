"""The journal's directories and files: private, reserved before they are mapped, and owned by one process.

    <directory>/                                    given by the user
      <time>-<host>-<pid>-<random>/   0700          one for each process
        LOCK                          0600          locked while its owner lives; the watermark
        <number>.seg                  0600          records
      <…>.bad                                       what could not be read, kept for a person to look at

A file whose room is not reserved would end the process by SIGBUS when the disk is full, so what cannot be reserved is
not mapped; nor is anything on a network or copy-on-write file system. Nobody else may shorten these files.
"""

import errno
import mmap
import os
import re
import socket
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path

from fapilog.diagnostics import attempt
from fapilog.engine.journal.frames import HEADER_BYTES, OWNER_MAGIC, SEGMENT_MAGIC, VERSION, Slot, read_slot

if sys.platform != "win32":
    import fcntl

LOCK = "LOCK"
SEGMENT = ".seg"
BAD = ".bad"
OWNER_BYTES = 4096
_PAGE = 4096
_PAGES_AT_ONCE = 16
_TRIES = 10
_NAME = re.compile(r"\d{20}-[A-Za-z0-9._-]*-\d+-[0-9a-f]{8}")
_ODD = re.compile(r"[^A-Za-z0-9._]+")
_MOUNTS = "/proc/self/mountinfo"
_UNFIT = frozenset({
    "9p", "afs", "bcachefs", "btrfs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "gfs2", "lustre", "ncpfs", "nfs",
    "nfs4", "smb3", "smbfs", "zfs",
})  # fmt: skip
_ROOT_UID = 0
_FILE = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_DIRECTORY = os.O_RDONLY | _FILE | getattr(os, "O_DIRECTORY", 0)
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | _FILE


class Owner:
    """A locked directory of this process. :meth:`mark` is a store; the rest makes system calls."""

    def __init__(self, root: Path, name: str, fd: int, lock_fd: int, slot: Slot) -> None:
        """Take a directory that is open and locked, and write who has it.

        Raises:
            OSError: If the room for the watermark cannot be reserved.
        """
        self.path = root / name
        self.fd = fd
        self.lock_fd = lock_fd
        self._slot = slot
        os.posix_fallocate(lock_fd, 0, OWNER_BYTES)
        self._memory = mmap.mmap(lock_fd, OWNER_BYTES)
        self._memory[:HEADER_BYTES] = slot.pack() * 2

    @property
    def stream(self) -> bytes:
        """The random name that is part of every checksum."""
        return self._slot.stream

    def mark(self, position: int) -> None:
        """Store the watermark, in the slot that is the older one."""
        self._slot = slot = self._slot._replace(generation=self._slot.generation + 1, a=position)
        data = slot.pack()
        at = slot.generation % 2 * len(data)
        self._memory[at : at + len(data)] = data

    def remove(self) -> None:
        """Delete the directory, which must hold no segment of worth, and give up the lock."""
        remove_directory(self.path, self.fd)
        self.release()

    def release(self) -> None:
        """Give up the lock for the next owner."""
        if sys.platform != "win32":
            with suppress(OSError):
                # Copies of the descriptor in forked children would hold it otherwise.
                fcntl.flock(self.lock_fd, fcntl.LOCK_UN)
        self.forget()

    def forget(self) -> None:
        """Let go without giving up the lock, which the parent of a forked child still has."""
        self._memory.close()
        for fd in (self.lock_fd, self.fd):
            with suppress(OSError):
                os.close(fd)


class Segment:
    """A mapped file for records.

    Attributes:
        memory: The whole file, header included. Never closed, only forgotten: a thread may be writing to it.
        name: The file's name in the owner's directory.
    """

    def __init__(self, owner: Owner, number: int, size: int) -> None:
        """Make the file and reserve its room.

        Raises:
            OSError: If there is no room, or no permission.
        """
        self.name = f"{number:012d}{SEGMENT}"
        self._owner = owner
        self._generation = 0
        fd = os.open(self.name, _NEW, 0o600, dir_fd=owner.fd)
        try:
            os.posix_fallocate(fd, 0, size)
            self.memory = mmap.mmap(fd, size)
        except (OSError, ValueError):
            self.delete()
            raise
        finally:
            os.close(fd)

    def begin(self, base: int) -> None:
        """Make the file hold the positions from ``base`` on; what it held before is stale from now on."""
        self._generation += 1
        span = len(self.memory) - HEADER_BYTES
        slot = Slot(SEGMENT_MAGIC, VERSION, self._generation, self._owner.stream, base, span, time.time_ns()).pack()
        # One after the other, so that one of them is whole at any moment.
        self.memory[len(slot) : 2 * len(slot)] = slot
        self.memory[: len(slot)] = slot

    def touch(self) -> None:
        """Have every page ready for a store, letting other threads in every few pages."""
        for start in range(_PAGE, len(self.memory), _PAGE * _PAGES_AT_ONCE):
            for at in range(start, min(start + _PAGE * _PAGES_AT_ONCE, len(self.memory)), _PAGE):
                self.memory[at] = 0
            time.sleep(0)

    def delete(self) -> None:
        """Delete the file; the memory stays for whoever still writes to it."""
        with suppress(OSError):
            os.unlink(self.name, dir_fd=self._owner.fd)


def default_directory(service: str) -> Path:
    """Return where the journal of a service is if the user names no directory."""
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():
        home, _ = attempt(Path.home)
        state = (home or Path("/")) / ".local/state"
    return state / "fapilog" / (_ODD.sub("_", service).strip(".") or "service")


def make_root(root: Path) -> None:
    """Make the user's directory if it is missing, and check that it can serve.

    Raises:
        OSError: If it cannot.
    """
    if not hasattr(os, "posix_fallocate") or sys.platform != "linux":
        raise OSError(errno.ENOTSUP, "the journal needs Linux")
    root.mkdir(0o700, parents=True, exist_ok=True)
    state = root.lstat()
    if stat.S_ISLNK(state.st_mode) and state.st_uid not in (_ROOT_UID, os.geteuid()):
        raise OSError(errno.ELOOP, "the journal's directory is another user's symbolic link")
    kind = file_system(root)
    if kind in _UNFIT:
        raise OSError(errno.ENOTSUP, f"on a file system of type {kind} room cannot be reserved, choose another place")


def file_system(path: Path) -> str:
    """Return the type of the file system that a path is on, or nothing if the system does not tell."""
    device = path.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError):
        for line in Path(_MOUNTS).read_text("utf-8", "replace").splitlines():
            fields = line.split()
            if len(fields) > 2 and fields[2] == wanted and "-" in fields:  # noqa: PLR2004 - the third is the device
                return fields[fields.index("-") + 1]
    return ""


def make_owner(root: Path) -> Owner:
    """Make, open and lock a new directory for this process.

    Raises:
        OSError: If that cannot be done.
    """
    for _ in range(_TRIES):
        now = time.time_ns()
        host = _ODD.sub("_", socket.gethostname())[:40]
        name = f"{now:020d}-{host}-{os.getpid()}-{os.urandom(4).hex()}"
        (root / name).mkdir(0o700)
        claimed = claim_directory(root, name)
        # Another process may have found it before it was locked, and may have cleared it away.
        if claimed is None:
            continue
        slot = Slot(OWNER_MAGIC, VERSION, 1, os.urandom(16), 0, os.getpid(), now)
        try:
            return Owner(root, name, *claimed, slot)
        except (OSError, ValueError):
            remove_directory(root / name, claimed[0])
            close_all(claimed)
            raise
    raise OSError(errno.EBUSY, "other processes keep taking the journal's directory away")


def claim_directory(root: Path, name: str) -> tuple[int, int] | None:
    """Open and lock a private directory; return its descriptor and the lock's, or None if it has an owner."""
    fds: list[int] = []
    try:
        fds.append(os.open(root / name, _DIRECTORY))
        state = os.fstat(fds[0])
        if state.st_uid == os.geteuid() and not state.st_mode & 0o077:
            fds.append(os.open(LOCK, os.O_RDWR | os.O_CREAT | _FILE, 0o600, dir_fd=fds[0]))
            if _try_lock(fds[1]) and _is_at(fds[0], fds[1]):
                return fds[0], fds[1]
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
    """Delete the journal's files in a directory, and itself if nothing else is in it. The lock's file goes last."""
    with suppress(OSError):
        names = sorted(os.listdir(fd), key=lambda name: name == LOCK)
        for name in names:
            if name == LOCK or name.endswith(SEGMENT):
                os.unlink(name, dir_fd=fd)
        path.rmdir()


def read_owner(lock_fd: int) -> tuple[bytes, Slot | None]:
    """Return the beginning of a lock's file, and what it says if that is whole."""
    data = os.pread(lock_fd, HEADER_BYTES, 0)
    return data, read_slot(data, OWNER_MAGIC)


def close_all(fds: tuple[int, ...] | list[int]) -> None:
    """Close descriptors."""
    for fd in fds:
        with suppress(OSError):
            os.close(fd)


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
