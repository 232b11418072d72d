"""The journal of a living process: appending, settling, using room again, refusing, forking."""

import os
import stat
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.diagnostics import Diagnostics
from fapilog.durable import directories
from fapilog.engine.journal import files, store
from fapilog.engine.journal.options import JournalOptions
from fapilog.engine.journal.store import Journal
from fapilog.errors import ConfigError
from fapilog.testing import FakeClock
from tests.engine.journals import SMALL, SPAN, crash, journal_in, lines, recover, segments, settle

pytestmark = pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the journal needs Linux")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"directory": ""}, "with_journal(directory)"),
        ({"directory": 5}, "with_journal(directory)"),
        ({"directory": b"x"}, "with_journal(directory)"),
        ({"directory": "a\0b"}, "with_journal(directory)"),
        ({"max_bytes": 0}, "with_journal(max_bytes)"),
        ({"max_bytes": "999 KB"}, "with_journal(max_bytes)"),
        ({"max_bytes": True}, "with_journal(max_bytes)"),
        ({"max_bytes": None}, "with_journal(max_bytes)"),
        ({"segment_bytes": "1 KB"}, "with_journal(segment_bytes)"),
        ({"segment_bytes": "33 MB"}, "with_journal(segment_bytes)"),
        ({"max_bytes": "1 GB", "segment_bytes": "65 MB"}, "with_journal(segment_bytes)"),
        ({"segment_bytes": []}, "with_journal(segment_bytes)"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(options, named):
    """The error says the method and the parameter."""
    with pytest.raises(ConfigError) as caught:
        JournalOptions(**options)
    assert str(caught.value).startswith(named)


def test_a_segment_is_a_sixteenth_of_the_whole():
    """At most 4 MB, at least 64 KB, whole pages; the whole is never more than was allowed."""
    assert JournalOptions().segment_size == 4_000_000 // 4096 * 4096
    assert JournalOptions(max_bytes="1 MB").segment_size == 64_000 // 4096 * 4096
    for size in (1_000_000, 5_000_000, 10**9):
        options = JournalOptions(max_bytes=size)
        assert options.segments * options.segment_size <= size


def test_what_is_settled_is_not_found_again(tmp_path):
    """And what is not is: the watermark is where the first record stands that is not settled."""
    journal = journal_in(tmp_path)
    tickets = [journal.append(line, 20) for line in lines(10)]
    early, late = journal.claim(tickets[:4]), journal.claim(tickets[4:6])
    late.settle()
    journal.tend()
    crash(journal)
    assert recover(tmp_path, settle=False) == lines(10)
    recover(tmp_path)

    journal.open()
    tickets = [journal.append(line, 20) for line in lines(10)]
    early, late = journal.claim(tickets[:4]), journal.claim(tickets[4:6])
    late.settle()
    early.settle()
    journal.tend()
    crash(journal)
    assert recover(tmp_path) == lines(4, 6)


def test_closing_deletes_what_is_settled(tmp_path):
    """Nothing is left of a process that ended well; what a sink has not taken stays for the next start."""
    journal = journal_in(tmp_path)
    settle(journal, [journal.append(line, 20) for line in lines(10)])
    journal.close()
    assert os.listdir(tmp_path) == []

    journal.open()
    tickets = [journal.append(line, 20) for line in lines(10)]
    settle(journal, tickets[:7])
    journal.close()
    journal.open()
    assert recover(tmp_path) == lines(3, 7)
    journal.close()
    assert os.listdir(tmp_path) == []


def test_a_closed_journal_keeps_nothing_and_says_so(tmp_path):
    """Not opened yet, or closed again: None, counted."""
    journal = Journal(JournalOptions(tmp_path), "app")
    assert journal.append(b"x", 20) is None
    journal.tend()
    journal.close()
    journal.open()
    journal.close()
    assert journal.append(b"x", 20) is None
    assert journal.figures() == {"open": False, "bytes": 0, "waiting_bytes": 0, "refused": {"closed": 2}}


def test_tickets_of_a_former_opening_are_no_one_elses(tmp_path):
    """A slow sink settles events of before a drain after the journal was opened again."""
    journal = journal_in(tmp_path)
    old = [journal.append(line, 20) for line in lines(10)]
    journal.close()
    journal.open()
    new = [journal.append(line, 20) for line in lines(10, 10)]
    assert not set(old) & set(new)
    settle(journal, old)
    journal.discard(old[0])
    journal.tend()
    crash(journal)

    assert recover(tmp_path) == lines(20)


def test_room_is_used_again(tmp_path):
    """Ten times what fits goes through a journal whose worker keeps up, on at most two files more than are in use."""
    journal = journal_in(tmp_path)
    for begin in range(0, 100_000, 1000):
        tickets = [journal.append(line, 20) for line in lines(1000, begin)]
        assert None not in tickets
        settle(journal, tickets)

    assert len(segments(tmp_path)) <= 5
    assert journal.figures()["waiting_bytes"] == 0
    assert journal.figures()["bytes"] == sum(path.stat().st_size for path in segments(tmp_path))
    journal.close()
    assert os.listdir(tmp_path) == []


def test_a_full_journal_refuses_and_overwrites_nothing(tmp_path):
    """What was kept is kept; refused records are counted, and once there is room records are taken again."""
    journal = journal_in(tmp_path)
    kept = []
    for number, line in enumerate(lines(20_000)):
        ticket = journal.append(line, 20)
        if ticket is not None:
            kept.append((number, line, ticket))
    refused = journal.figures()["refused"]["full"]
    assert refused == 20_000 - len(kept) > 0
    assert [number for number, _, _ in kept] == list(range(len(kept)))
    assert sum(path.stat().st_size for path in segments(tmp_path)) <= SMALL["max_bytes"]

    settle(journal, [ticket for _, _, ticket in kept[: len(kept) // 2]])
    more = lines(2000, 50_000)
    assert None not in [journal.append(line, 20) for line in more]
    crash(journal)
    assert recover(tmp_path) == [line for _, line, _ in kept[len(kept) // 2 :]] + more


def test_a_record_that_fits_no_segment_is_refused(tmp_path):
    """Nor is one of no bytes taken; both are counted, and the next one has its place."""
    journal = journal_in(tmp_path)
    largest = b"x" * (SPAN - 24)

    assert journal.append(largest + b"x", 20) is None
    assert journal.append(b"", 20) is None
    assert journal.refused == {"too_large": 2}
    journal.append(b"before", 20)
    assert journal.append(largest, 20) is not None
    journal.append(b"after", 20)
    crash(journal)
    assert recover(tmp_path) == [b"before", largest, b"after"]


@pytest.mark.parametrize("level", [0, -5, 10**12])
def test_any_level_number_is_taken(tmp_path, level):
    """Records of other libraries have odd ones; the call does not fail for it."""
    journal = journal_in(tmp_path)

    assert journal.append(b"x", level) is not None


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 30_000), max_size=60), st.data())
def test_whatever_sizes_come_all_that_was_kept_is_found(tmp_path_factory, sizes, data):
    """Also over the ends of segments, with records settled, discarded and refused in between."""
    root = tmp_path_factory.mktemp("sizes")
    journal = journal_in(root)
    waiting = []
    for number, size in enumerate(sizes):
        payload = (b"%d:" % number).ljust(size, b"x")
        ticket = journal.append(payload, 20)
        if ticket is not None:
            waiting.append((ticket, payload))
        match data.draw(st.sampled_from(["nothing", "settle", "discard"])):
            case "settle":
                settle(journal, [ticket for ticket, _ in waiting])
                waiting.clear()
            case "discard" if len(waiting) == 1:
                journal.discard(waiting.pop()[0])
                journal.tend()
    crash(journal)

    assert recover(root) == [payload for _, payload in waiting]


def test_sixteen_threads_lose_and_mix_nothing(tmp_path):
    """Each record is found once, whole, and each thread's in its order, also while the worker settles others."""
    journal = journal_in(tmp_path, max_bytes="20 MB", segment_bytes="256 KB")
    stop = threading.Event()
    settled: list[int] = []
    done: list[list[tuple[int, bytes]]] = [[] for _ in range(16)]
    interval = sys.getswitchinterval()

    def work(own, thread):
        for number in range(1500):
            payload = b"%d %d " % (thread, number) + b"x" * (number % 300)
            own.append((journal.append(payload, 20), payload))

    def tend():
        while not stop.is_set():
            tickets = [own[0][0] for own in done if own and own[0][0] is not None and own[0][0] not in settled]
            settled.extend(tickets)
            settle(journal, tickets)

    sys.setswitchinterval(1e-5)
    try:
        worker = threading.Thread(target=tend)
        threads = [threading.Thread(target=work, args=(own, thread)) for thread, own in enumerate(done)]
        for thread in [worker, *threads]:
            thread.start()
        for thread in threads:
            thread.join()
        stop.set()
        worker.join()
    finally:
        sys.setswitchinterval(interval)
    crash(journal)
    found = recover(tmp_path)
    expected = {payload for own in done for ticket, payload in own if ticket not in settled}

    assert None not in [ticket for own in done for ticket, _ in own]
    assert len(found) == len(set(found))
    assert expected <= set(found)
    assert set(found) <= {payload for own in done for _, payload in own}
    for thread in range(16):
        numbers = [int(line.split()[1]) for line in found if line.startswith(b"%d " % thread)]
        assert numbers == sorted(numbers)


def test_without_the_interpreter_lock_positions_are_taken_under_a_lock(tmp_path, monkeypatch):
    """R22: on a free-threaded build the one step that has to be whole is made so."""
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    journal = journal_in(tmp_path)
    for line in lines(2000):
        journal.append(line, 20)
    crash(journal)

    assert journal._reserve == journal._reserve_locked
    assert recover(tmp_path) == lines(2000)


def test_an_interrupted_append_holds_nothing_up(tmp_path):
    """R15: KeyboardInterrupt between taking a position and writing to it; after some seconds it is given up."""
    clock = FakeClock()
    journal = journal_in(tmp_path, clock)
    journal._reserve(64, 1)
    tickets = [journal.append(line, 20) for line in lines(3)]
    settle(journal, tickets)
    assert journal.figures()["waiting_bytes"] > 0

    clock.advance(11)
    journal.tend()
    assert journal.figures()["waiting_bytes"] == 0
    journal.close()
    assert os.listdir(tmp_path) == []


def test_a_segment_in_which_something_was_given_up_is_not_used_again(tmp_path):
    """Whoever was to write there may still come, and must not write over what stands there by then."""
    clock = FakeClock()
    journal = journal_in(tmp_path, clock)
    journal._reserve(64, 1)
    late = journal._maps[min(journal._maps)]
    tickets = [journal.append(line, 20) for line in lines(2000)]
    settle(journal, tickets)
    clock.advance(11)
    journal.tend()

    assert late not in journal._maps.values()
    assert late not in journal._spare
    assert late.name not in [path.name for path in segments(tmp_path)]
    late.memory[200] = 1  # still there for whoever has it


def test_a_log_call_inside_an_append_is_taken_or_refused(tmp_path, monkeypatch):
    """R16: a signal handler or destructor that logs while a segment is made neither deadlocks nor spoils anything."""
    journal = journal_in(tmp_path)
    inner: list[int | None] = []

    class Nested(files.Segment):
        def __init__(self, *args):
            inner.append(journal.append(b"inner" * 100, 20))
            super().__init__(*args)

    monkeypatch.setattr(store, "Segment", Nested)
    while not inner:
        journal.append(lines(1)[0], 20)
    for line in lines(100):
        journal.append(line, 20)
    crash(journal)

    assert inner == [None]
    assert journal.refused == {}  # a new one: the process "died"
    assert recover(tmp_path)[-100:] == lines(100)


def test_a_destructor_that_logs_at_any_step_of_an_append_spoils_nothing(tmp_path):
    """A re-entrant call at every line of the fast path."""
    journal = journal_in(tmp_path)
    count = 0

    def trace(frame, event, arg):
        nonlocal count
        if frame.f_code is not Journal.append.__code__:
            return None
        if event == "line":
            sys.settrace(None)
            journal.append(b"inner %d" % count, 20)
            count += 1
            sys.settrace(trace)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        outer = [b"outer %d" % number for number in range(20)]
        for payload in outer:
            journal.append(payload, 20)
    finally:
        sys.settrace(before)
    crash(journal)
    found = recover(tmp_path)

    assert count >= 200
    assert sorted(found) == sorted(outer + [b"inner %d" % number for number in range(count)])
    assert [line for line in found if line.startswith(b"outer")] == outer


def test_files_are_private_and_close_on_exec(tmp_path):
    """R14: nobody else may read what waits there, and no other program inherits it."""
    before = set(os.listdir("/proc/self/fd"))
    old = os.umask(0)
    try:
        journal = journal_in(tmp_path / "deep" / "journal")
    finally:
        os.umask(old)
    [directory] = (tmp_path / "deep" / "journal").iterdir()

    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()] == [0o600, 0o600]
    new = [int(fd) for fd in set(os.listdir("/proc/self/fd")) - before if os.path.exists(f"/proc/self/fd/{fd}")]
    assert new
    assert not any(os.get_inheritable(fd) for fd in new)
    journal.close()


def test_the_default_directory_is_one_for_each_service(monkeypatch, tmp_path):
    """Under the state directory of the user, with a name that leads nowhere else."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert Journal(JournalOptions(), "shop").root == tmp_path / "fapilog" / "shop"
    assert Journal(JournalOptions(), "../../etc").root == tmp_path / "fapilog" / "_.._etc"
    assert Journal(JournalOptions(), "").root == tmp_path / "fapilog" / "service"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/someone")
    assert Journal(JournalOptions(), "shop").root == Path("/home/someone/.local/state/fapilog/shop")


@pytest.mark.parametrize("fault", ["no room", "network", "no system", "a file", "symbolic link"])
def test_a_place_that_cannot_serve_is_refused_and_said(tmp_path, monkeypatch, fault):
    """The engine goes on without; nothing is left behind."""
    root = tmp_path / "journal"
    expected = fault

    def full(*args):
        raise OSError(28, "No space left on device")

    match fault:
        case "no room":
            monkeypatch.setattr(os, "posix_fallocate", full)
            expected = "No space left on device"
        case "network":
            monkeypatch.setattr(files, "file_system", lambda path: "nfs4")
            expected = "file system of type nfs4"
        case "no system":
            monkeypatch.delattr(os, "posix_fallocate")
            expected = "the journal needs Linux"
        case "a file":
            root.write_text("")
            expected = "FileExistsError"
        case _:
            (tmp_path / "real").mkdir()
            root.symlink_to(tmp_path / "real")
            monkeypatch.setattr(os, "geteuid", lambda: 12345)
            monkeypatch.setattr(directories, "_ROOT_UID", 12345)
            expected = "another user's symbolic link" if os.getuid() != 12345 else ""
    said: list[str] = []
    journal = Journal(JournalOptions(root, **SMALL), "app", Diagnostics(FakeClock(), said.append))

    assert not journal.open()
    assert not journal.is_open
    assert journal.append(b"x", 20) is None
    assert expected in said[0]
    assert str(root) in said[0]
    assert not root.is_dir() or os.listdir(root) == []


def test_a_disk_that_fills_up_later_is_said_and_tried_again(tmp_path, monkeypatch):
    """D1: what was kept stays; once a second another segment is tried, and then records are kept again."""
    clock, said = FakeClock(), []
    journal = journal_in(tmp_path, clock, said)
    real, full = os.posix_fallocate, True

    def fallocate(*args):
        if full:
            raise OSError(28, "No space left on device")
        real(*args)

    monkeypatch.setattr(os, "posix_fallocate", fallocate)
    kept = [line for line in lines(2000) if journal.append(line, 20) is not None]
    journal.tend()
    assert kept == lines(len(kept))
    assert 0 < len(kept) < 2000
    assert len(said) == 1
    assert "No space left" in said[0]

    full = False
    journal.tend()
    assert journal.append(b"too early", 20) is None
    clock.advance(2)
    journal.tend()
    assert journal.append(b"again", 20) is not None
    assert len(segments(tmp_path)) <= 3
    crash(journal)
    assert recover(tmp_path) == [*kept, b"again"]


def test_a_directory_that_is_removed_under_it_is_survived(tmp_path):
    """D6: what is mapped stays usable, growing is refused and said, closing does not fail."""
    said: list[str] = []
    journal = journal_in(tmp_path, said=said)
    [directory] = tmp_path.iterdir()
    for path in directory.iterdir():
        path.unlink()
    directory.rmdir()
    taken = [journal.append(line, 20) for line in lines(2000)]
    journal.tend()
    journal.close()

    assert taken[0] is not None
    assert taken[-1] is None
    assert "FileNotFoundError" in said[0]


def test_the_next_segment_is_ready_before_it_is_needed(tmp_path, monkeypatch):
    """The worker makes it once the current one is half full, so that no caller has to."""
    journal = journal_in(tmp_path)
    makers: set[str] = set()
    inside = False

    class Watched(files.Segment):
        def __init__(self, *args):
            makers.add("worker" if inside else "caller")
            super().__init__(*args)

    monkeypatch.setattr(store, "Segment", Watched)
    for line in lines(5000):
        journal.append(line, 20)
        inside = True
        journal.tend()
        inside = False

    assert makers == {"worker"}


def test_the_file_system_of_a_path_is_known(tmp_path):
    """From the system's table of mounts; of what it does not tell nothing is assumed."""
    assert files.file_system(Path("/proc")) == "proc"
    assert isinstance(files.file_system(tmp_path), str)
