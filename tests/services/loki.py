"""The strict stand-in for Loki in a process of its own that keeps what it has acknowledged, also over a kill."""

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import orjson

ROOT = Path(__file__).parents[2]
_START_SECONDS = 20.0
_STOP_SECONDS = 5.0


class LokiServer:
    """Takes pushes in JSON and protobuf; answers 204 when the entries are in a file.

    Attributes:
        url: Its base URL.
        port: Its port on 127.0.0.1; the same after a restart.
    """

    def __init__(self, folder: Path) -> None:
        """Choose a port; nothing runs yet."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, with what it has kept so far, and wait until it answers."""
        file = str(self._folder / "entries.jsonl")
        command = [sys.executable, "-m", "fapilog.testing.loki", "--port", str(self.port), "--file", file]
        environ = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=environ)
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"Loki does not start: {(self._folder / 'server.log').read_text()[-500:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it by SIGKILL, in the middle of whatever it does."""
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

    def received(self) -> list[dict[str, Any]]:
        """Return the events that were kept, in the order they came; an event that came again is kept once."""
        return [orjson.loads(line) for _, _, _, line, _ in self.entries()]

    def entries(self) -> list[list[Any]]:
        """Return the entries: tenant, labels, nanoseconds, line, structured metadata."""
        path = self._folder / "entries.jsonl"
        content = path.read_bytes() if path.exists() else b""
        return [orjson.loads(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.request("GET", "/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
