"""A process that keeps an HTTP receiver, and kills and starts it as it is told on its standard input.

``python -m benchmarks.restarts <folder>`` prints the receiver's URL, then obeys: ``kill`` and ``start`` without an
answer, ``sequences`` with the numbers of all events that arrived. A process of its own, so that waiting for the
receiver to start disturbs nobody who is being timed.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.venvs import ROOT
from tests.services.http import HttpServer


class Restarts:
    """That process, as its starter sees it.

    Attributes:
        url: Where the receiver is.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        """Wait until the receiver runs."""
        self._process = process
        self.url = self._answer()

    def tell(self, command: str) -> None:
        """Let the receiver be killed, or started again; returns at once."""
        if self._process.stdin is None:
            raise RuntimeError(command)
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def sequences(self) -> list[int]:
        """Return the numbers of all events that arrived, once earlier commands are done."""
        self.tell("sequences")
        numbers: list[int] = json.loads(self._answer())
        return numbers

    def _answer(self) -> str:
        if self._process.stdout is None:
            raise RuntimeError(self._process.args)
        return self._process.stdout.readline().strip()


@contextmanager
def restarting(folder: Path) -> Iterator[Restarts]:
    """Run the process beside the block."""
    command = [sys.executable, "-m", "benchmarks.restarts", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ourselves
        try:
            yield Restarts(process)
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.wait()


def main() -> None:
    """Obey until the input ends."""
    with HttpServer(Path(sys.argv[1])) as server:
        _say(server.url)
        for line in sys.stdin:
            command = line.strip()
            if command == "kill":
                server.kill()
            elif command == "start":
                server.start()
            else:
                _say(json.dumps([event["seq"] for event in server.received()]))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
