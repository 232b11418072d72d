"""The journal when a process dies, forks or has no room, each in a real child. R, D: rows of the fault matrix.

The witness: a child writes the number of a record to a pipe only after its append has returned. Whatever ends
it, each number that came through the pipe is found again, or was settled before.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.engine.journals import crash, journal_in, lines, recover

pytestmark = pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the journal needs Linux")

HEAD = """
import faulthandler, os, signal, sys, threading, time
faulthandler.dump_traceback_later(40, exit=True)
from fapilog.diagnostics import Diagnostics
from fapilog.engine.journal.options import JournalOptions
from fapilog.engine.journal.store import Journal
journal = Journal(JournalOptions(sys.argv[1], max_bytes="8 MB", segment_bytes="64 KB"), "app")
def witness(*numbers):
    os.write(1, b"".join(b"%d\\n" % number for number in numbers))
"""


def start(script: str, directory: Path, *args: object) -> subprocess.Popen[bytes]:
    # From 3.12 on a fork beside threads, which is what is tested, is warned of.
    command = [
        sys.executable,
        "-W",
        "ignore:This process:DeprecationWarning",
        "-c",
        HEAD + textwrap.dedent(script),
        str(directory),
        *map(str, args),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def end(child: subprocess.Popen[bytes]) -> tuple[int, list[int], str]:
    """Wait for a child and return its exit code, what it witnessed, and its standard error."""
    out, err = child.communicate(timeout=60)
    return child.returncode, [int(line) for line in out.split(b"\n")[:-1]], err.decode()


APPENDING = """
    journal.open()
    number = 0
    while True:
        assert journal.append(b"%d" % number, 20)
        witness(number)
        number += 1
        if number == 3000:
            END
"""


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("os._exit(0)", 0),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("faulthandler.disable(); import ctypes; ctypes.string_at(0)", -signal.SIGSEGV),
        ("os.abort()", -signal.SIGABRT),
        ("raise SystemExit", 0),
    ],
)
def test_however_a_process_ends_nothing_is_lost(tmp_path, ending, code):
    """R1, R4, R5: all 3000 records, in order, and nothing else."""
    returned, seen, err = end(start(APPENDING.replace("END", ending), tmp_path))

    assert returned == code, err
    assert seen == list(range(3000))
    assert recover(tmp_path) == [b"%d" % number for number in range(3000)]
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("seed", range(6))
def test_sigkill_at_any_time_loses_nothing_that_was_not_settled(tmp_path, seed):
    """R3: records are settled, segments made, used again and deleted all the while, by eight threads and a worker."""
    script = """
        import collections, random
        arrived, done = collections.deque(), []
        sys.setswitchinterval(1e-4)
        journal.open()
        def work(thread):
            number = thread
            while True:
                ticket = journal.append((b"%d " % number).ljust(random.randrange(20, 900)), 20)
                if ticket is None:
                    time.sleep(0.001)
                    continue
                witness(number)
                arrived.append((number, ticket))
                number += 8
        for thread in range(8):
            threading.Thread(target=work, args=(thread,), daemon=True).start()
        while True:
            # Up to 4 KiB a write to a pipe is whole, and does not mix with those of other threads.
            records = [arrived.popleft() for _ in range(min(len(arrived), 400))]
            if records:
                # What is about to be settled is told first, as numbers below zero.
                witness(*(-1 - number for number, _ in records))
                journal.claim([ticket for _, ticket in records]).settle()
            journal.tend()
            time.sleep(0.002)
    """
    child = start(script, tmp_path)
    stdout = child.stdout
    assert stdout is not None
    wanted = random.Random(seed).randrange(10_000, 400_000)
    out = b""
    while len(out) < wanted and (piece := stdout.read1(65536)):
        out += piece
    child.kill()
    out += stdout.read()
    child.communicate(timeout=60)
    numbers = [int(line) for line in out.split(b"\n")[:-1]]
    assert all(b"-" not in line[1:] for line in out.split(b"\n"))
    settled = {-1 - number for number in numbers if number < 0}
    found = [int(line.split()[0]) for line in recover(tmp_path)]

    assert {number for number in numbers if number >= 0} - settled <= set(found)
    assert len(found) == len(set(found))
    for thread in range(8):
        own = [number for number in found if number % 8 == thread]
        assert own == sorted(own)
    assert os.listdir(tmp_path) == []


def test_two_processes_share_a_directory(tmp_path):
    """D8: each has its own place in it; neither takes what the other is still writing."""
    script = """
        journal.open()
        for number in range(2000):
            journal.append(b"%s %d" % (sys.argv[2].encode(), number), 20)
            if number % 200 == 0:
                recovery = journal.recover()
                assert recovery.read(10) == []
                recovery.close()
        witness(1)
        signal.pause()
    """
    children = [start(script, tmp_path, name) for name in ("a", "b", "c")]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == b"1\n"
    assert recover(tmp_path) == []
    for child in children:
        child.kill()
        child.communicate(timeout=60)
    found = recover(tmp_path)

    for name in ("a", "b", "c"):
        own = [line for line in found if line.startswith(name.encode())]
        assert own == [f"{name} {number}".encode() for number in range(2000)]
    assert len(found) == 6000


def test_of_several_that_start_at_once_each_record_goes_to_one(tmp_path):
    """Dead processes' directories are taken over by whoever has the lock first."""
    for number in range(12):
        journal = journal_in(tmp_path)
        for line in lines(50, number * 50):
            journal.append(line, 20)
        crash(journal)
    script = """
        journal.open()
        recovery = journal.recover()
        while records := recovery.read(20):
            witness(*(int(record.payload.split(b",")[0][5:]) for record in records))
            recovery.settle()
        journal.close()
    """
    results = [end(child) for child in [start(script, tmp_path) for _ in range(4)]]
    found = [number for _, seen, _ in results for number in seen]

    assert [(code, err) for code, _, err in results] == [(0, "")] * 4
    assert sorted(found) == list(range(600))
    assert os.listdir(tmp_path) == []


def test_a_forked_child_has_a_journal_of_its_own(tmp_path):
    """R10: both write, neither spoils the other's, and a parent that is killed does not wait for its child's end."""
    script = """
        journal.open()
        os.register_at_fork(after_in_child=journal.after_fork)
        stop = False
        def work():
            number = 0
            while not stop:
                journal.append(b"parent %d" % number, 20)
                number += 1
                witness(number)
                time.sleep(0.0005)
        thread = threading.Thread(target=work)
        thread.start()
        for count in range(20):
            if not os.fork():
                assert not journal.is_open
                assert journal.append(b"refused", 20) is None
                journal.open()
                for number in range(100):
                    journal.append(b"child %d %d" % (count, number), 20)
                if count == 19:
                    os.write(2, b"%d" % os.getpid())
                    os.close(1)
                    os.close(2)
                    signal.pause()
                os._exit(0)
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    code, seen, err = end(start(script, tmp_path))
    try:
        found = recover(tmp_path)
        assert code == -signal.SIGKILL
        assert len(os.listdir(tmp_path)) == 1  # that of the child that still lives
    finally:
        os.kill(int(err), signal.SIGKILL)
    parent = [line for line in found if line.startswith(b"parent")]

    assert [b"parent %d" % number for number in range(len(seen))] == parent[: len(seen)]
    assert len(parent) <= len(seen) + 1
    for count in range(19):
        own = [line for line in found if line.startswith(b"child %d " % count)]
        assert own == [b"child %d %d" % (count, number) for number in range(100)]


@pytest.mark.parametrize("call", ["unlink", "pwrite", "rmdir", "close"])
def test_a_crash_at_any_step_of_a_recovery_converges(tmp_path, call):
    """D14: killed before the n-th such call, and again; what was not settled is found by the next."""
    expected = lines(1500)
    journal = journal_in(tmp_path)
    for line in expected:
        journal.append(line, 20)
    crash(journal)
    script = f"""
        calls, real = 0, os.{call}
        def counted(*args, **kwargs):
            global calls
            calls += 1
            if calls == int(sys.argv[2]):
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)
        os.{call} = counted
        recovery = journal.recover()
        while records := recovery.read(200):
            witness(*(int(record.payload.split(b",")[0][5:]) for record in records))
            recovery.settle()
    """
    seen: list[int] = []
    for number in (1, 1, 2, 3, 4):
        code, more, err = end(start(script, tmp_path, number))
        assert code in (0, -signal.SIGKILL), err
        seen += more
    rest = [int(line.split(b",")[0][5:]) for line in recover(tmp_path)]

    assert sorted(set(seen + rest)) == list(range(1500))
    assert os.listdir(tmp_path) == []


FULL = """
    said = []
    journal = Journal(JournalOptions(sys.argv[1], max_bytes="8 MB", segment_bytes="64 KB"), "app",
                      Diagnostics(write=said.append))
    journal.open()
    kept = 0
    for number in range(30_000):
        if journal.append(b"%0200d" % number, 20):
            kept += 1
        journal.tend()
    witness(kept, len(said), "No space" in said[0] or "too large" in said[0])
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root to mount")
def test_a_full_file_system_refuses_and_kills_nobody(tmp_path):
    """D16: on a tmpfs of 1 MiB what fits is kept, the rest is refused and said once, without SIGBUS."""
    program = tmp_path / "program.py"
    program.write_text(HEAD + textwrap.dedent(FULL))
    where = tmp_path / "mounted"
    where.mkdir()
    command = 'mount -t tmpfs -o size=1m none "$1" || exit 77; exec "$2" "$3" "$1"'
    arguments = ["unshare", "-m", "sh", "-c", command, "sh", where, sys.executable, program]
    done = subprocess.run(arguments, capture_output=True, timeout=60, check=False)
    if done.returncode in (1, 77):
        pytest.skip("this system does not let us mount")
    kept, said, named = map(int, done.stdout.split())

    assert (done.returncode, said, named) == (0, 1, 1), done.stderr
    assert 0 < kept < 30_000


def test_a_limit_on_file_sizes_refuses_and_kills_nobody(tmp_path):
    """D3: RLIMIT_FSIZE below a segment; the engine would go on without a journal."""
    script = """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    """
    code, seen, err = end(start(textwrap.dedent(script) + textwrap.dedent(FULL), tmp_path))

    assert (code, seen) == (0, [0, 1, 1]), err
    assert os.listdir(tmp_path) == []
