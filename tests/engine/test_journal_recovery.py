"""What is found after a crash: every record that was kept, in order, and nothing that was not."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.durable import directories as files
from fapilog.durable.frames import HEADER_BYTES, OWNER_MAGIC, SEGMENT_MAGIC, Slot
from tests.engine.journals import SPAN, crash, descriptors, journal_in, lines, recover, recovery_in, segments, settle

pytestmark = pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the journal needs Linux")


@pytest.fixture(scope="module")
def image():
    """Return a directory as a crash left it: several segments, one of them used twice, a part settled."""
    root = Path(tempfile.mkdtemp())
    journal = journal_in(root, max_bytes=1_000_000)
    tickets = [journal.append(line, 20) for line in lines(1300)]
    settle(journal, tickets[:1200])
    tickets += [journal.append(line, 30) for line in lines(1300, 1300)]
    settle(journal, tickets[1200:1250])
    crash(journal)
    yield root, lines(1350, 1250)
    shutil.rmtree(root)


def copied(root: Path, to: Path) -> Path:
    shutil.copytree(root, to, dirs_exist_ok=True, copy_function=shutil.copy)
    for path in to.iterdir():
        path.chmod(0o700)
    return to


def is_part_of(found: list[bytes], whole: list[bytes]) -> bool:
    rest = iter(whole)
    return all(line in rest for line in found)


def test_what_was_not_settled_is_found_in_order(image, tmp_path):
    """With its level, from the watermark on, over segments that were used before; afterwards nothing is left."""
    root, expected = image
    recovery = recovery_in(copied(root, tmp_path))
    found = []
    while records := recovery.read(100):
        found += records
        recovery.settle()

    assert [record.payload for record in found] == expected
    assert {record.level for record in found[:50]} == {20}
    assert {record.level for record in found[50:]} == {30}
    assert os.listdir(tmp_path) == []
    assert (recovery.recovered, recovery.damaged, recovery.quarantined) == (1350, 0, 0)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_after_any_damage_only_true_records_are_found(image, data):
    """D12: files cut, bytes changed, pages zeroed or noise, files gone: nothing is invented or out of order."""
    root, _ = image
    everything = lines(2600)
    with tempfile.TemporaryDirectory() as directory:
        target = copied(root, Path(directory))
        paths = [*segments(target), *target.glob("*/LOCK")]
        for _ in range(data.draw(st.integers(1, 3))):
            path = data.draw(st.sampled_from(paths), "file")
            content = bytearray(path.read_bytes() if path.exists() else b"")
            size = len(content)
            # Half of all damage in the first bytes, where the descriptions are.
            at = data.draw(st.integers(0, max(0, min(size, 200) - 1)) | st.integers(0, max(0, size - 1)), "at")
            match data.draw(st.sampled_from(["cut", "flip", "zeros", "noise", "gone"]), "damage"):
                case "cut":
                    del content[at:]
                case "flip" if content:
                    content[at] ^= 1 << data.draw(st.integers(0, 7), "bit")
                case "zeros":
                    content[at : at + 4096] = bytes(len(content[at : at + 4096]))
                case "noise":
                    content[at : at + 512] = os.urandom(len(content[at : at + 512]))
                case _:
                    path.unlink(missing_ok=True)
                    continue
            path.write_bytes(content)
            path.chmod(0o600)
        found = recover(target)

        assert is_part_of(found, everything)
        assert recover(target) == []
        assert [name for name in os.listdir(target) if not name.endswith(".bad")] == []


def test_one_changed_byte_loses_one_record(tmp_path):
    """Every byte of a small journal in turn: at most the record that it is in is missing, and no other is changed."""
    journal = journal_in(tmp_path)
    expected = lines(8, width=5)
    for line in expected:
        journal.append(line, 20)
    crash(journal)
    [path] = segments(tmp_path)
    used = HEADER_BYTES + sum((len(line) + 31) & ~7 for line in expected)
    whole = bytearray(path.read_bytes())
    for at in range(used):
        content = whole.copy()
        content[at] ^= 1 << at % 8
        path.write_bytes(content)
        found = recover(tmp_path, settle=False)
        assert is_part_of(found, expected)
        assert len(found) >= len(expected) - 1


def test_every_cut_leaves_a_prefix(tmp_path):
    """A file that ends anywhere gives the records that are whole in it."""
    journal = journal_in(tmp_path)
    expected = lines(5, width=5)
    for line in expected:
        journal.append(line, 20)
    crash(journal)
    [path] = segments(tmp_path)
    size = (len(expected[0]) + 31) & ~7
    for length in reversed(range(HEADER_BYTES + size, HEADER_BYTES + 5 * size + 1)):
        os.truncate(path, length)
        found = recover(tmp_path, settle=False)
        assert found == expected[: len(found)]
        assert len(found) >= (length - HEADER_BYTES) // size


def test_damage_is_counted_and_said(tmp_path):
    """I5: a loss is visible."""
    journal = journal_in(tmp_path)
    for line in lines(3):
        journal.append(line, 20)
    crash(journal)
    [path] = segments(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"n":1', b'"n":7'))
    said: list[str] = []
    recovery = recovery_in(tmp_path, said)

    assert len(recovery.read(10)) == 2
    assert recovery.read(10) == []
    assert recovery.damaged == 1
    assert "1 damaged records" in said[0]


def test_a_crash_during_recovery_finds_the_same_again(tmp_path, image):
    """What was read but not settled is read again, from exactly where the last one settled."""
    root, expected = image
    copied(root, tmp_path)
    assert recover(tmp_path, settle=False) == expected
    assert recover(tmp_path, settle=False) == expected

    done = 0
    while done < len(expected):
        recovery = recovery_in(tmp_path)
        first = recovery.read(250)
        assert [record.payload for record in first] == expected[done : done + len(first)]
        done += len(first)
        recovery.settle()
        recovery.read(250)
        recovery.close()
    assert recover(tmp_path) == []
    assert os.listdir(tmp_path) == []


def test_a_crash_while_deleting_converges(tmp_path, image):
    """D14: killed after any unlink, the rest is found or cleared away by the next recovery."""
    root, expected = image
    names = [path.name for path in segments(root)]
    for count in range(1, len(names) + 1):
        target = copied(root, tmp_path / str(count))
        recovery = recovery_in(target)
        while recovery.read(1000):
            pass
        for name in names[:count]:
            next(target.iterdir()).joinpath(name).unlink()
        recovery.close()
        assert is_part_of(recover(target), expected)
        assert os.listdir(target) == []


def test_directories_are_read_oldest_first_and_one_at_a_time(tmp_path):
    """A batch is of one process, so that descriptors stay few however many have died."""
    for number in range(40):
        journal = journal_in(tmp_path)
        journal.append(b"%d" % number, 20)
        crash(journal)
    before = descriptors()
    recovery = recovery_in(tmp_path)
    found = []
    while records := recovery.read(1000):
        assert len(records) == 1
        assert descriptors() <= before + 4
        found += records
        recovery.settle()

    assert [record.payload for record in found] == [b"%d" % number for number in range(40)]
    assert descriptors() == before


def test_the_directory_of_a_living_process_is_left_alone(tmp_path):
    """D8: also if it is our own."""
    journal = journal_in(tmp_path)
    journal.append(b"mine", 20)

    assert recover(tmp_path) == []
    crash(journal)
    assert recover(tmp_path) == [b"mine"]


@pytest.mark.parametrize("damage", ["other version", "noise", "other stream"])
def test_a_segment_that_cannot_be_read_is_put_away(tmp_path, damage):
    """Not deleted and not fatal: it is renamed, said, and the others are read."""
    journal = journal_in(tmp_path)
    count = SPAN // 56 + 10
    for number in range(count):
        journal.append(b"%032d" % number, 20)
    crash(journal)
    first = segments(tmp_path)[0]
    content = first.read_bytes()
    version = 2 if damage == "other version" else 1
    slot = Slot(SEGMENT_MAGIC, version, 1, b"another stream..", SPAN, SPAN, 0).pack() * 2
    first.write_bytes((os.urandom(128) if damage == "noise" else slot) + content[HEADER_BYTES:])
    said: list[str] = []
    found = recover(tmp_path, said)

    assert found == [b"%032d" % number for number in range(count - len(found), count)]
    assert 0 < len(found) < count
    [bad] = tmp_path.glob("*.bad")
    assert bad.read_bytes()[HEADER_BYTES:] == content[HEADER_BYTES:]
    assert bad.name in said[0]
    assert os.listdir(tmp_path) == [bad.name]


def test_the_directory_of_another_version_is_put_away_whole(tmp_path):
    """A later fapilog may read it; this one goes on without."""
    journal = journal_in(tmp_path)
    journal.append(b"new", 20)
    crash(journal)
    [lock] = tmp_path.glob("*/LOCK")
    slot = Slot(OWNER_MAGIC, 2, 1, b"s" * 16, 0, 0, 0).pack() * 2
    lock.write_bytes(slot + bytes(4096 - len(slot)))
    said: list[str] = []

    assert recover(tmp_path, said) == []
    [bad] = tmp_path.iterdir()
    assert bad.name.endswith(".bad")
    assert len(list(bad.iterdir())) == 2
    assert "another version" in said[0]
    assert recover(tmp_path, said) == []


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"noise" * 100])
def test_without_a_watermark_all_is_found(tmp_path, content):
    """Better twice than not at all; stale records of a segment that was used again are not among it."""
    journal = journal_in(tmp_path)
    tickets = [journal.append(line, 20) for line in lines(10)]
    settle(journal, tickets[:5])
    crash(journal)
    [lock] = tmp_path.glob("*/LOCK")
    lock.write_bytes(content)

    assert recover(tmp_path) == lines(10)
    assert os.listdir(tmp_path) == []


def test_what_is_half_made_is_cleared_away(tmp_path):
    """A process died between making a directory, a lock or a segment and writing to it."""
    for number, made in enumerate([(), ("LOCK",), ("LOCK", "000000000001.seg")]):
        directory = tmp_path / f"{number:020d}-host-1-0123abcd"
        directory.mkdir(0o700)
        for name in made:
            (directory / name).write_bytes(bytes(4096 if name != "LOCK" else 0))

    assert recover(tmp_path) == []
    assert os.listdir(tmp_path) == []


def test_files_of_others_stay(tmp_path):
    """Directories that are not private, not ours by name, symbolic links, and files beside the segments."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "file.txt").write_text("mine")
    name = "00000000000000000001-host-1-0123abcd"
    (tmp_path / name).mkdir(0o755)
    outside = tmp_path / "notes" / "outside"
    outside.mkdir(0o700)
    (outside / "000000000001.seg").write_bytes(b"not to be touched")
    (tmp_path / "00000000000000000002-host-1-0123abcd").symlink_to(outside)
    inner = tmp_path / "00000000000000000003-host-1-0123abcd"
    inner.mkdir(0o700)
    (inner / "000000000001.seg").symlink_to(outside / "000000000001.seg")
    (inner / "by hand").write_text("mine")

    assert recover(tmp_path) == []
    assert (outside / "000000000001.seg").read_bytes() == b"not to be touched"
    assert (inner / "by hand").read_text() == "mine"
    assert {"notes", "file.txt", name} < set(os.listdir(tmp_path))


def test_a_backlog_is_never_in_memory_as_a_whole(tmp_path, monkeypatch):
    """One segment at a time is read, when it is reached."""
    journal = journal_in(tmp_path)
    for line in lines(5000, width=100):
        journal.append(line, 20)
    crash(journal)
    assert len(segments(tmp_path)) > 10
    opened: list[str] = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, *a, **k: (opened.append(str(path)), real(path, *a, **k))[1])
    recovery = recovery_in(tmp_path)
    recovery.read(10)
    first = [name for name in opened if name.endswith(".seg")]
    recovery.close()

    # Each header once, and one whole file.
    assert len(first) == len(segments(tmp_path)) + 1


def test_a_recovery_on_a_full_disk_needs_no_room(tmp_path, monkeypatch):
    """The watermark is written in place, and what cannot be written only means that records are found twice."""
    journal = journal_in(tmp_path)
    for line in lines(10):
        journal.append(line, 20)
    crash(journal)

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    recovery = recovery_in(tmp_path)
    assert len(recovery.read(5)) == 5
    recovery.settle()
    recovery.close()
    assert recover(tmp_path) == lines(10)


def test_a_directory_that_is_taken_away_under_us_is_nothing(tmp_path):
    """Another process cleared it between the listing and the lock."""
    assert files.claim_directory(tmp_path, "00000000000000000001-host-1-0123abcd") is None
    assert files.directories(tmp_path / "missing") == []


def test_a_lock_that_is_no_longer_at_its_place_is_no_lock(tmp_path, monkeypatch):
    """Its former holder deleted it between our opening and our locking it; two would own the directory otherwise."""
    name = "00000000000000000001-host-1-0123abcd"
    (tmp_path / name).mkdir(0o700)
    real, before = files._try_lock, descriptors()
    monkeypatch.setattr(files, "_try_lock", lambda fd: real(fd) and (tmp_path / name / "LOCK").unlink() is None)
    assert files.claim_directory(tmp_path, name) is None

    monkeypatch.setattr(files, "_try_lock", lambda fd: real(fd) and (tmp_path / name / "LOCK").write_text("") == 0)
    claimed = files.claim_directory(tmp_path, name)
    assert claimed is not None
    files.close_all(claimed)
    assert descriptors() == before
