"""The format: what is written is read, and nothing else is."""

import struct
from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from fapilog.durable import frames
from fapilog.durable.frames import (
    FRAME_MAGIC,
    HEADER_BYTES,
    OWNER_MAGIC,
    SEGMENT_MAGIC,
    SLOT_BYTES,
    Slot,
    checksum,
    frame_body,
    frame_size,
    read_slot,
    scan,
    seed_of,
)

SEED = seed_of(b"s" * 16)
SLOT = Slot(SEGMENT_MAGIC, 1, 3, b"s" * 16, 7, 8, 9)


def frame(payload: bytes, position: int, level: int = 20, seed: int = SEED) -> bytes:
    body = frame_body(payload, level, position)
    data = struct.pack("<II", FRAME_MAGIC, checksum(body, seed)) + body
    return data.ljust(frame_size(len(payload)), b"\0")


def segment(*payloads: bytes, base: int = 0) -> bytes:
    data = bytes(HEADER_BYTES)
    for payload in payloads:
        data += frame(payload, base + len(data) - HEADER_BYTES)
    return data


def payloads(data: bytes, base: int = 0, begin: int = 0, seed: int = SEED) -> list[bytes]:
    return [found.payload for found in scan(data, base, begin, seed) if found is not None]


@given(st.lists(st.binary(min_size=1, max_size=200), max_size=20), st.integers(0, 2**60), st.integers(0, 3000))
def test_what_is_written_is_read(written, base, zeros):
    """Any bytes at any position, with the zeros of a file that is not full."""
    assert payloads(segment(*written, base=base) + bytes(zeros), base) == written


@given(st.binary(max_size=20_000))
def test_the_checksum_in_pieces_is_that_of_the_whole(body):
    """A long body is worked off without giving the interpreter lock away."""
    assert checksum(body, SEED) == crc32(body, SEED)


def test_the_magic_as_text_is_the_number():
    """The search after damage looks for what was written."""
    assert struct.pack("<I", FRAME_MAGIC) == frames._MAGIC_TEXT


def test_records_below_the_watermark_are_passed_over():
    """They are settled, and no longer looked for even if damaged."""
    data = segment(b"a" * 8, b"b" * 8, b"c" * 8)

    assert payloads(data, 0, 32) == [b"b" * 8, b"c" * 8]
    assert payloads(data.replace(b"aaaa", b"axaa"), 0, 32) == [b"b" * 8, b"c" * 8]
    assert None not in list(scan(data.replace(b"aaaa", b"axaa"), 0, 32, SEED))


def test_records_of_another_place_or_stream_are_none():
    """What a segment held before it was used again, and what was copied in, is not true there."""
    data = segment(b"a", b"b")

    assert payloads(data, base=len(data)) == []
    assert payloads(data, seed=seed_of(b"t" * 16)) == []
    assert payloads(bytes(10_000)) == []


def test_a_frame_inside_a_payload_is_none():
    """Even one that is whole and has the right checksum: it says another position than the one it has."""
    inner = frame(b"forged", 4096)
    outer = segment(b"12345678" + inner, b"after")

    assert payloads(outer) == [b"12345678" + inner, b"after"]
    torn = outer[: HEADER_BYTES + 8] + b"\xff" + outer[HEADER_BYTES + 9 :]
    assert payloads(torn) == [b"after"]


def test_a_hostile_file_costs_no_more_than_reading_it_a_few_times(monkeypatch):
    """A file of frames that all claim to reach to its end is given up on."""
    size = 200_000
    read = 0

    def counted(data, seed):
        nonlocal read
        read += len(data)
        return crc32(data, seed)

    monkeypatch.setattr(frames, "crc32", counted)
    data = bytearray(bytes(HEADER_BYTES) + bytes(size))
    for at in range(HEADER_BYTES, size, 24):
        struct.pack_into("<IIIIQ", data, at, FRAME_MAGIC, 0, size - at, 20, at - HEADER_BYTES)

    assert payloads(bytes(data)) == []
    assert read < 6 * size


def test_a_length_of_four_gibibytes_allocates_nothing():
    """It ends behind the file, so it is not true."""
    data = bytearray(segment(b"a", b"b"))
    struct.pack_into("<I", data, HEADER_BYTES + 8, 0xFFFF_FFFF)

    assert payloads(bytes(data)) == [b"b"]


def test_of_two_slots_the_newer_whole_one_counts():
    """One of them may be torn by a kill in the middle of its store."""
    old, new = SLOT.pack(), SLOT._replace(generation=4, a=70).pack()

    assert read_slot(old + new, SEGMENT_MAGIC) == SLOT._replace(generation=4, a=70)
    assert read_slot(new + old, SEGMENT_MAGIC) == SLOT._replace(generation=4, a=70)
    assert read_slot(old + new[:20] + old[20:], SEGMENT_MAGIC) == SLOT
    assert read_slot(old[:30], SEGMENT_MAGIC) is None
    assert read_slot(old + new, OWNER_MAGIC) is None


@given(st.integers(0, SLOT_BYTES - 5), st.integers(1, 255))
def test_a_slot_with_any_byte_changed_is_none(at, change):
    """But for the padding at its end."""
    data = bytearray(SLOT.pack())
    data[at] ^= change

    assert read_slot(bytes(data), SEGMENT_MAGIC) is None
