"""The toolkit's own voice: counted always, said once a window, never a line that somebody else wrote."""

import os
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.diagnostics import WINDOW_SECONDS, Diagnostics, attempt, describe, describe_place, one_line, type_name
from tests.odd_values import Raising


class Clock:
    """Stands still until told."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def time_ns(self) -> int:
        return int(self.seconds * 1e9)

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def diagnostics(clock, said) -> Diagnostics:
    return Diagnostics(clock, said.append)


def test_attempt_gives_the_result_or_the_exception() -> None:
    """One of the two is always None."""
    error = ValueError("no")

    def fail(*_: object) -> None:
        raise error

    assert attempt(max, 1, 2) == (2, None)
    assert attempt(fail, 1) == (None, error)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_request_to_stop_passes_through(error) -> None:
    """Ctrl-C is no error of a plug-in."""

    def stop() -> None:
        raise error

    with pytest.raises(error):
        attempt(stop)


def test_a_kind_is_said_once_a_window_with_the_count_of_the_rest(diagnostics, clock, said) -> None:
    """L9: a sink that raises a thousand times a second is one line a minute."""
    for _ in range(1000):
        diagnostics.report("sink.file", "disk full")
    clock.seconds = WINDOW_SECONDS - 0.001
    diagnostics.report("sink.file", "disk full")
    clock.seconds = WINDOW_SECONDS
    diagnostics.report("sink.file", "still full")

    assert said == ["fapilog: sink.file: disk full\n", "fapilog: sink.file: still full (1001 times since last said)\n"]
    assert diagnostics.counts() == {"sink.file": 1002}


def test_kinds_do_not_silence_each_other(diagnostics, said) -> None:
    """Each has a window of its own."""
    diagnostics.report("a", "1")
    diagnostics.report("b", "2")

    assert said == ["fapilog: a: 1\n", "fapilog: b: 2\n"]


def test_the_last_reports_are_kept_with_their_time(diagnostics, clock) -> None:
    """What the debug route lists; bounded, and a copy."""
    for number in range(60):
        clock.seconds = float(number)
        diagnostics.report("kind", f"text {number}")

    recent = diagnostics.recent()
    assert [report.text for report in recent] == [f"text {number}" for number in range(10, 60)]
    assert recent[-1].time_ns == 59_000_000_000
    recent.clear()
    assert len(diagnostics.recent()) == 50


def test_a_report_is_one_line_whatever_is_in_it(diagnostics, said) -> None:
    """3.7.1, H6: a path or an answer of a server cannot forge a line or control the terminal."""
    diagnostics.report("sink", "x\nfapilog: forged\r\x1b[2J\x9b1m\u202e\u2028" + "y" * 10_000)

    assert len(said) == 1
    assert said[0].isprintable() is False
    assert said[0][:-1].isprintable()
    assert len(said[0]) < 600


@given(st.text())
def test_a_line_holds_nothing_that_a_terminal_obeys(text) -> None:
    """Whatever the text, what is left can be printed."""
    line = one_line(text)

    assert line.isprintable()
    assert len(line) <= 500


def test_a_guarded_plug_in_is_reported_and_its_exception_returned(diagnostics, said) -> None:
    """The caller decides what follows; the application sees nothing."""
    result, error = diagnostics.guard("stage", int, "ten")

    assert result is None
    assert isinstance(error, ValueError)
    assert said == ["fapilog: stage: ValueError: invalid literal for int() with base 10: 'ten'\n"]
    assert diagnostics.guard("stage", int, "10") == (10, None)
    assert diagnostics.counts() == {"stage": 1}


def test_a_voice_that_raises_is_no_reason_to_fail(clock) -> None:
    """R20, D10: standard error may be closed."""
    diagnostics = Diagnostics(clock, lambda _: 1 / 0)

    diagnostics.report("kind", "text")

    assert diagnostics.counts() == {"kind": 1}


def test_a_report_from_within_a_report_does_not_lock_up(clock) -> None:
    """R16, R17: the writer itself may end up here, in the same thread."""
    said: list[str] = []

    def write(line: str) -> None:
        said.append(line)
        diagnostics.report("other", "from within")

    diagnostics = Diagnostics(clock, write)
    diagnostics.report("kind", "text")

    assert diagnostics.counts() == {"kind": 1, "other": 2}
    assert len(said) == 2


def test_a_report_while_the_lock_is_held_does_not_lock_up(diagnostics, clock) -> None:
    """R16: a signal handler or a finaliser may log in the middle of anything, in the same thread."""
    inside = iter([True])

    def time_ns() -> int:
        if next(inside, False):
            diagnostics.report("other", "from a signal handler")
        return 0

    clock.time_ns = time_ns
    diagnostics.report("kind", "text")

    assert diagnostics.counts() == {"kind": 1, "other": 1}


def test_no_report_is_lost_between_threads(diagnostics) -> None:
    """Counts are exact."""
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        for _ in range(1000):
            diagnostics.report("kind", "text")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert diagnostics.counts() == {"kind": 8000}


def test_reset_starts_over_with_a_free_lock(diagnostics, said) -> None:
    """Finding 5: a forked child may have inherited the lock held by a thread that it does not have."""
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with diagnostics._lock:
            held.set()
            release.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    try:
        diagnostics.reset()
        diagnostics.report("kind", "in the child")
    finally:
        release.set()
        holder.join()

    assert diagnostics.counts() == {"kind": 1}
    assert said == ["fapilog: kind: in the child\n"]


def test_an_exception_is_described_on_one_line() -> None:
    """P39, X10: whatever its ``__str__`` does."""

    class Odd(Exception):
        def __str__(self) -> str:
            raise OSError

    class Str(str):
        __slots__ = ()

        def __getitem__(self, _: object) -> str:
            raise OSError

    class Sly(Exception):
        def __str__(self) -> str:
            return Str("text\nof two lines")

    assert describe(ValueError("a\nb")) == "ValueError: a b"
    assert describe(ValueError()) == "ValueError"
    assert describe(Odd()) == "Odd: <unprintable: OSError>"
    assert describe(Sly()) == "Sly: text of two lines"
    assert len(describe(ValueError("x" * 10**6))) < 600


def test_the_name_of_a_type_is_not_the_metaclass_to_decide() -> None:
    """X10: a metaclass may raise when it is asked."""

    class Meta(type):
        @property
        def __name__(cls) -> str:
            raise OSError

    class Odd(metaclass=Meta):
        pass

    assert type_name(Odd()) == "Odd"
    assert type_name(Raising(OSError())) == "Raising"


@pytest.mark.parametrize(
    ("setup", "expected"),
    [
        ("", b"fapilog: kind: text\n"),
        ("sys.stderr = io.StringIO()", b""),
        ("sys.stderr = None", b""),
        ("sys.stderr = sys.__stderr__ = None", b""),
        ("os.close(2)", b""),
        ("sys.stderr = io.StringIO(); sys.stderr.close()", b""),
    ],
)
def test_standard_error_is_used_as_the_program_left_it(setup, expected) -> None:
    """Replaced, closed or gone: the program goes on, and a reused descriptor is not written to."""
    code = f"import io, os, sys; from fapilog.diagnostics import Diagnostics; {setup or 'pass'}\n"
    code += "d = Diagnostics(); d.report('kind', 'text'); assert d.counts() == {'kind': 1}; print('on')"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=60, env=os.environ)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == b"on"
    assert done.stderr == expected


def test_the_system_clock_is_the_default(said) -> None:
    """Without a clock of a test the time is now."""
    diagnostics = Diagnostics(write=said.append)
    before = time.time_ns()

    diagnostics.report("kind", "text")

    assert before <= diagnostics.recent()[0].time_ns <= time.time_ns()
    assert said == ["fapilog: kind: text\n"]


def test_nothing_is_said_with_a_secret_in_it(clock, said) -> None:
    """Not in the text, not in the name of the kind, not in what is kept, and not by a piece at the cut."""
    secret = "hunter2" * 5
    diagnostics = Diagnostics(clock, said.append, lambda text: text.replace(secret, "***"))
    diagnostics.report(f"sink {secret}", f"cannot reach {secret}")
    for before in (0, 470, 485, 495, 499):
        diagnostics.guard("sink", _raise, ValueError("x" * before + secret))
        clock.seconds += WINDOW_SECONDS
    assert said[0] == "fapilog: sink ***: cannot reach ***\n"
    assert "hunter" not in str((said, diagnostics.counts(), diagnostics.recent()))


def test_a_secret_of_several_lines_is_seen_as_such(clock, said) -> None:
    """Scrubbing comes before lines are joined."""
    block = "-----BEGIN X-----\nabc\n-----END X-----"
    diagnostics = Diagnostics(clock, said.append, lambda text: text.replace(block, "***"))
    diagnostics.guard("sink", _raise, ValueError(f"key:\n{block}"))
    assert said == ["fapilog: sink: ValueError: key: ***\n"]


def test_what_cannot_be_scrubbed_is_withheld(clock, said) -> None:
    """Only the type of what the redactor raised is told, and nothing of the text."""
    diagnostics = Diagnostics(clock, said.append, lambda text: _raise(RuntimeError(text)))
    diagnostics.report("sink", "hunter2")
    assert said == ["fapilog: <withheld: RuntimeError>: <withheld: RuntimeError>\n"]


def test_of_a_private_plug_in_only_type_and_place_are_said(diagnostics, said) -> None:
    """The innermost place: where it was raised, not where it was called."""
    result, error = diagnostics.guard_private("filter mine", _raise, ValueError("hunter2"))
    assert (result, type(error)) == (None, ValueError)
    line = _raise.__code__.co_firstlineno + 1
    assert said == [f"fapilog: filter mine: ValueError at test_diagnostics.py:{line}\n"]
    assert describe_place(ValueError("never raised")) == "ValueError"


def _raise(error: Exception) -> str:
    raise error
