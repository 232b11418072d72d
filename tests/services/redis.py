"""A real `redis-server` that keeps what it acknowledged, also when it is killed."""

import json
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.services.process import ProcessServer

DEADLINE_SECONDS = 20.0
COMMAND = "redis-server"
_PAGE = 5000


class RedisServer(ProcessServer):
    """One server with a data folder of its own, synchronised before it answers (`appendfsync always`).

    Args:
        folder: Where its data is.
        extra: More arguments, such as `--maxmemory 1mb`.

    Attributes:
        url: Its address.
    """

    def __init__(self, folder: Path, *extra: str) -> None:
        """Choose a free port."""
        super().__init__(folder)
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._extra = extra

    def command(self) -> Sequence[str]:
        """Return the command of the server."""
        command = [shutil.which(COMMAND) or COMMAND, "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self.folder), "--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        return [*command, *self._extra]

    def answers(self) -> bool:
        """Tell whether it has loaded its data."""
        try:
            return bool(self.call("PING") == b"PONG")
        except (OSError, RuntimeError, ValueError):
            return False

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
