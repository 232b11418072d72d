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
import sys
import time
from contextlib import suppress
from pathlib import Path

from fapilog.diagnostics import attempt
from fapilog.durable import directories
from fapilog.durable.directories import NEW_FILE, SEGMENT, Claimed, give_up, make_directory, remove_directory, safe_name
from fapilog.durable.frames import HEADER_BYTES, OWNER_MAGIC, SEGMENT_MAGIC, VERSION, Slot, read_slot

OWNER_BYTES = 4096
_PAGE = 4096
_PAGES_AT_ONCE = 16
_MOUNTS = "/proc/self/mountinfo"
_UNFIT = frozenset({
    "9p", "afs", "bcachefs", "btrfs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "gfs2", "lustre", "ncpfs", "nfs",
    "nfs4", "smb3", "smbfs", "zfs",
})  # fmt: skip


class Owner:
    """A locked directory of this process. :meth:`mark` is a store; the rest makes system calls."""

    def __init__(self, path: Path, claimed: Claimed, slot: Slot) -> None:
        """Take a directory that is open and locked, and write who has it.

        Raises:
            OSError: If the room for the watermark cannot be reserved.
        """
        self.path = path
        self.fd = claimed.fd
        self._claimed = claimed
        self._slot = slot
        os.posix_fallocate(claimed.lock_fd, 0, OWNER_BYTES)
        self._memory = mmap.mmap(claimed.lock_fd, OWNER_BYTES)
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
        self._memory.close()
        give_up(self._claimed)

    def forget(self) -> None:
        """Let go without giving up the lock, which the parent of a forked child still has."""
        self._memory.close()
        directories.close_all(self._claimed)


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
        fd = os.open(self.name, NEW_FILE, 0o600, dir_fd=owner.fd)
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
    return state / "fapilog" / (safe_name(service) or "service")


def make_root(root: Path) -> None:
    """Make the user's directory if it is missing, and check that it can serve.

    Raises:
        OSError: If it cannot.
    """
    if not hasattr(os, "posix_fallocate") or sys.platform != "linux":
        raise OSError(errno.ENOTSUP, "the journal needs Linux")
    directories.make_root(root, "the journal's")
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
    name, claimed = make_directory(root)
    slot = Slot(OWNER_MAGIC, VERSION, 1, os.urandom(16), 0, os.getpid(), time.time_ns())
    try:
        return Owner(root / name, claimed, slot)
    except (OSError, ValueError):
        remove_directory(root / name, claimed.fd)
        directories.close_all(claimed)
        raise


def read_owner(lock_fd: int) -> tuple[bytes, Slot | None]:
    """Return the beginning of a lock's file, and what it says if that is whole."""
    data = os.pread(lock_fd, HEADER_BYTES, 0)
    return data, read_slot(data, OWNER_MAGIC)
