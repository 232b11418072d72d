"""The law of the spool: whatever becomes of its files, what is read is what was appended, in order. D12, D13."""

import os
import shutil
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.delivery.spool import segment as segment_module
from fapilog.delivery.spool.adoption import adopt
from fapilog.delivery.spool.segment import SPOOL_OWNER, SPOOL_SEGMENT
from fapilog.durable.frames import HEADER_BYTES, SLOT_BYTES, Slot, read_slot
from tests.delivery.spool.spools import crash, lines, recover, spool_in

SMALL = [b"a", b"bb" * 4, b"ccc" * 9, b"{}", b"e" * 40]
Files = dict[str, bytes]


def left(records: list[bytes], *, acknowledged: int = 0, batch: int = 1) -> tuple[str, Files]:
    """Return the name and the files of a process's directory that has died with these records in its spool."""
    with tempfile.TemporaryDirectory() as place:
        store = spool_in(Path(place), segment_bytes=4096, sync="never")
        for at in range(0, len(records), batch):
            store.append(records[at : at + batch])
        if acknowledged:
            store.acknowledge(store.read(acknowledged, 1 << 30).token)
        path = store._own.path
        crash(store)
        return path.name, {file.name: file.read_bytes() for file in path.iterdir()}


def found(place: Path, name: str, files: Files) -> tuple[list[bytes], int, list[str]]:
    """Return what is read from such files, how much is counted as damaged, and what is put away."""
    path = place / "sink" / name
    path.mkdir(mode=0o700, parents=True)
    for file, data in files.items():
        (path / file).write_bytes(data)
    stream = adopt(place / "sink", name, str)
    records: list[bytes] = []
    if stream is None:
        # The version that its owner is marked with is another one: put away as a whole.
        return records, 0, sorted(os.listdir(place / "sink"))
    while chunk := stream.read(100, 1 << 30):
        records += chunk
        stream.acknowledge(*stream.token())
    damaged = stream.damaged
    stream.close()
    bad = sorted(os.listdir(place / "sink"))
    shutil.rmtree(place / "sink", ignore_errors=True)
    return records, damaged, bad


def is_part(part: list[bytes], whole: list[bytes]) -> bool:
    """Tell whether a list is another one with some items left out."""
    rest = iter(whole)
    return all(item in rest for item in part)


def only_segment(files: Files) -> str:
    (name,) = (name for name in files if name.endswith(".seg"))
    return name


def test_untouched_files_give_everything(tmp_path):
    """And nothing is left of them."""
    assert found(tmp_path, *left(SMALL)) == (SMALL, 0, [])


def test_a_file_that_is_cut_anywhere_gives_a_prefix(tmp_path):
    """At every byte: whole records from the beginning on, one for each that is wholly there."""
    name, files = left(SMALL)
    segment = only_segment(files)
    for size in range(len(files[segment])):
        records, damaged, _ = found(tmp_path, name, files | {segment: files[segment][:size]})
        assert records == SMALL[: len(records)]
        assert damaged <= 1
        assert size < HEADER_BYTES or len(records) == sum(size >= end for end in _ends(SMALL))


def _ends(records: list[bytes]) -> list[int]:
    """Return where each record ends in the file, without its padding."""
    at, ends = HEADER_BYTES, []
    for record in records:
        ends.append(at + 24 + len(record))
        at = (ends[-1] + 7) & ~7
    return ends


def test_a_flipped_bit_costs_one_record_at_most(tmp_path):
    """Every bit of the file: the others are all there, and the one that is not is counted."""
    name, files = left(SMALL)
    segment = only_segment(files)
    for at in range(len(files[segment]) * 8):
        data = bytearray(files[segment])
        data[at // 8] ^= 1 << at % 8
        records, damaged, _ = found(tmp_path, name, files | {segment: bytes(data)})
        assert is_part(records, SMALL), at
        assert len(records) + damaged == len(SMALL), at
        assert len(records) >= len(SMALL) - 1, at


def test_a_flipped_bit_in_the_cursor_brings_records_back_at_most(tmp_path):
    """The other slot counts then, an older one; nothing that was not acknowledged is missing."""
    name, files = left(SMALL, acknowledged=2)
    for at in range(HEADER_BYTES * 8):
        data = bytearray(files["LOCK"])
        data[at // 8] ^= 1 << at % 8
        records, damaged, bad = found(tmp_path, name, files | {"LOCK": bytes(data)})
        assert records in (SMALL, SMALL[2:])
        assert (damaged, bad) == (0, [])


@pytest.mark.parametrize("lock", [None, b"", b"x" * 500, bytes(128)])
def test_without_a_cursor_everything_comes_again(tmp_path, lock):
    """Better twice than not at all."""
    name, files = left(SMALL, acknowledged=2)
    files.pop("LOCK")
    assert found(tmp_path, name, files | ({"LOCK": lock} if lock is not None else {})) == (SMALL, 0, [])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_of_any_kind_invents_nothing(data):
    """Cut, flipped, zeroed, garbled, grown, swapped, doubled, missing, in many segments: a part of what was written."""
    sizes = data.draw(st.lists(st.integers(1, 1500), min_size=1, max_size=60))
    written = [b"%06d" % number + b"x" * size for number, size in enumerate(sizes)]
    name, files = left(written, batch=data.draw(st.integers(1, 5)))
    segments = sorted(file for file in files if file.endswith(".seg"))
    for _ in range(data.draw(st.integers(1, 3))):
        target = data.draw(st.sampled_from([*segments, "LOCK"]))
        content = files.get(target, b"")
        at = data.draw(st.integers(0, len(content)))
        match data.draw(st.sampled_from(["cut", "flip", "zero", "garble", "grow", "swap", "double", "missing"])):
            case "cut":
                files[target] = content[:at]
            case "flip" if at < len(content):
                files[target] = (
                    content[:at] + bytes([content[at] ^ 1 << data.draw(st.integers(0, 7))]) + content[at + 1 :]
                )
            case "zero":
                files[target] = content[:at] + bytes(min(512, len(content) - at)) + content[at + 512 :]
            case "garble":
                junk = data.draw(st.binary(min_size=1, max_size=600))
                files[target] = content[:at] + junk + content[at + len(junk) :]
            case "grow":
                files[target] = content + data.draw(st.binary(min_size=1, max_size=600))
            case "swap":
                other = data.draw(st.sampled_from(segments))
                files[target], files[other] = files.get(other, b""), content
            case "double":
                files["0" * 19 + "9.seg"] = content
            case "missing":
                files.pop(target, None)
    with tempfile.TemporaryDirectory() as place:
        records, _, _ = found(Path(place), name, files)

    assert is_part(records, written)


def test_a_missing_segment_is_counted_exactly(tmp_path):
    """In the middle, at the beginning; what is at the end nobody knows of."""
    written = lines(200)
    name, files = left(written)
    segments = sorted(file for file in files if file.endswith(".seg"))
    assert len(segments) > 3
    for gone in segments[:-1]:
        records, damaged, bad = found(tmp_path, name, {file: files[file] for file in files if file != gone})
        assert is_part(records, written)
        assert len(records) + damaged == 200
        assert damaged > 10
        assert bad == []


def test_renamed_and_doubled_segments_change_nothing(tmp_path):
    """What counts is what a file says of itself; a second copy is put away."""
    written = lines(200)
    name, files = left(written)
    segments = sorted(file for file in files if file.endswith(".seg"))
    swapped = files | {segments[0]: files[segments[1]], segments[1]: files[segments[0]]}
    assert found(tmp_path, name, swapped) == (written, 0, [])

    doubled = files | {"00000000000000000999.seg": files[segments[1]]}
    records, damaged, bad = found(tmp_path, name, doubled)
    assert (records, damaged) == (written, 0)
    assert bad == [f"{name}-00000000000000000999.seg.bad"]


def test_a_segment_of_another_stream_is_put_away(tmp_path):
    """Its records are somebody else's."""
    name, files = left(SMALL)
    _, others = left([b"other"] * 3)
    records, damaged, bad = found(tmp_path, name, files | {"00000000000000000777.seg": others[only_segment(others)]})

    assert (records, damaged) == (SMALL, 0)
    assert bad == [f"{name}-00000000000000000777.seg.bad"]


def test_another_version_is_put_away_and_not_deleted(tmp_path):
    """A newer fapilog can read it still; this one goes on."""
    name, files = left(SMALL)
    slot = read_slot(files["LOCK"], SPOOL_OWNER)
    newer = slot._replace(version=2).pack() * 2
    said: list[str] = []
    path = tmp_path / "sink" / name
    path.mkdir(mode=0o700, parents=True)
    for file, data in (files | {"LOCK": newer}).items():
        (path / file).write_bytes(data)

    assert recover(tmp_path, said) == ([], 0)
    assert "another version" in said[0]
    assert (tmp_path / "sink" / f"{name}.bad" / only_segment(files)).read_bytes() == files[only_segment(files)]


def test_a_length_of_four_gibibytes_allocates_nothing(tmp_path, monkeypatch):
    """It ends behind the file, so it is not true; no more is read than there is."""
    name, files = left(SMALL)
    segment = only_segment(files)
    data = bytearray(files[segment])
    struct.pack_into("<I", data, HEADER_BYTES + 8, 0xFFFF_FFFF)
    asked: list[int] = []
    real = segment_module._read

    def read(fd, at, size):
        asked.append(size)
        return real(fd, at, size)

    monkeypatch.setattr(segment_module, "_read", read)
    assert found(tmp_path, name, files | {segment: bytes(data)}) == (SMALL[1:], 1, [])
    assert max(asked) <= len(data)


def test_a_file_that_was_just_made_is_no_damage(tmp_path):
    """Its owner died before it wrote the header, or a record."""
    name, files = left(SMALL)
    segment = files[only_segment(files)]
    slot = read_slot(segment, SPOOL_SEGMENT)
    last = Slot(*slot)._replace(a=len(segment) - HEADER_BYTES, b=len(SMALL)).pack() * 2
    for beginning in (b"", bytes(HEADER_BYTES), last):
        assert found(tmp_path, name, files | {"00000000000000000005.seg": beginning}) == (SMALL, 0, [])
    assert len(last) == 2 * SLOT_BYTES


def halfway() -> tuple[list[bytes], str, Files, Files, str]:
    """Return what a process leaves that has acknowledged its first segment: before and after that is deleted."""
    written = lines(200)
    with tempfile.TemporaryDirectory() as place:
        store = spool_in(Path(place), segment_bytes=4096, sync="never")
        for line in written:
            store.append([line])
        path = store._own.path
        before = {file.name: file.read_bytes() for file in path.iterdir()}
        first = store._own.segments[0]
        store.acknowledge(store.read(first.count, 1 << 30).token)
        crash(store)
        after = {file.name: file.read_bytes() for file in path.iterdir()}
    assert first.name not in after
    return written[first.count :], path.name, before, after, first.name


def test_a_kill_between_the_cursor_and_the_deleting_repeats_nothing(tmp_path):
    """D14: what is below the cursor is deleted at the next start, and what is deleted is no damage."""
    rest, name, before, after, first = halfway()

    assert found(tmp_path, name, after) == (rest, 0, [])
    assert found(tmp_path, name, after | {first: before[first]}) == (rest, 0, [])


def test_a_segment_missing_right_behind_the_cursor_is_counted(tmp_path):
    """Whether or not the one before it was deleted yet."""
    rest, name, before, after, first = halfway()
    after.pop(min(file for file in after if file != "LOCK"))

    for files in (after, after | {first: before[first]}):
        records, damaged, _ = found(tmp_path, name, files)
        assert records == rest[len(rest) - len(records) :]
        assert damaged == len(rest) - len(records) > 10
