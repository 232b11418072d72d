"""How a process ends, forks and hangs, each in a real child process. R, D: rows of the project's fault matrix."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

posix = pytest.mark.skipif(os.name != "posix", reason="fork and signals are POSIX")


def start(script: str, *args: str, **options: Any) -> subprocess.Popen[str]:
    """Start a child that dumps its stacks and ends if it hangs."""
    head = "import faulthandler; faulthandler.dump_traceback_later(40, exit=True)\n"
    command = [sys.executable, "-c", head + textwrap.dedent(script), *args]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)


def run(script: str, *args: str, **options: Any) -> tuple[int, str, str]:
    """Run a child to its end and return its exit code, standard output and standard error."""
    child = start(script, *args, stdout=subprocess.PIPE, **options)
    out, err = child.communicate(timeout=60)
    return child.returncode, out, err


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("ending", ["pass", "import sys; sys.exit(3)", "raise RuntimeError('uncaught')"])
def test_an_exit_of_any_kind_flushes(tmp_path: Path, ending: str) -> None:
    """P32: a normal end, sys.exit and an uncaught exception lose nothing."""
    path = tmp_path / "app.log"
    script = """
        import fapilog, sys
        logger = fapilog.LoggerBuilder().add_file(sys.argv[1]).build()
        for number in range(1000):
            logger.info("event", number=number)
    """
    code, _, err = run(textwrap.dedent(script) + ending, str(path))
    assert code == {"pass": 0}.get(ending, 3 if "exit" in ending else 1), err
    assert [event["number"] for event in events(path)] == list(range(1000))


def test_an_event_after_the_last_drain_is_counted_and_said_once(tmp_path: Path) -> None:
    """R7: callbacks that run before ours are delivered, those after it are told on one line of standard error."""
    path = tmp_path / "app.log"
    script = """
        import atexit, sys
        atexit.register(lambda: [logger.info("after") for _ in range(100)])
        import fapilog
        logger = fapilog.LoggerBuilder().add_file(sys.argv[1]).build()
        atexit.register(lambda: logger.info("before"))
        logger.info("event")
    """
    code, _, err = run(script, str(path))
    assert (code, [event["message"] for event in events(path)]) == (0, ["event", "before"])
    assert err.count("\n") == 1
    assert "after the last drain" in err


@posix
def test_a_hung_standard_output_holds_up_neither_the_file_nor_the_exit(tmp_path: Path) -> None:
    """D10: nobody reads the pipe; the file has every event and the process ends after its shutdown timeout."""
    path = tmp_path / "app.log"
    script = """
        import fapilog, sys
        logger = fapilog.LoggerBuilder().with_shutdown_timeout(0.5).add_stdout("json").add_file(sys.argv[1]).build()
        for number in range(5000):
            logger.info("x" * 100, number=number)
    """
    began = time.monotonic()
    child = start(script, str(path), stdout=subprocess.PIPE)
    assert child.wait(30) == 0
    assert time.monotonic() - began < 10
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    assert "fapilog: drain: of 5000 events:" in child.stderr.read()
    child.stderr.close()
    assert [event["number"] for event in events(path)] == list(range(5000))


def test_a_slow_sink_is_given_its_time_and_the_rest_is_counted(tmp_path: Path) -> None:
    """R6: what is written at the end and what is counted as lost make up what was submitted."""
    path = tmp_path / "result.json"
    script = """
        import fapilog, json, sys, time
        class Slow:
            name = "slow"
            written = 0
            async def open(self): pass
            async def close(self): pass
            async def write(self, batch):
                import asyncio
                await asyncio.sleep(0.01 * len(batch))
                Slow.written += len(batch)
        logger = fapilog.LoggerBuilder().with_batch(max_events=5).add_sink(Slow()).build()
        for number in range(500):
            logger.info("event")
        result = logger.drain(1.0)
        json.dump([result.delivered, Slow.written, result.dropped, result.failed, result.in_flight,
                   result.duration_seconds], open(sys.argv[1], "w"))
    """
    code, _, err = run(script, str(path))
    assert code == 0, err
    delivered, written, dropped, failed, in_flight, seconds = json.loads(path.read_text())
    assert delivered == written > 0
    assert delivered + dropped + failed + in_flight == 500
    assert in_flight <= 5
    assert seconds < 4


@posix
def test_a_forked_child_starts_fresh_and_the_parent_keeps_its_own(tmp_path: Path) -> None:
    """P31, R10: while a thread logs, children are forked; each event is written once, by the process that logged it."""
    path = tmp_path / "app.log"
    script = """
        import fapilog, os, sys, threading
        logger = fapilog.LoggerBuilder().with_backpressure("wait", None).add_file(sys.argv[1]).build()
        stop = threading.Event()
        def busy():
            number = 0
            while not stop.is_set():
                logger.info("parent", number=number, by=os.getpid())
                number += 1
                stop.wait(0.0005)
        thread = threading.Thread(target=busy)
        thread.start()
        children = []
        for number in range(30):
            child = os.fork()
            if not child:
                logger.info("child", number=number, by=os.getpid())
                logger.drain()
                os._exit(0)
            children.append(child)
        codes = [os.waitpid(child, 0)[1] for child in children]
        stop.set()
        thread.join()
        sys.exit(any(codes))
    """
    code, _, err = run(script, str(path))
    assert code == 0, err
    written = events(path)
    assert all(event["pid"] == event["by"] for event in written)
    parent = [event["number"] for event in written if event["message"] == "parent"]
    assert parent == list(range(len(parent)))
    assert Counter(e["number"] for e in written if e["message"] == "child") == Counter(range(30))


@posix
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_multiprocessing_child_drains_when_it_ends(tmp_path: Path, method: str) -> None:
    """R11: such children end without running atexit; nothing they logged is lost."""
    module = tmp_path / "work.py"
    module.write_text(
        textwrap.dedent("""
            import multiprocessing, sys
            import fapilog
            def configure():
                fapilog.configure(builder=fapilog.LoggerBuilder().add_file(sys.argv[1]))
            def child(number):
                configure() if sys.argv[2] != "fork" else None
                logger = fapilog.get_logger("child")
                for count in range(100):
                    logger.info("event", number=number, count=count)
            if __name__ == "__main__":
                configure()
                fapilog.get_logger("parent").info("parent")
                context = multiprocessing.get_context(sys.argv[2])
                children = [context.Process(target=child, args=(number,)) for number in range(3)]
                [c.start() for c in children]
                [c.join() for c in children]
        """)
    )
    path = tmp_path / "app.log"
    command = [sys.executable, str(module), str(path), method]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    counts = Counter(event.get("number") for event in events(path))
    assert counts == {None: 1, 0: 100, 1: 100, 2: 100}


@posix
def test_sigkill_loses_no_more_than_the_queue(tmp_path: Path) -> None:
    """R3, R4: what was flushed before is whole; the file has no torn line but perhaps the last."""
    path = tmp_path / "app.log"
    script = """
        import fapilog, os, sys
        logger = fapilog.LoggerBuilder().add_file(sys.argv[1]).build()
        number = 0
        while True:
            logger.info("event", number=number)
            number += 1
            if number % 1000 == 0:
                logger.flush()
                print(number, flush=True)
    """
    child = start(script, str(path), stdout=subprocess.PIPE)
    assert child.stdout is not None
    flushed = 0
    while flushed < 3000:
        flushed = int(child.stdout.readline())
    os.kill(child.pid, signal.SIGKILL)
    rest = [int(line) for line in child.stdout.read().split()]
    child.wait()
    child.stdout.close()
    assert child.stderr is not None
    child.stderr.close()
    lines = path.read_bytes().split(b"\n")
    numbers = [json.loads(line)["number"] for line in lines[:-1]]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= max([flushed, *rest])


@posix
def test_an_interrupt_at_any_point_leaves_no_lock_and_no_half_record(tmp_path: Path) -> None:
    """R15, R16: signal handlers log and raise in the middle of log calls on a full queue."""
    path = tmp_path / "app.log"
    script = """
        import fapilog, signal, sys, json
        logger = fapilog.LoggerBuilder().with_queue(50, reserve=5).with_backpressure("wait", 0.001)
        logger = logger.add_file(sys.argv[1], max_bytes="1 GB").build()
        hits, inside = 0, False  # whether the interrupted code is where a Hit is caught
        class Hit(KeyboardInterrupt): pass
        def handler(number, frame):
            global hits, inside
            hits += 1
            logger.info("from the handler", hit=hits)
            signal.setitimer(signal.ITIMER_REAL, 0.0007 if hits < 1000 else 0)
            if hits % 2 and inside:
                inside = False
                raise Hit
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        calls = 0
        def work():
            global calls
            while hits < 1000:
                logger.info("event", items=[calls])
                calls += 1
        while hits < 1000:
            try:
                inside = True
                work()  # a loop here would not be guarded where it jumps back, in CPython 3.13
            except Hit:
                pass
        result = logger.drain(10)
        json.dump([calls, hits, result.submitted, result.delivered, result.dropped, result.in_flight,
                   result.timed_out], sys.stdout)
    """
    code, out, err = run(script, str(path))
    assert code == 0, err
    calls, hits, submitted, delivered, dropped, in_flight, timed_out = json.loads(out)
    assert not timed_out
    assert (in_flight, submitted) == (0, delivered + dropped)
    # An interrupted call may or may not have left its event; every finished one has.
    assert calls <= submitted <= calls + 2 * hits + 1
    assert len(events(path)) == delivered


def test_threads_that_log_while_the_interpreter_ends_are_survived(tmp_path: Path) -> None:
    """R9: daemon threads in a loop, no crash and no hang."""
    path = tmp_path / "app.log"
    script = """
        import fapilog, sys, threading
        logger = fapilog.LoggerBuilder().add_file(sys.argv[1]).build()
        def loop():
            while True:
                logger.info("event", items=[1])
        for _ in range(8):
            threading.Thread(target=loop, daemon=True).start()
        logger.flush()
    """
    for _ in range(5):
        code, _, err = run(script, str(path))
        assert code == 0, err
        assert "Fatal" not in err


def test_without_a_thread_events_are_kept_for_the_last_drain(tmp_path: Path) -> None:
    """R8: the system gives no thread; the events are written when the process ends."""
    path = tmp_path / "app.log"
    script = """
        import fapilog, sys, threading
        def refused(self):
            raise RuntimeError("can't start new thread")
        logger = fapilog.LoggerBuilder().add_file(sys.argv[1]).build()
        threading.Thread.start = refused
        for number in range(100):
            logger.info("event", number=number)
    """
    code, _, err = run(script, str(path))
    assert code == 0, err
    assert [event["number"] for event in events(path)] == list(range(100))
    assert err.count("no background thread") == 1


_HUNG = """
import fapilog, sys, threading, time
class Hung:
    name, format, entered = "hung", None, threading.Event()
    async def open(self): pass
    async def close(self): pass
    def write(self, batch):
        self.entered.set()
        time.sleep(1000)
"""


def test_callers_that_wait_without_limit_do_not_hold_up_the_exit() -> None:
    """L8: the interpreter joins them before any exit hook runs; they give up after the shutdown timeout."""
    script = """
        builder = fapilog.LoggerBuilder().with_queue(capacity=2, reserve=0).with_backpressure("wait", None)
        logger = builder.with_shutdown_timeout(0.5).add_sink(Hung()).build()
        def work():
            for _ in range(50):
                logger.info("event")
        for _ in range(3):
            threading.Thread(target=work).start()
        assert Hung.entered.wait(20)
    """
    began = time.monotonic()
    code, _, err = run(_HUNG + textwrap.dedent(script))
    assert code == 0, err
    assert time.monotonic() - began < 20
    assert "of 150 events" in err


def test_engines_end_side_by_side() -> None:
    """Each hung one has its shutdown timeout, not one after the other."""
    script = """
        for _ in range(10):
            fapilog.LoggerBuilder().with_shutdown_timeout(2).add_sink(Hung()).build().info("event")
        assert Hung.entered.wait(20)
    """
    began = time.monotonic()
    code, _, err = run(_HUNG + textwrap.dedent(script))
    assert code == 0, err
    assert time.monotonic() - began < 15


def test_without_a_thread_several_sinks_are_written_at_the_end(tmp_path: Path) -> None:
    """R8: nobody gives their writers a thread either, so the last drain writes to them all."""
    path = tmp_path / "app.log"
    script = """
        import fapilog, sys, threading
        def refused(self):
            raise RuntimeError("can't start new thread")
        logger = fapilog.LoggerBuilder().add_stdout("json").add_file(sys.argv[1]).build()
        threading.Thread.start = refused
        for number in range(10):
            logger.info("event", number=number)
    """
    code, out, err = run(script, str(path))
    assert code == 0, err
    assert [event["number"] for event in events(path)] == list(range(10))
    assert out == path.read_text()
