"""An HTTP receiver in a process of its own that keeps what it has acknowledged, also over a kill."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.services.process import ProcessServer, get_status, whole_lines


class HttpServer(ProcessServer):
    """Takes JSON lines or arrays by POST or PUT, plain, gzip or zstd; answers 204 when they are in a file.

    Attributes:
        url: Where to send.
    """

    def __init__(self, folder: Path) -> None:
        """Choose a port; nothing runs yet."""
        super().__init__(folder)
        self.url = f"http://127.0.0.1:{self.port}/ingest"

    def command(self) -> Sequence[str]:
        """Return the command of the application."""
        return [sys.executable, "-m", "tests.services.http_app", str(self.port), str(self.folder)]

    def answers(self) -> bool:
        """Tell whether it answers."""
        return get_status(self.port, "/") == 204

    def received(self) -> list[dict[str, Any]]:
        """Return the events that were kept, in the order they came."""
        return whole_lines(self.folder / "events.jsonl")

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests behind them: `method`, `path`, `headers`, and how many `events`."""
        return whole_lines(self.folder / "requests.jsonl")
