"""rotel, an OpenTelemetry collector, as a process of its own, and what comes out of it.

    shop ──OTLP: log records, spans──► rotel ──OTLP──► Receiver, a thread of the demo: what the demo looks at

rotel has no exporter to files, so what it exports is received here.
"""

import asyncio
import contextlib
import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from example_app.demo.server import DemoFailedError, accepts, free_port

START_SECONDS = 15.0
STOP_SECONDS = 10.0
LOOK_AGAIN_SECONDS = 0.02
LOGS_PATH, SPANS_PATH = "/v1/logs", "/v1/traces"


def why_not() -> str | None:
    """Return why there is no collector here; None if there is one."""
    if find_spec("rotel") is None:
        return "rotel is not installed (its wheels are for Python 3.11 only)"
    return None


class Receiver(ThreadingHTTPServer):
    """Takes OTLP over HTTP on a free port of the loopback and keeps it. Thread-safe."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen; requests are answered by :meth:`serve_forever`."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[tuple[str, bytes]] = []

    def records(self) -> list[tuple[str, LogRecord]]:
        """Return the log records that arrived, each after its scope, which is the logger's name."""
        requests = [ExportLogsServiceRequest.FromString(body) for path, body in self.bodies if path == LOGS_PATH]
        return [
            (scope_logs.scope.name, record)
            for request in requests
            for resource_logs in request.resource_logs
            for scope_logs in resource_logs.scope_logs
            for record in scope_logs.log_records
        ]

    def spans(self) -> list[Span]:
        """Return the spans that arrived."""
        requests = [ExportTraceServiceRequest.FromString(body) for path, body in self.bodies if path == SPANS_PATH]
        return [
            span
            for request in requests
            for resource_spans in request.resource_spans
            for scope_spans in resource_spans.scope_spans
            for span in scope_spans.spans
        ]


class _Handler(BaseHTTPRequestHandler):
    """One connection of the collector."""

    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Keep the body and say that it was taken."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers["content-encoding"] == "gzip":
            body = gzip.decompress(body)
        self.server.bodies.append((self.path, body))
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Be silent."""


class Collector:
    """rotel and the receiver behind it. Use it as an async context manager; at the end nothing is left running.

    Attributes:
        endpoint: Where it takes OTLP over HTTP: the value of ``OTEL_EXPORTER_OTLP_ENDPOINT``.
        receiver: What came out of it.
    """

    def __init__(self, folder: Path) -> None:
        """Choose free ports; nothing is started yet."""
        self._port, self._grpc_port = free_port(), free_port()
        self.endpoint = f"http://127.0.0.1:{self._port}"
        self.receiver = Receiver()
        self._folder = folder
        self._thread = threading.Thread(target=self.receiver.serve_forever, args=(LOOK_AGAIN_SECONDS,), daemon=True)

    async def __aenter__(self) -> Self:
        """Start both and wait until rotel accepts connections."""
        self._thread.start()
        spec = find_spec("rotel")
        program = Path(spec.origin if spec and spec.origin else "").with_name("rotel-agent")
        with (self._folder / "rotel.out").open("wb") as out:
            self._process = await asyncio.create_subprocess_exec(
                program, "start", env=self._environment(), stdout=out, stderr=out
            )
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await accepts(self._port):
                    self._check_runs()
                    await asyncio.sleep(LOOK_AGAIN_SECONDS)
        except TimeoutError:
            await self._end()
            raise DemoFailedError(f"rotel did not listen on {self.endpoint} within {START_SECONDS} s") from None
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End both."""
        await self._end()

    async def stop(self) -> None:
        """Ask it to stop and wait until it has: on SIGTERM it hands on what it holds.

        Raises:
            DemoFailedError: If it does not stop in time, or had ended before.
        """
        self._check_runs()
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except TimeoutError:
            raise DemoFailedError(f"rotel was still running {STOP_SECONDS} s after SIGTERM") from None

    def _check_runs(self) -> None:
        if self._process.returncode is not None:
            raise DemoFailedError(f"rotel ended with status {self._process.returncode}")

    def _environment(self) -> dict[str, str]:
        return {
            "ROTEL_OTLP_HTTP_ENDPOINT": f"127.0.0.1:{self._port}",
            "ROTEL_OTLP_GRPC_ENDPOINT": f"127.0.0.1:{self._grpc_port}",
            "ROTEL_PID_FILE": str(self._folder / "rotel.pid"),
            "ROTEL_LOG_FILE": str(self._folder / "rotel.log"),
            "ROTEL_EXPORTER": "otlp",
            "ROTEL_OTLP_EXPORTER_PROTOCOL": "http",
            "ROTEL_OTLP_EXPORTER_ENDPOINT": f"http://127.0.0.1:{self.receiver.server_port}",
            "ROTEL_BATCH_TIMEOUT": "50ms",
        }

    async def _end(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        await asyncio.to_thread(self.receiver.shutdown)
        self.receiver.server_close()
