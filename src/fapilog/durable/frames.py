"""The format on disk of the journal and the spool: record frames in segments, 64-byte slots that describe a file.

    segment   slot │ slot │ frame frame frame … zeros        all numbers little-endian
    frame     magic u32 │ crc32 u32 │ length u32 │ tag u32 │ position u64 │ payload │ padding to 8 bytes
    slot      magic u32 │ version u32 │ generation u64 │ stream 16 bytes │ a, b, time u64 │ crc32 u32 │ 4 zeros

A position counts the bytes of a stream, from one segment to the next. A frame is true only where its position says
that it stands, and its checksum begins with a number of the stream that is never zero: neither zeros, nor what a
segment held before, nor bytes of another stream, nor a frame inside a payload is taken for one. A slot stands twice, so
that one of the two is whole at any moment; the one of the highest generation counts. The tag is a number of the user's:
the journal keeps the level there, the spool the record's place in its segment.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

VERSION = 1
SLOT_BYTES = 64
HEADER_BYTES = 2 * SLOT_BYTES
SEGMENT_MAGIC = 0xF5FA_51E6
OWNER_MAGIC = 0xF5FA_0B3E
FRAME_MAGIC = 0xFFFA_109E
_MAGIC_TEXT = b"\x9e\x10\xfa\xff"
FRAME_BYTES = 24
"""What a record takes beside its payload and the padding."""

_SLOT = struct.Struct("<IIQ16sQQQ")
_CRC = struct.Struct("<I")
_SLOT_SEED = 0x5EED_F0A9
_STATE = struct.Struct("<II")
_REST = struct.Struct("<IIQ")
_FRAME = struct.Struct("<IIIIQ")
_TAG_BITS = 0xFFFF_FFFF
SHORT_BYTES = 4096
"""What zlib is given at once: from 5 KiB on it gives the interpreter lock away."""
_READ_AGAIN = 4

_PADDING = tuple(bytes(-length % 8) for length in range(8))

pack_state = _STATE.pack_into
"""Write the first eight bytes of a frame, which make it true: ``pack_state(buffer, offset, FRAME_MAGIC, checksum)``."""


class Slot(NamedTuple):
    """What a file says of itself.

    Attributes:
        magic: What kind of file it is.
        version: Of the format.
        generation: The higher of two counts.
        stream: The random name of the stream that it belongs to.
        a: A segment: the position of its first byte. An owner: up to where all is settled.
        b: A segment: how many bytes of positions it has (journal), the number of its first record (spool). An owner:
            the process id (journal), the number of the record at ``a`` (spool).
        time_ns: When it was begun, wall clock.
    """

    magic: int
    version: int
    generation: int
    stream: bytes
    a: int
    b: int
    time_ns: int

    def pack(self) -> bytes:
        """Return the 64 bytes."""
        body = _SLOT.pack(*self)
        return (body + _CRC.pack(crc32(body, _SLOT_SEED))).ljust(SLOT_BYTES, b"\0")


class Frame(NamedTuple):
    """A record as it was found.

    Attributes:
        end: The position behind it.
        tag: Its number.
        payload: Its bytes.
    """

    end: int
    tag: int
    payload: bytes


def read_slot(data: bytes, magic: int) -> Slot | None:
    """Return the slot that counts in the beginning of a file, or None if none is whole and of this version."""
    found: Slot | None = None
    for at in (0, SLOT_BYTES):
        body = data[at : at + _SLOT.size]
        check = data[at + _SLOT.size : at + _SLOT.size + _CRC.size]
        if len(check) < _CRC.size or _CRC.unpack(check)[0] != crc32(body, _SLOT_SEED):
            continue
        slot = Slot(*_SLOT.unpack(body))
        if slot.magic == magic and slot.version == VERSION and (found is None or slot.generation > found.generation):
            found = slot
    return found


def is_other_version(data: bytes, magic: int) -> bool:
    """Tell whether the beginning of a file, which has no slot of this version, is one of another version."""
    both = [_STATE.unpack_from(data, at) for at in (0, SLOT_BYTES) if len(data) >= at + _STATE.size]
    return any(kind == magic and version != VERSION for kind, version in both)


def seed_of(stream: bytes) -> int:
    """Return what the checksums of a stream begin with; never zero, since the checksum of nothing would be zero."""
    return crc32(stream, _SLOT_SEED) | 1


def frame_size(length: int) -> int:
    """Return how many bytes a payload of so many bytes takes."""
    return (length + FRAME_BYTES + 7) & ~7


def frame_body(payload: bytes, tag: int, position: int) -> bytes:
    """Return a frame without its first eight bytes."""
    return _REST.pack(len(payload), tag & _TAG_BITS, position) + payload


def checksum(body: bytes, seed: int) -> int:
    """Return the checksum of a long body, without giving the interpreter lock away; a short one is ``crc32``'s."""
    view = memoryview(body)
    for at in range(0, len(body), SHORT_BYTES):
        seed = crc32(view[at : at + SHORT_BYTES], seed)
    return seed


def frame(payload: bytes, tag: int, position: int, seed: int) -> bytes:
    """Return a whole frame with its padding."""
    rest = _REST.pack(len(payload), tag, position)
    check = crc32(payload, crc32(rest, seed))
    return b"".join((_STATE.pack(FRAME_MAGIC, check), rest, payload, _PADDING[len(payload) & 7]))


def scan(data: bytes, base: int, begin: int, seed: int, at: int = HEADER_BYTES) -> Iterator[Frame | None]:
    """Yield the records of a segment from a position on, in order, and None for each that is damaged.

    After damage it goes on at the next frame that is true; the work is bounded whatever the bytes are.

    Args:
        data: The whole file.
        base: The position of the first byte behind the header.
        begin: Records that begin before this position are passed over.
        seed: See :func:`seed_of`.
        at: Where in the data to begin; 0 if it is a part of a file without the header.
    """
    budget = _READ_AGAIN * len(data)
    while at >= 0 and at + FRAME_BYTES <= len(data) and budget > 0:
        magic, check, length, tag, position = _FRAME.unpack_from(data, at)
        end = at + FRAME_BYTES + length
        if magic == FRAME_MAGIC and position == base + at - HEADER_BYTES:
            budget -= length if end <= len(data) else 0
            if length and end <= len(data) and crc32(memoryview(data)[at + 8 : end], seed) == check:
                size = frame_size(length)
                if position >= begin:
                    yield Frame(position + size, tag, data[at + FRAME_BYTES : end])
                at += size
                continue
            if position >= begin:
                yield None
        at = _next(data, at + 8)


def _next(data: bytes, at: int) -> int:
    """Return where the next frame may begin, -1 if nowhere."""
    found = data.find(_MAGIC_TEXT, at)
    while found >= 0 and found % 8:
        found = data.find(_MAGIC_TEXT, found + 1)
    return found
