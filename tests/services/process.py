"""What the servers share that are one process on one port: start and wait, kill, stop."""

import contextlib
import http.client
import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import orjson

ROOT = Path(__file__).parents[2]
_START_SECONDS = 20.0
_STOP_SECONDS = 5.0


class ProcessServer:
    """A server of one process; :meth:`command` and :meth:`answers` say which.

    Args:
        folder: Where its data and its log are; made if it is missing.

    Attributes:
        folder: The same.
        port: Its port on 127.0.0.1; the same after a restart.
    """

    environ: Mapping[str, str] = {}

    def __init__(self, folder: Path) -> None:
        """Choose a port; nothing runs yet."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def command(self) -> Sequence[str]:
        """Return what is to be run, from the root of the repository."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Tell whether it is there."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it, with what it has kept so far, and wait until it answers."""
        log_file = self.folder / "server.log"
        environ = {**os.environ, **self.environ}
        with log_file.open("ab") as log:
            self._process = subprocess.Popen(list(self.command()), cwd=ROOT, stdout=log, stderr=log, env=environ)
        deadline = time.monotonic() + _START_SECONDS
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{type(self).__name__} does not start: {log_file.read_text()[-1000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it by SIGKILL, in the middle of whatever it does; what it has kept stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it by SIGTERM."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
            self.kill()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def get_status(port: int, path: str) -> int:
    """Return with which status a path is answered, 0 if nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def whole_lines(path: Path) -> list[Any]:
    """Return the values of a file of JSON lines, without one at the end that a kill has torn."""
    content = path.read_bytes() if path.exists() else b""
    return [orjson.loads(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]
