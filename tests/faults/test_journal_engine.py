"""The engine with a journal when its process dies, hangs, forks or has no room. R, D: rows of the fault matrix.

The witness: a child writes the number of an event to a pipe only after its log call has returned. Whatever ends
it, each number that came through the pipe is in the sink's file then, or is delivered by the next start.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the journal needs Linux")

CANARY = "hunter2canary"
HEAD = """
import faulthandler, os, signal, sys, threading, time
faulthandler.dump_traceback_later(50, exit=True)
import fapilog
from fapilog import LoggerBuilder, bind_context
CANARY = "hunter2" + "canary"
def witness(*numbers):
    os.write(3, b"".join(b"%d\\n" % number for number in numbers))
class Own:
    name = "own"
    format = None
    async def open(self): pass
    async def close(self): pass
class Slow(Own):
    def write(self, batch): time.sleep(0.02)
class Hung(Own):
    def write(self, batch): time.sleep(3600)
class Failing(Own):
    def write(self, batch): raise OSError(CANARY + "_p")
class Awaited(Own):
    async def write(self, batch):
        import asyncio
        await asyncio.sleep(0.01)
class Nothing(Own):
    blocks = False
    def write(self, batch): pass
def mask(event):
    event["text"] = str(event.get("text", "")).replace(CANARY, "***")
    return event
def enrich(event):
    return {"text2": CANARY, "password": CANARY}
def redact_text2(event):
    return {key: value for key, value in event.items() if key != "text2"}
def builder(*sinks):
    b = LoggerBuilder().with_preset("hardened").with_journal("journal", max_bytes="8 MB", segment_bytes="64 KB")
    b = b.add_file("app.log", name="file").with_redaction(patterns=(CANARY + "_p",)).with_service("app")
    for sink in sinks:
        b = b.add_sink(sink)
    return b
"""
NEXT = """
logger = builder().build()
logger.info("the next start")
result = logger.drain(30)
assert not result.timed_out, result
assert result.in_flight == 0
assert result.submitted == result.delivered + result.dropped + result.failed + result.filtered
"""


def start(script: str, directory: Path, *args: object) -> tuple[subprocess.Popen[bytes], int]:
    """Start a child in a directory; return it, and the descriptor on which it witnesses."""
    reader, writer = os.pipe()
    inner = f"import os; os.dup2({writer}, 3); os.set_inheritable(3, False)\n" if writer != 3 else ""
    command = [sys.executable, "-W", "error", "-c", inner + HEAD + textwrap.dedent(script), *map(str, args)]
    with (directory / "err").open("ab") as err:
        child = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=err, cwd=directory, pass_fds=(writer,), close_fds=True
        )
    os.close(writer)
    return child, reader


def run(script: str, directory: Path, *args: object) -> tuple[int, list[int]]:
    """Run a child to its end; return its exit code and what it witnessed."""
    child, reader = start(script, directory, *args)
    with os.fdopen(reader, "rb") as pipe:
        seen = [int(line) for line in pipe.read().split()]
    return child.wait(60), seen


def next_start(directory: Path) -> None:
    code, _ = run(NEXT, directory)
    assert code == 0, (directory / "err").read_text()


def events(directory: Path) -> list[dict[str, Any]]:
    """Return what is in the file, but for a last line that a kill has cut."""
    found = []
    for line in (directory / "app.log").read_bytes().split(b"\n"):
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def no_canary_in(directory: Path) -> None:
    for path in directory.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path


LOGGING = """
    sinks = {"none": [], "slow": [Slow()], "hung": [Hung()], "failing": [Failing()], "awaited": [Awaited()]}
    b = builder(*sinks[sys.argv[1]])
    if sys.argv[2] == "own":
        b = b.with_redactor(mask).with_redactor(redact_text2).with_enricher(enrich)
    logger = b.build()
    bind_context(api_key=CANARY, user="u")
    def work(thread):
        log = logger.bind(secret=CANARY, thread=thread)
        number = thread
        while True:
            try:
                raise ValueError(CANARY + "_p")
            except ValueError:
                log.info("event " + CANARY + "_p", number=number, password=CANARY,
                         exc_info=number % 7 == 0, **({"text": CANARY} if sys.argv[2] == "own" else {}))
            witness(number)
            number += 4
            if number > 40_000:
                time.sleep(60)
    for thread in range(4):
        threading.Thread(target=work, args=(thread,), daemon=True).start()
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("sink", "redactor", "seed"),
    [(sink, ("built-in", "own")[seed % 2], seed) for seed, sink in enumerate(
        ["none", "none", "slow", "slow", "hung", "hung", "failing", "failing", "awaited"])],
)  # fmt: skip
def test_sigkill_at_any_time_loses_nothing(tmp_path: Path, sink: str, redactor: str, seed: int) -> None:
    """R3: every call that returned is in the file, or the next start puts it there; nothing unredacted is on the disk.

    What is there twice says so, and of each thread the order is kept.
    """
    child, reader = start(LOGGING, tmp_path, sink, redactor)
    wanted = random.Random(seed).randrange(200, 12_000)
    out = b""
    while len(out) < wanted and (piece := os.read(reader, 65536)):
        out += piece
    child.kill()
    while piece := os.read(reader, 65536):
        out += piece
    os.close(reader)
    child.wait(30)
    seen = {int(line) for line in out.split(b"\n")[:-1]}
    no_canary_in(tmp_path)
    next_start(tmp_path)
    no_canary_in(tmp_path)
    found = [event for event in events(tmp_path) if "number" in event]
    first = [event for event in found if not event.get("replayed")]
    again = [event for event in found if event.get("replayed")]

    assert seen
    # Callers wait 50 ms for a hung sink, then theirs is dropped, which is counted and nothing of the journal's.
    assert seen <= {event["number"] for event in found}
    for some in (first, again):
        assert len({event["number"] for event in some}) == len(some)
        for thread in range(4):
            own = [event["number"] for event in some if event["thread"] == thread]
            assert own == sorted(own)
    assert os.listdir(tmp_path / "journal") == []


@pytest.mark.parametrize(
    "ending",
    ["pass", "logger.drain(); os._exit(0)", "raise SystemExit(0)"],
)
def test_what_was_delivered_is_not_found_again(tmp_path: Path, ending: str) -> None:
    """R1, R4: after an end of any orderly kind the next start has nothing to tell."""
    script = """
        logger = builder().build()
        for number in range(500):
            logger.info("event", number=number)
    """
    code, _ = run(textwrap.dedent(script) + ending + "\n", tmp_path)
    next_start(tmp_path)

    assert code == 0
    assert [event["message"] for event in events(tmp_path)] == ["event"] * 500 + ["the next start"]
    assert os.listdir(tmp_path / "journal") == []


def test_a_shutdown_that_runs_out_of_time_is_made_good_by_the_next_start(tmp_path: Path) -> None:
    """D10: a hung sink costs the shutdown timeout; what it had not been given is delivered later, with the file's."""
    script = """
        logger = builder(Hung()).with_shutdown_timeout(0.3).build()
        for number in range(300):
            logger.info("event", number=number)
    """
    began = time.monotonic()
    code, _ = run(script, tmp_path)
    assert code == 0
    assert time.monotonic() - began < 10
    next_start(tmp_path)

    assert {event["number"] for event in events(tmp_path) if "number" in event} == set(range(300))
    assert "300 events" in (tmp_path / "err").read_text()


def test_a_kill_during_a_replay_leaves_the_rest_to_the_next(tmp_path: Path) -> None:
    """D14: as often as it happens; what is delivered twice was under way."""
    script = """
        logger = builder(Hung()).build()
        for number in range(3000):
            logger.info("event", number=number)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    replay = """
        class Killing(Own):
            seen = 0
            def write(self, batch):
                self.seen += len(batch.events)
                if self.seen > int(sys.argv[1]):
                    os.kill(os.getpid(), signal.SIGKILL)
        logger = builder(Killing()).build()
        logger.info("start")
        logger.drain(30)
        time.sleep(30)
    """
    assert run(script, tmp_path)[0] == -signal.SIGKILL
    for count in (10, 500, 1000):
        assert run(replay, tmp_path, count)[0] == -signal.SIGKILL
    next_start(tmp_path)
    found = [event["number"] for event in events(tmp_path) if "number" in event]

    assert set(found) == set(range(3000))
    assert os.listdir(tmp_path / "journal") == []


def test_a_forked_child_leaves_its_parents_journal_alone(tmp_path: Path) -> None:
    """R10: it neither adopts nor deletes it, and is found by itself; also when it ends before its parent."""
    script = """
        logger = builder(Hung()).with_shutdown_timeout(0.2).build()
        for number in range(200):
            logger.info("parent", number=number)
        before = sorted(os.listdir("journal"))
        for child in range(3):
            pid = os.fork()
            if not pid:
                for number in range(100):
                    logger.info("child", number=1000 * (child + 1) + number)
                if child == 2:
                    os.kill(os.getpid(), signal.SIGKILL)
                # What the exit hook does; faulthandler's own would wait for a thread that the fork has left behind.
                logger._engine().finish()
                os._exit(0)
            os.waitpid(pid, 0)
            assert before[0] in os.listdir("journal")
        for number in range(200, 400):
            logger.info("parent", number=number)
        witness(*range(400))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    code, seen = run(script, tmp_path)
    next_start(tmp_path)
    found = {event["number"] for event in events(tmp_path) if "number" in event}

    assert (code, seen) == (-signal.SIGKILL, list(range(400))), (tmp_path / "err").read_text()
    assert found == {*range(400), *(1000 * (child + 1) + number for child in range(3) for number in range(100))}
    assert os.listdir(tmp_path / "journal") == []


def test_processes_of_one_directory_take_nothing_from_one_another(tmp_path: Path) -> None:
    """D8: of two that live and are killed, each event is delivered once by the next start, whoever wrote it."""
    script = """
        logger = builder(Hung()).build()
        for number in range(300):
            logger.info("event", number=int(sys.argv[1]) + number)
        engine = logger._engine()
        # Who still looks when the other one dies takes it over, and rightly so.
        while engine._journaling._replay is None or engine._worker._replay is not None:
            time.sleep(0.001)
        witness(1)
        signal.pause()
    """
    pairs = [start(script, tmp_path, base) for base in (0, 1000)]
    for _, reader in pairs:
        assert os.read(reader, 10) == b"1\n"
    assert len(os.listdir(tmp_path / "journal")) == 2
    for child, reader in pairs:
        child.kill()
        child.wait(30)
        os.close(reader)
    next_start(tmp_path)
    replayed = [event["number"] for event in events(tmp_path) if event.get("replayed")]

    assert sorted(replayed) == [*range(300), *range(1000, 1300)]


def test_a_signal_handler_may_log_at_any_moment(tmp_path: Path) -> None:
    """R9: also inside a log call and inside the handler; what it logs is kept like all else.

    But for what meets the making of a segment on the same thread, in the handler or in the call that it interrupts:
    that is refused, and counted.
    """
    script = """
        import itertools
        logger = builder(Slow()).build()
        logger.info("event", number=0)
        count = itertools.count()
        def handler(*_):
            logger.info("signal", signal=next(count))
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
        for number in range(1, 3000):
            logger.info("event", number=number)
        signal.setitimer(signal.ITIMER_REAL, 0)
        figures = logger._engine().snapshot()
        refused = sum(figures["journal"]["refused"].values())
        witness(next(count), refused, sum(figures["dropped"].values()))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    code, seen = run(script, tmp_path)
    next_start(tmp_path)
    found = events(tmp_path)

    assert code == -signal.SIGKILL, (tmp_path / "err").read_text()
    logged, refused, dropped = seen
    numbers, signals = ({event[key] for event in found if key in event} for key in ("number", "signal"))
    assert numbers <= set(range(3000))
    assert 3000 - len(numbers) + logged - len(signals) <= refused + dropped < logged / 5


def test_a_hardened_engine_that_is_replaced_delivers_and_lets_go(tmp_path: Path) -> None:
    """``configure`` again and again: no event falls between, no descriptor and no directory is left."""
    script = """
        import gc
        logger = fapilog.get_logger("app")
        used = []
        for round in range(12):
            fapilog.configure(builder())
            for number in range(50):
                logger.info("event", number=50 * round + number)
            if round == 3 or round == 11:
                for _ in range(200):
                    gc.collect()
                    if threading.active_count() <= 4:
                        break
                    time.sleep(0.01)
                gc.collect()
                used.append(len(os.listdir("/proc/self/fd")))
        witness(used[1] - used[0], len(os.listdir("journal")))
    """
    code, seen = run(script, tmp_path)
    grown, directories = seen
    found = [event["number"] for event in events(tmp_path) if "number" in event]

    assert code == 0
    assert sorted(found) == list(range(600))
    assert grown <= 4
    assert directories <= 3
    assert os.listdir(tmp_path / "journal") == []


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root to mount")
def test_a_full_file_system_stops_nothing(tmp_path: Path) -> None:
    """D16: on a tmpfs of 1 MiB some is kept; all is delivered, the refusals are counted, and it is said once."""
    program = tmp_path / "program.py"
    script = """
        logger = builder(Slow()).with_journal("mounted", max_bytes="8 MB", segment_bytes="512 KB").build()
        for number in range(4000):
            logger.info("event", number=number, text="x" * 300)
        engine = logger._engine()
        result = logger.drain(30)
        refused = engine.snapshot()["journal"]["refused"]
        assert result.delivered + result.dropped == 4000, result
        assert result.in_flight == 0
        assert sum(refused.values()) > 0, refused
        assert set(refused) <= {"full", "closed"}, refused
    """
    program.write_text(HEAD + textwrap.dedent(script))
    (tmp_path / "mounted").mkdir()
    command = 'mount -t tmpfs -o size=1m none mounted || exit 77; exec "$1" "$2"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", command, "sh", sys.executable, program],
        capture_output=True, cwd=tmp_path, timeout=60, check=False,
    )  # fmt: skip
    if done.returncode in (1, 77) and b"Traceback" not in done.stderr:
        pytest.skip("this system does not let us mount")

    assert done.returncode == 0, done.stderr
    assert done.stderr.count(b"journal:") == 1


def test_a_sinks_own_events_at_the_last_drain_are_redacted(tmp_path: Path) -> None:
    """R7: what comes when the journal takes no more goes the usual way, past the redactors of the user as well."""
    script = """
        class Chatty(Own):
            def write(self, batch):
                if any(event["message"] == "event" for event in batch.events):
                    while not engine.queue.finalising:
                        time.sleep(0.001)
                    logger.info("from a sink", text=CANARY, text2=CANARY, password=CANARY)
        logger = builder(Chatty()).with_redactor(mask).with_redactor(redact_text2).build()
        engine = logger._engine()
        logger.info("event")
    """
    code, _ = run(script, tmp_path)

    assert code == 0
    assert "from a sink" in [event["message"] for event in events(tmp_path)]
    no_canary_in(tmp_path)
