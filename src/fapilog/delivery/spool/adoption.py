"""Opening the directories that dead processes have left: of each segment the header is read, of the last one all."""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from fapilog.delivery.spool.segment import SPOOL_OWNER, SPOOL_SEGMENT, Segment, frames_from
from fapilog.delivery.spool.stream import Stream
from fapilog.durable.directories import (
    BAD,
    PRIVATE_FILE,
    SEGMENT,
    Claimed,
    claim_directory,
    give_up,
    listed,
)
from fapilog.durable.frames import (
    HEADER_BYTES,
    VERSION,
    Slot,
    is_other_version,
    read_slot,
    seed_of,
)

_WINDOW = 1 << 20


class _File(NamedTuple):
    """A segment as it was found: sorted by where it begins, a copy under another name behind the original."""

    base: int
    renamed: bool
    name: str
    first: int
    size: int
    stream: bytes


def adopt(root: Path, name: str, say: Callable[[str], object]) -> Stream | None:
    """Return the stream of a dead process; None if it has an owner, or is of another version: then it is put away.

    Raises:
        OSError: If it cannot be read now.
    """
    claimed = claim_directory(root, name)
    if claimed is None:
        return None
    try:
        data = os.pread(claimed.lock_fd, HEADER_BYTES, 0)
        slot = read_slot(data, SPOOL_OWNER)
        if slot is None and is_other_version(data, SPOOL_OWNER):
            _put_away(root, root / name, name, f"{name} is of another version of fapilog", say)
            give_up(claimed)
            return None
        return _opened(root / name, claimed, slot, say)
    except OSError:
        give_up(claimed)
        raise


def _opened(path: Path, claimed: Claimed, slot: Slot | None, say: Callable[[str], object]) -> Stream:
    files = _files(path, claimed, say)
    if slot is None:
        if files:
            say(f"{path.name}: how far it was delivered cannot be read; all in it is delivered again")
        streams = Counter(file.stream for file in files).most_common(1)
        stream = streams[0][0] if streams else bytes(16)
        begin = next((file for file in files if file.stream == stream), None)
        slot = Slot(SPOOL_OWNER, VERSION, 1, stream, begin.base if begin else 0, begin.first if begin else 0, 0)
    segments: list[Segment] = []
    for file in files:
        if file.stream != slot.stream or (segments and segments[-1].base == file.base):
            _put_away(path.parent, path / file.name, f"{path.name}-{file.name}", f"{file.name} belongs elsewhere", say)
            continue
        if segments:
            # Where the next one begins, the former one has ended: what it may hold behind that was never acknowledged.
            before = segments[-1]
            before.count = file.first - before.first
            before.size = min(before.size, file.base - before.base + HEADER_BYTES)
        segments.append(Segment(file.name, file.base, file.first, file.size, 0))
    done: list[Segment] = []
    while len(segments) > 1 and segments[1].base <= slot.a:
        done.append(segments.pop(0))
    damaged = _measure(claimed.fd, segments[-1], slot) if segments else 0
    found = Stream(path, claimed, slot, segments, recovered=True)
    found.damaged = damaged
    if segments and segments[0].first > slot.b:
        found.damaged += segments[0].first - slot.b
    for segment in done:
        with suppress(OSError):
            os.unlink(segment.name, dir_fd=claimed.fd)
    found.trim()
    return found


def _files(path: Path, claimed: Claimed, say: Callable[[str], object]) -> list[_File]:
    """Return the segments in order; put away what is none."""
    found: list[_File] = []
    for name in sorted(name for name in listed(claimed.fd) if name.endswith(SEGMENT)):
        data, size = _beginning(claimed.fd, name)
        slot = read_slot(data, SPOOL_SEGMENT)
        if slot is not None:
            found.append(_File(slot.a, name != segment_name(slot.b), name, slot.b, size, slot.stream))
        elif size <= HEADER_BYTES and not data.strip(b"\0"):
            # Its owner died while it made the file.
            with suppress(OSError):
                os.unlink(name, dir_fd=claimed.fd)
        else:
            text = f"{name} has no header that can be read"
            _put_away(path.parent, path / name, f"{path.name}-{name}", text, say)
    return sorted(found)


def segment_name(first: int) -> str:
    """Return the name of the segment that begins with a record."""
    return f"{first:020d}{SEGMENT}"


def _beginning(directory: int, name: str) -> tuple[bytes, int]:
    fd = os.open(name, os.O_RDONLY | PRIVATE_FILE, dir_fd=directory)
    try:
        return os.pread(fd, HEADER_BYTES, 0), os.fstat(fd).st_size
    finally:
        os.close(fd)


def _measure(directory: int, segment: Segment, slot: Slot) -> int:
    """Find out how many records the last segment has; return 1 if it ends with bytes that are none."""
    begin = slot.a if segment.base <= slot.a <= segment.end else segment.base
    segment.count = max(0, slot.b - segment.first) if begin == slot.a else 0
    end = begin
    fd = os.open(segment.name, os.O_RDONLY | PRIVATE_FILE, dir_fd=directory)
    try:
        for frame in frames_from(fd, segment, begin, seed_of(slot.stream), _WINDOW):
            segment.count = frame.tag + 1
            end = frame.end
    finally:
        os.close(fd)
    torn = end < segment.end
    segment.size = min(segment.size, end - segment.base + HEADER_BYTES)
    return int(torn)


def _put_away(root: Path, path: Path, name: str, text: str, say: Callable[[str], object]) -> None:
    """Rename what cannot be read: it is not deleted, and not looked at again."""
    with suppress(OSError):
        path.rename(root / f"{name}{BAD}")
        say(f"{text}; it is kept as {name}{BAD}")
