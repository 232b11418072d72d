"""The spool of a living process: in order, once, within the quota, and nothing left behind."""

import errno
import os
import stat

import pytest

from fapilog.delivery.spool import store as store_module
from fapilog.delivery.spool.options import SpoolOptions
from fapilog.delivery.spool.store import Appended, SpoolFullError, SpoolStore
from fapilog.errors import ConfigError
from fapilog.testing import FakeClock
from tests.delivery.spool.spools import crash, descriptors, lines, recover, segments, spool_in, take


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"directory": ""}, "with_spool(directory)"),
        ({"directory": 5}, "with_spool(directory)"),
        ({"directory": "a\0b"}, "with_spool(directory)"),
        ({"max_bytes": "99 KB"}, "with_spool(max_bytes)"),
        ({"max_bytes": None}, "with_spool(max_bytes)"),
        ({"segment_bytes": 4000}, "with_spool(segment_bytes)"),
        ({"segment_bytes": []}, "with_spool(segment_bytes)"),
        ({"full": "wait"}, "with_spool(full)"),
        ({"full": []}, "with_spool(full)"),
        ({"sync": True}, "with_spool(sync)"),
        ({"sync_seconds": 0}, "with_spool(sync_seconds)"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(options, named):
    """The error says the method and the parameter."""
    with pytest.raises(ConfigError) as caught:
        SpoolOptions(**({"directory": "spool"} | options))
    assert str(caught.value).startswith(named)


def test_a_small_quota_has_small_segments(tmp_path):
    """A segment is a quarter of the quota at most, so that dropping one leaves the most of it."""
    assert SpoolOptions(tmp_path, max_bytes="1 MB").segment_size == 250_000
    assert SpoolOptions(tmp_path).segment_size == 8_000_000


def test_what_is_appended_is_read_in_order_and_once(tmp_path):
    """Appends and reads need not alternate."""
    store = spool_in(tmp_path, segment_bytes=4096)
    written = lines(300)
    found = []
    for at in range(0, 300, 20):
        assert store.append(written[at : at + 20]) == Appended(0, 0)
        if at % 40:
            chunk = store.read(33, 10_000)
            assert not chunk.recovered
            found += chunk.records
            store.acknowledge(chunk.token)
    found += take(store)

    assert found == written
    assert store.read(1, 1) is None
    assert store.figures["pending_events"] == 0
    store.close()


def test_a_chunk_is_bounded_by_events_and_by_bytes(tmp_path):
    """But it has one record at least, however large that is."""
    store = spool_in(tmp_path)
    store.append([b"a" * 10] * 5 + [b"b" * 1000, b"c"])

    sizes = []
    while chunk := store.read(3, 25):
        sizes.append([len(record) for record in chunk.records])
    assert sizes == [[10, 10], [10, 10], [10], [1000], [1]]
    store.close()


def test_a_record_larger_than_a_segment_has_one_of_its_own(tmp_path):
    """It is read like any other."""
    store = spool_in(tmp_path, segment_bytes=4096)
    written = [b"a", b"b" * 50_000, b"c"]
    for record in written:
        store.append([record])

    assert [path.stat().st_size > 50_000 for path in segments(tmp_path)] == [False, True, False]
    assert take(store) == written
    store.close()


def test_an_empty_spool_leaves_nothing(tmp_path):
    """No file, no directory, no descriptor."""
    before = descriptors()
    for sync in ("never", "interval", "always"):
        store = spool_in(tmp_path / "spool", sync=sync)
        store.append(lines(10))
        take(store)
        store.close()

    assert os.listdir(tmp_path / "spool") == []
    assert descriptors() == before


def test_files_are_private(tmp_path):
    """Nobody else reads what waits."""
    store = spool_in(tmp_path / "spool")
    store.append(lines(1))

    for path in [tmp_path / "spool", *(tmp_path / "spool").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    store.close()


def test_segments_go_as_soon_as_they_are_delivered(tmp_path):
    """The one that is written to stays."""
    store = spool_in(tmp_path, segment_bytes=4096)
    for line in lines(200):
        store.append([line])
    assert len(segments(tmp_path)) > 3
    take(store)

    assert len(segments(tmp_path)) == 1
    assert store.figures["segments"] == 1
    store.close()


def test_what_is_pending_is_there_at_the_next_opening(tmp_path):
    """It says so, comes before what is new, and is counted."""
    store = spool_in(tmp_path)
    store.append(lines(10))
    chunk = store.read(4, 10_000)
    store.acknowledge(chunk.token)
    store.close()
    store.open()
    store.append([b"new"])
    assert store.figures["recovered_events"] == 6
    assert store.figures["pending_events"] == 7

    chunk = store.read(100, 10_000)
    assert (chunk.records, chunk.recovered) == (lines(10)[4:], True)
    store.acknowledge(chunk.token)
    chunk = store.read(100, 10_000)
    assert (chunk.records, chunk.recovered) == ([b"new"], False)
    store.acknowledge(chunk.token)
    store.close()
    assert os.listdir(tmp_path) == []


def test_what_was_read_and_not_acknowledged_comes_again(tmp_path):
    """With nothing before it, and with the same boundaries if it is read the same way."""
    store = spool_in(tmp_path)
    store.append(lines(10))
    store.acknowledge(store.read(3, 10_000).token)
    given = store.read(3, 10_000).records
    crash(store)
    store.open()

    assert store.read(3, 10_000).records == given == lines(10)[3:6]
    store.close()


def test_the_oldest_segments_make_room(tmp_path):
    """As many whole ones as are needed; how many records that cost is told, and what is left is in order."""
    store = spool_in(tmp_path, max_bytes=100_000)
    written = lines(2000)
    removed = 0
    for at in range(0, 2000, 10):
        removed += store.append(written[at : at + 10]).removed
        assert sum(path.stat().st_size for path in segments(tmp_path)) <= 100_000

    assert removed > 500
    assert store.figures["removed_events"] == removed
    assert store.figures["pending_events"] == 2000 - removed
    assert take(store) == written[removed:]
    store.close()


def test_what_is_being_delivered_is_not_dropped(tmp_path):
    """The segments behind it are, and the chunk can be acknowledged; nothing comes twice."""
    store = spool_in(tmp_path, max_bytes=100_000)
    written = lines(3000)
    store.append(written[:10])
    chunk = store.read(5, 10_000)
    removed = sum(store.append(written[at : at + 10]).removed for at in range(10, 3000, 10))
    store.acknowledge(chunk.token)
    rest = take(store)

    assert chunk.records + rest[: 3000 - removed] == [*written[:5], *rest]
    assert len(rest) == 3000 - removed - 5
    assert rest == sorted(set(rest), key=written.index)
    assert store.figures["damaged_events"] == 0
    store.close()


def test_what_is_dropped_does_not_come_again_after_a_crash(tmp_path):
    """The oldest go first, that which is being delivered too, and nothing is counted a second time."""
    store = spool_in(tmp_path, max_bytes=100_000)
    store.append(lines(10))
    store.read(5, 10_000)
    removed = sum(store.append(lines(10, at)).removed for at in range(10, 3000, 10))
    pending = store.figures["pending_events"]
    crash(store)

    found, damaged = recover(tmp_path)
    assert found == lines(pending, 3000 - pending)
    assert removed == 3000 - pending - 5
    assert damaged == 0


def test_what_earlier_processes_left_is_dropped_first(tmp_path):
    """And counted apart."""
    store = spool_in(tmp_path, max_bytes=100_000)
    for at in range(0, 600, 10):
        store.append(lines(10, at))
    crash(store)
    store.open()
    results = [store.append(lines(10, at)) for at in range(1000, 1900, 10)]

    assert sum(result.recovered_removed for result in results) == 600
    assert sum(result.removed for result in results) + store.figures["pending_events"] == 900
    found = take(store)
    assert found == lines(len(found), 1900 - len(found))
    store.close()


def test_a_spool_that_refuses_keeps_what_it_has(tmp_path):
    """And takes events again once some are delivered."""
    store = spool_in(tmp_path, max_bytes=100_000, full="refuse")
    kept = []
    with pytest.raises(SpoolFullError, match="quota"):
        for at in range(0, 10_000, 10):
            store.append(lines(10, at))
            kept += lines(10, at)
    assert store.figures["removed_events"] == 0

    assert take(store) == kept
    store.append(lines(10))
    assert take(store) == lines(10)
    store.close()


def test_a_batch_larger_than_the_quota_is_refused(tmp_path):
    """Nothing is dropped for it."""
    store = spool_in(tmp_path, max_bytes=100_000)
    store.append(lines(5))
    with pytest.raises(SpoolFullError, match="larger"):
        store.append([b"x" * 100_000])

    assert take(store) == lines(5)
    store.close()


def test_sinks_of_similar_names_have_directories_of_their_own(tmp_path):
    """Whatever is in a name, it is a directory below the spool's."""
    names = ["a/b", "a_b", "..", "", "a\nb", "ü" * 300, "\ud800"]
    stores = [SpoolStore(SpoolOptions(tmp_path), name, FakeClock()) for name in names]
    for store in stores:
        store.open()

    assert len({store.root for store in stores}) == len(names)
    assert {store.root.parent for store in stores} == {tmp_path}
    for store in stores:
        store.close()


def test_a_closed_spool_takes_nothing(tmp_path):
    """It says so, and reading finds nothing."""
    store = spool_in(tmp_path)
    store.close()

    with pytest.raises(OSError, match="closed"):
        store.append([b"x"])
    assert store.read(1, 1) is None
    store.close()


def test_an_empty_record_is_an_error(tmp_path):
    """Nothing of its batch is kept."""
    store = spool_in(tmp_path)
    with pytest.raises(ValueError, match="empty"):
        store.append([b"a", b""])

    assert store.append([]) == Appended(0, 0)
    assert take(store) == []
    store.close()


def test_a_directory_that_somebody_deletes_is_made_again(tmp_path):
    """D6: what was in it is lost and counted, what comes is kept."""
    store = spool_in(tmp_path, segment_bytes=4096)
    store.append(lines(10))
    for path in sorted(tmp_path.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    for at in range(10, 200, 10):
        store.append(lines(10, at))

    found = take(store)
    assert found == lines(len(found), 200 - len(found))
    assert store.figures["damaged_events"] == 200 - len(found) > 0
    store.close()


@pytest.mark.parametrize("case", ["a file", "no permission", "symbolic link"])
def test_a_place_that_cannot_serve_is_an_error(tmp_path, monkeypatch, case):
    """D5, D6: nothing stays open, and the next opening may succeed."""
    before = descriptors()
    if case == "a file":
        (tmp_path / "sink").write_text("")
    elif case == "symbolic link":
        (tmp_path / "real").mkdir()
        (tmp_path / "sink").symlink_to(tmp_path / "real")
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
        monkeypatch.setattr("fapilog.durable.directories._ROOT_UID", 12345)
    else:

        def refused(*args):
            raise PermissionError(errno.EACCES, "no")

        monkeypatch.setattr(store_module, "make_directory", refused)
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the case
        spool_in(tmp_path)
    monkeypatch.undo()

    assert descriptors() == before
    if case == "no permission":
        spool_in(tmp_path).close()


def test_the_interval_is_kept_with_every_append(tmp_path, monkeypatch):
    """Once a second what was written is forced to the disk; "always" with each batch, "never" not at all."""
    synced = []
    monkeypatch.setattr("fapilog.delivery.spool.appender.sync_data", synced.append)
    clock = FakeClock()
    for sync, expected in (("interval", 2), ("always", 6), ("never", 0)):
        synced.clear()
        store = spool_in(tmp_path / sync, clock=clock, sync=sync)
        for _ in range(6):
            clock.advance(0.4)
            store.append(lines(1))
        assert len(synced) == expected
        crash(store)


def test_a_fork_leaves_the_parent_its_spool(tmp_path):
    """The child lets go, opens its own, and takes nothing over that lives."""
    store = spool_in(tmp_path)
    store.append(lines(3))
    pid = os.fork()
    if pid == 0:
        try:
            store.abandon_after_fork()
            store.open()
            store.append([b"child"])
            os._exit(0 if take(store) == [b"child"] else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    assert take(store) == lines(3)
    store.close()
    assert recover(tmp_path) == ([], 0)
