"""The shop as a process of its own: started by uvicorn, watched, stopped by SIGTERM."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

DEBUG_TOKEN = "demo-token"  # noqa: S105 - it guards a server on the loopback for a few seconds
START_SECONDS = 15.0
STOP_SECONDS = 15.0
GENTLE_SECONDS = 3.0
LOOK_AGAIN_SECONDS = 0.02
LINES_SHOWN_AT_MOST = 150
STOPPED_BY_SIGTERM = (0, -signal.SIGTERM)  # uvicorn ends itself by the signal that it was asked to stop with


class DemoFailedError(Exception):
    """Something did not happen, or not in time; the message is for a person."""


class ShopServer:
    """One uvicorn process with the shop. Use it as an async context manager; at the end nothing is left running.

    Attributes:
        url: Where it listens.
        log_file: The JSON file that it writes.
        showing: Whether its output is passed on to ours.
        lines_seen: How many lines it has printed.
    """

    def __init__(self, folder: Path, *, showing: bool = True, collector: str | None = None) -> None:
        """Choose a free port and files in ``folder``; nothing is started yet.

        Args:
            folder: Where its files are.
            showing: Whether its output is passed on to ours.
            collector: Where it exports log records and spans to over OTLP; None exports nothing.
        """
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_file = folder / "shop.jsonl"
        self.showing = showing
        self.lines_seen = 0
        self._lines_shown = 0
        self._folder = folder
        self._collector = collector
        self._output = ""
        self._printed = asyncio.Event()
        self._relay: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start the process and wait until it accepts connections."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "uvicorn", "example_app.main:app", "--port", str(self.port)),
            env=self._environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._relay = asyncio.create_task(self._pass_output_on())
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await self._accepts():  # noqa: ASYNC110 - another process sets no event of ours
                    await asyncio.sleep(LOOK_AGAIN_SECONDS)
        except TimeoutError:
            await self._end()
            raise DemoFailedError(f"the shop did not listen on {self.url} within {START_SECONDS} s") from None
        except BaseException:
            await self._end()  # Ctrl-C while it starts
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process if it still runs: after an error gently first, so that its log can be read."""
        if error is not None and self._process.returncode is None:
            self.showing = True
            self._process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), GENTLE_SECONDS)
        await self._end()

    async def stop(self) -> int:
        """Ask it to stop, wait until it has, and return its exit status (negative: the signal that ended it).

        Raises:
            DemoFailedError: If it does not stop in time, or not as a server does after SIGTERM.
        """
        self._process.terminate()
        try:
            status = await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except TimeoutError:
            raise DemoFailedError(f"the shop was still running {STOP_SECONDS} s after SIGTERM") from None
        if self._relay is not None:
            await self._relay
        if status not in STOPPED_BY_SIGTERM:
            raise DemoFailedError(f"the shop ended with status {status}")
        return status

    async def saw(self, text: str, seconds: float = 10.0) -> None:
        """Wait until the process has printed ``text``.

        Raises:
            DemoFailedError: If it has not within ``seconds``.
        """
        try:
            async with asyncio.timeout(seconds):
                while text not in self._output:
                    self._printed.clear()
                    await self._printed.wait()
        except TimeoutError:
            raise DemoFailedError(f"the log never showed {text!r}") from None

    def drain_report(self) -> Path:
        """Return the file in which the process left its drain result."""
        return self._folder / f"drain-{self._process.pid}.json"

    def _environment(self) -> dict[str, str]:
        own = {
            "SHOP_DATABASE": str(self._folder / "shop.sqlite3"),
            "SHOP_LOG_FORMAT": "pretty",
            "SHOP_LOG_FILE": str(self.log_file),
            "SHOP_DEBUG_TOKEN": DEBUG_TOKEN,
            "SHOP_REPORT_FOLDER": str(self._folder),
        }
        if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
            own["FORCE_COLOR"] = "1"  # the shop writes into our pipe, we write to the terminal
        if self._collector is not None:
            own["OTEL_EXPORTER_OTLP_ENDPOINT"] = self._collector
        # What the demo says must not depend on, or reach, the collector of whoever runs it.
        rest = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "FASTAPI_OTEL_"))}
        return {**rest, **own}

    async def _accepts(self) -> bool:
        if self._process.returncode is not None:
            raise DemoFailedError(f"the shop ended at start with status {self._process.returncode}")
        return await accepts(self.port)

    async def _pass_output_on(self) -> None:
        if self._process.stdout is None:
            return
        async for line in self._process.stdout:
            self.lines_seen += 1
            text = line.decode(errors="replace")
            if not self.showing:
                continue
            self._output += text
            self._printed.set()
            self._lines_shown += 1
            if self._lines_shown <= LINES_SHOWN_AT_MOST:
                sys.stdout.write(text)

    async def _end(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._relay is not None:
            await self._relay


async def accepts(port: int) -> bool:
    """Tell whether something on the loopback accepts connections on ``port``."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


def free_port() -> int:
    """Return a port of the loopback on which nothing listens at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
