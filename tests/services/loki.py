"""The strict stand-in for Loki in a process of its own that keeps what it has acknowledged, also over a kill."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from tests.services.process import ROOT, ProcessServer, get_status, whole_lines


class LokiServer(ProcessServer):
    """Takes pushes in JSON and protobuf; answers 204 when the entries are in a file.

    Attributes:
        url: Its base URL.
    """

    environ: Mapping[str, str] = {"PYTHONPATH": str(ROOT / "src")}

    def __init__(self, folder: Path) -> None:
        """Choose a port; nothing runs yet."""
        super().__init__(folder)
        self.url = f"http://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        """Return the command of the strict server."""
        file = str(self.folder / "entries.jsonl")
        return [sys.executable, "-m", "fapilog.testing.loki", "--port", str(self.port), "--file", file]

    def answers(self) -> bool:
        """Tell whether it is ready."""
        return get_status(self.port, "/ready") == 200

    def received(self) -> list[dict[str, Any]]:
        """Return the events that were kept, in the order they came; an event that came again is kept once."""
        return [orjson.loads(line) for _, _, _, line, _ in self.entries()]

    def entries(self) -> list[list[Any]]:
        """Return the entries: tenant, labels, nanoseconds, line, structured metadata."""
        return whole_lines(self.folder / "entries.jsonl")
