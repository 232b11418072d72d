"""``python -m fapilog``: what it prints, what it refuses, and where the token may come from."""

import contextlib
import io
import os
import pty
import subprocess
import sys
from typing import Any

import pytest

from fapilog._version import __version__
from fapilog.asgi.debug.auth import Token
from fapilog.asgi.debug.level_tokens import LevelTokens, Wish
from fapilog.cli import main
from fapilog.cli.secret import VARIABLE
from fapilog.levels import LevelTable

SECRET = "s3cret-token"


@pytest.fixture(autouse=True)
def _no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Return exit code, standard output and standard error."""
    code = main(arguments)
    written = capsys.readouterr()
    return code, written.out, written.err


def wish(value: str) -> Any:
    """Return what the console makes of a value."""
    return LevelTokens(Token(SECRET), LevelTable()).verify(value.encode())


@pytest.mark.parametrize(
    ("arguments", "level", "seconds"),
    [((), 10, 600), (("--level", "info", "--ttl", "1h"), 20, 3600), (("--level", "15", "--ttl", "90"), 15, 90)],
)
def test_level_token_prints_the_value_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: Any, level: int, seconds: int
) -> None:
    """So that ``curl -H "X-Log-Level: $(…)"`` works; the console takes it."""
    monkeypatch.setenv(VARIABLE, SECRET)

    code, out, err = run(capsys, "level-token", *arguments)

    assert (code, err) == (0, "")
    assert out.count("\n") == 1
    taken = wish(out.strip())
    assert isinstance(taken, Wish)
    assert taken.levelno == level
    assert seconds - 60 < taken.seconds_left <= seconds + 1


def test_the_token_comes_from_another_variable_or_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A variable that is named wins; without one, and without the usual one, a line of standard input."""
    monkeypatch.setenv("MINE", SECRET)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{SECRET}\nmore\n"))

    assert isinstance(wish(run(capsys, "level-token")[1].strip()), Wish)
    monkeypatch.setenv(VARIABLE, "another")
    assert isinstance(wish(run(capsys, "level-token", "--token-env", "MINE")[1].strip()), Wish)
    assert wish(run(capsys, "level-token")[1].strip()) == "wrong_signature"


def test_at_a_terminal_the_token_is_asked_for_and_not_shown() -> None:
    """Nobody looking over a shoulder, and no scrollback, gets it."""
    ours, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != VARIABLE}
    process = subprocess.Popen(
        [sys.executable, "-m", "fapilog", "level-token"],
        stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, env=environment, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while b"token: " not in shown:
        shown += os.read(ours, 1024)
    os.write(ours, f"{SECRET}\n".encode())
    out, _ = process.communicate(timeout=60)
    with contextlib.suppress(OSError):  # what a terminal raises whose other end is closed
        while more := os.read(ours, 1024):
            shown += more
    os.close(ours)

    assert process.returncode == 0
    assert isinstance(wish(out.decode().strip()), Wish)
    assert SECRET.encode() not in shown


@pytest.mark.parametrize(
    ("arguments", "token", "said"),
    [
        (("level-token",), None, "no token"),
        (("level-token",), "", "an empty string"),
        (("level-token",), "two words", "printable ASCII"),
        (("level-token", "--level", "LOUD"), SECRET, "'LOUD' is not known"),
        (("level-token", "--level", "9999"), SECRET, "not known"),
        (("level-token", "--ttl", "25h"), SECRET, "24 hours"),
        (("level-token", "--ttl", "soon"), SECRET, "a duration above zero"),
        (("level-token", "--token-env", "hunter2"), SECRET, "no environment variable of this name"),
        (("console-link", "--base", "nowhere"), SECRET, "scheme, host and port"),
    ],
)
def test_what_cannot_be_used_is_told_and_exits_with_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    token: str | None,
    said: str,
) -> None:
    """On standard error, in one line, without the token, and nothing on standard output."""
    if token is not None:
        monkeypatch.setenv(VARIABLE, token)

    code, out, err = run(capsys, *arguments)

    assert (code, out) == (2, "")
    assert err.startswith(f"python -m fapilog {arguments[0]}: ")
    assert said in err
    assert err.count("\n") == 1
    assert not any(secret in err for secret in (SECRET, "two words", "hunter2"))


def test_console_link_prints_a_link(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """That opens once, at the address that was given."""
    monkeypatch.setenv(VARIABLE, SECRET)

    code, out, err = run(capsys, "console-link", "--base", "https://shop.example/", "--path", "/logs")

    assert (code, err) == (0, "")
    assert out.startswith("https://shop.example/logs?once=")
    assert SECRET not in out


def test_a_token_is_no_argument(capsys: pytest.CaptureFixture[str]) -> None:
    """Every user of a machine can list the arguments of all processes."""
    with pytest.raises(SystemExit) as left:
        main(["level-token", SECRET])

    assert left.value.code == 2


def test_alone_it_prints_help() -> None:
    """Which names every command; as a module of its own process."""
    done = subprocess.run([sys.executable, "-m", "fapilog"], capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")
    assert "level-token" in done.stdout
    assert "console-link" in done.stdout


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    """For a bug report."""
    with pytest.raises(SystemExit) as left:
        main(["--version"])

    assert left.value.code == 0
    assert capsys.readouterr().out == f"{__version__}\n"
