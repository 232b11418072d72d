"""uvicorn as somebody starts it from a shell, its stdout in a pipe."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

PATIENCE_SECONDS = 30.0
LOOK_AGAIN_SECONDS = 0.02
Event = dict[str, Any]


@dataclass(frozen=True)
class Stopped:
    """What a server leaves.

    Attributes:
        status: Its exit status; negative, the signal that ended it.
    """

    status: int
    stdout: str
    stderr: str

    def events(self) -> list[Event]:
        """Return the lines of stdout as events; fails on one that is not a JSON object of the schema."""
        events = [json.loads(line) for line in self.stdout.splitlines()]
        for event in events:
            assert list(event)[:4] == ["timestamp", "level", "logger", "message"]
        return events


class Server:
    """``python -m uvicorn TARGET`` in ``folder``; nothing of it runs on after the ``with`` block.

    Attributes:
        client: Talks to it.
    """

    def __init__(
        self,
        folder: Path,
        target: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        port: int | None = None,
    ) -> None:
        self.port = port or free_port()
        self._folder = folder
        self._command = self.command(target, *arguments)
        self._env = {**os.environ, **(env or {})}
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE_SECONDS, trust_env=False)

    def command(self, target: str, *arguments: str) -> list[str]:
        """Return what the shell would run."""
        return [sys.executable, "-m", "uvicorn", target, "--port", str(self.port), *arguments]

    def __enter__(self) -> Self:
        self._out, self._err = self._folder / "stdout", self._folder / "stderr"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._env,
                stdout=subprocess.PIPE,
                stderr=err,
                start_new_session=True,
            )
            # A real pipe: `uvicorn … | cat > stdout`.
            self._cat = subprocess.Popen(["/bin/cat"], stdin=self._process.stdout, stdout=out)
        if self._process.stdout is not None:
            self._process.stdout.close()
        try:
            self.wait_for(self._accepts, "accepts no connection")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def pid(self) -> int:
        """Return the process id of the process that the shell would see."""
        return self._process.pid

    def stop(self, sign: int = signal.SIGTERM) -> Stopped:
        """Send a signal and wait until it has ended and its output is complete."""
        self._process.send_signal(sign)
        try:
            status = self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running {PATIENCE_SECONDS} s after the signal; {self._said()}") from None
        self._cat.wait(PATIENCE_SECONDS)
        return Stopped(status, self._out.read_text("utf-8"), self._err.read_text("utf-8"))

    def stall_reader(self, stalled: bool) -> None:
        """Stop whoever reads its stdout from reading, or let it go on."""
        self._cat.send_signal(signal.SIGSTOP if stalled else signal.SIGCONT)

    def printed(self) -> str:
        """Return its stdout so far."""
        return self._out.read_text("utf-8")

    def complained(self) -> str:
        """Return its stderr so far."""
        return self._err.read_text("utf-8")

    def wait_for(self, condition: Callable[[], bool], otherwise: str) -> None:
        """Look at another process until ``condition`` holds; fails with its output if it does not in time."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert self._process.poll() is None, f"ended with {self._process.returncode}; {self._said()}"
            assert time.monotonic() < deadline, f"{otherwise}; {self._said()}"
            time.sleep(LOOK_AGAIN_SECONDS)

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), PATIENCE_SECONDS).close()
        except ConnectionRefusedError:
            return False
        return True

    def _said(self) -> str:
        return f"stdout: {self._out.read_text('utf-8')[-4000:]}\nstderr: {self._err.read_text('utf-8')[-4000:]}"

    def _end(self) -> None:
        self.client.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # its workers too: the session is its own
        self._process.wait()
        if self._cat.poll() is None:
            self._cat.kill()
        self._cat.wait()


def free_port() -> int:
    """Return a port of the loopback on which nothing listens at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
