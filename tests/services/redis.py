"""A real `redis-server` that keeps what it acknowledged, also when it is killed."""

import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Self

DEADLINE_SECONDS = 20.0
COMMAND = "redis-server"
_PAGE = 5000


class RedisServer:
    """One server with a data folder of its own, synchronised before it answers (`appendfsync always`).

    Args:
        folder: Where its data is.
        extra: More arguments, such as `--maxmemory 1mb`.

    Attributes:
        port: Its loopback port, the same after a restart.
        url: Its address.
    """

    def __init__(self, folder: Path, *extra: str) -> None:
        """Choose a free port."""
        self.folder = folder
        self.port = _free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._extra = extra
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it has loaded its data and answers."""
        command = [shutil.which(COMMAND) or COMMAND, "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self.folder), "--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen([*command, *self._extra], stdout=log, stderr=log)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"redis did not start: {(self.folder / 'server.log').read_text()[-2000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it at once, as a machine that fails; the data stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it."""
        self.kill()

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()

    def call(self, *command: str | bytes | int, at: socket.socket | None = None) -> Any:
        """Send one command and return its answer: bytes, an int, None, or a list of those.

        Raises:
            RuntimeError: If the answer is an error.
        """
        if at is None:
            with socket.create_connection(("127.0.0.1", self.port), DEADLINE_SECONDS) as own:
                return self.call(*command, at=own)
        parts = [part if isinstance(part, bytes) else str(part).encode() for part in command]
        at.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts))
        with at.makefile("rb") as answer:
            return _read(answer)

    def entries(self, key: str = "fapilog") -> list[dict[str, str]]:
        """Return the fields of all entries of a stream, in its order."""
        found: list[dict[str, str]] = []
        first = b"-"
        while page := self.call("XRANGE", key, first, "+", "COUNT", _PAGE):
            for _, fields in page:
                texts = [field.decode() for field in fields]
                found.append(dict(zip(texts[::2], texts[1::2], strict=True)))
            first = b"(" + page[-1][0]
        return found

    def received(self, key: str = "fapilog") -> list[dict[str, Any]]:
        """Return the events of a stream, in its order."""
        return [json.loads(entry["event"]) for entry in self.entries(key)]

    def _answers(self) -> bool:
        try:
            return bool(self.call("PING") == b"PONG")
        except (OSError, RuntimeError, ValueError):
            return False


def _read(stream: Any) -> Any:
    line = stream.readline()
    kind, rest = line[:1], line[1:-2]
    if kind == b"+":
        return rest
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if rest == b"-1" else stream.read(int(rest) + 2)[:-2]
    if kind == b"*":
        return None if rest == b"-1" else [_read(stream) for _ in range(int(rest))]
    raise RuntimeError(line.decode("utf-8", "replace"))


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
