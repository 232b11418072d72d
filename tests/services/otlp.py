"""Receivers of OTLP logs beside the test: a strict recorder, and rotel, a real collector that exports to one."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.services.process import free_port

ROOT = Path(__file__).parents[2]
START_SECONDS = 20.0
QUIET_SECONDS = 15.0


class OtlpServer:
    """A recorder in a process of its own: a request is on disk before it is answered. HTTP and gRPC.

    Attributes:
        http_port: Where OTLP over HTTP is spoken.
        grpc_port: Where OTLP over gRPC is spoken.
        requests: The file of the requests, each after its length.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.http_port, self.grpc_port = free_port(), free_port()
        self.requests = folder / "requests.bin"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The endpoint for ``http/protobuf``."""
        return f"http://127.0.0.1:{self.http_port}/v1/logs"

    @property
    def grpc_url(self) -> str:
        """The endpoint for ``grpc``."""
        return f"http://127.0.0.1:{self.grpc_port}"

    def start(self) -> None:
        """Start, or start again on the same ports with what was recorded kept."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(self._command(), env=self._environ(), stdout=log, stderr=log)
        wait_for_ports(self._process, self.http_port, self.grpc_port)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it."""
        self._end(signal.SIGTERM)

    def received(self) -> list[dict[str, Any]]:
        """Return all events that arrived, in order."""
        return [event for request in self.received_requests() for event in events_of(request)]

    def count(self) -> int:
        """Return how many events arrived."""
        return sum(
            len(scope.log_records)
            for request in self.received_requests()
            for logs in request.resource_logs
            for scope in logs.scope_logs
        )

    def received_requests(self) -> Iterator[ExportLogsServiceRequest]:
        """Return the requests, in order."""
        return map(ExportLogsServiceRequest.FromString, bodies(self.requests))

    def spans(self) -> list[dict[str, Any]]:
        """Return all spans that arrived, in order."""
        found = map(ExportTraceServiceRequest.FromString, bodies(self.requests.with_name("requests.bin.spans")))
        return [span for request in found for span in spans_of(request)]

    def _command(self) -> list[str]:
        where = [str(self.http_port), str(self.grpc_port), str(self.requests)]
        # Without the script's folder on the path: a module beside it is named like one of the standard library.
        return [sys.executable, "-P", str(Path(__file__).with_name("otlp_recorder.py")), *where]

    def _environ(self) -> dict[str, str]:
        return dict(os.environ)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(20)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class RotelServer(OtlpServer):
    """rotel, which decodes and batches what it gets, in front of a recorder.

    Killed, it loses what it has answered and not yet handed on: for up to a fifth of a second of events it is no
    proof of a sink's delivery.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.recorder = OtlpServer(folder / "recorder")

    def start(self) -> None:
        """Start both, or what is not running of them."""
        if self.recorder._process is None:
            self.recorder.start()
        super().start()

    def stop(self) -> None:
        """End both; rotel first, which hands on what it holds."""
        super().stop()
        self.recorder.stop()

    def restart(self) -> None:
        """End the collector with SIGTERM, on which it hands on what it holds, and start it again."""
        self._end(signal.SIGTERM)
        self.start()

    def received(self) -> list[dict[str, Any]]:
        """Return what came out of the collector."""
        return self.recorder.received()

    def received_requests(self) -> Iterator[ExportLogsServiceRequest]:
        """Return the requests that the collector made."""
        return self.recorder.received_requests()

    def spans(self) -> list[dict[str, Any]]:
        """Return the spans that came out of the collector."""
        return self.recorder.spans()

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        """Return what came out of the collector when there are ``count`` events, or after the deadline."""
        deadline = time.monotonic() + QUIET_SECONDS
        while self.count() < count and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.received()

    def _command(self) -> list[str]:
        spec = find_spec("rotel")
        assert spec is not None
        assert spec.origin is not None
        return [str(Path(spec.origin).with_name("rotel-agent")), "start"]

    def _environ(self) -> dict[str, str]:
        return {
            "ROTEL_OTLP_HTTP_ENDPOINT": f"127.0.0.1:{self.http_port}",
            "ROTEL_OTLP_GRPC_ENDPOINT": f"127.0.0.1:{self.grpc_port}",
            "ROTEL_PID_FILE": str(self.folder / "rotel.pid"),
            "ROTEL_LOG_FILE": str(self.folder / "rotel.log"),
            "ROTEL_EXPORTER": "otlp",
            "ROTEL_OTLP_EXPORTER_PROTOCOL": "http",
            "ROTEL_OTLP_EXPORTER_ENDPOINT": f"http://127.0.0.1:{self.recorder.http_port}",
            "ROTEL_BATCH_TIMEOUT": "50ms",
        }


def events_of(request: ExportLogsServiceRequest) -> list[dict[str, Any]]:
    """Return a request's records as dicts: attributes, and message, level, logger, ids, resource as ``resource``."""
    events = []
    for resource_logs in request.resource_logs:
        resource = pairs_of(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            for record in scope_logs.log_records:
                attributes = pairs_of(record.attributes)
                events.append(
                    {
                        **attributes,
                        "event_id": attributes.get("log.record.uid"),
                        "message": value_of(record.body),
                        "level": record.severity_text,
                        "severity": record.severity_number,
                        "logger": scope_logs.scope.name,
                        "time_ns": record.time_unix_nano,
                        "trace_id": record.trace_id.hex(),
                        "span_id": record.span_id.hex(),
                        "flags": record.flags,
                        "event_name": record.event_name,
                        "resource": resource,
                    }
                )
    return events


def spans_of(request: ExportTraceServiceRequest) -> list[dict[str, Any]]:
    """Return a request's spans as dicts: name, kind, ids, links as pairs of ids, attributes, resource."""
    return [
        {
            "name": span.name,
            "kind": Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
            "trace_id": span.trace_id.hex(),
            "span_id": span.span_id.hex(),
            "parent": span.parent_span_id.hex(),
            "state": span.trace_state,
            "links": [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
            "attributes": pairs_of(span.attributes),
            "events": [event.name for event in span.events],
            "error": span.status.code == Status.STATUS_CODE_ERROR,
            "service": pairs_of(resource_spans.resource.attributes).get("service.name"),
            "resource": pairs_of(resource_spans.resource.attributes),
        }
        for resource_spans in request.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    ]


def bodies(file: Path) -> Iterator[bytes]:
    """Return the requests of a file that are written whole, in order."""
    content = file.read_bytes() if file.exists() else b""
    begin = 0
    while begin + 4 <= len(content):
        (length,) = struct.unpack_from(">I", content, begin)
        body = content[begin + 4 : begin + 4 + length]
        if len(body) == length:
            yield body
        begin += 4 + length


def pairs_of(pairs: Any) -> dict[str, Any]:
    """Return key-value pairs as a dict; a key that is there twice is a mistake."""
    found = {pair.key: value_of(pair.value) for pair in pairs}
    assert len(found) == len(pairs), [pair.key for pair in pairs]
    return found


def value_of(value: Any) -> Any:
    """Return an AnyValue as a Python value."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [value_of(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return pairs_of(value.kvlist_value.values)
    return getattr(value, kind)


def wait_for_ports(process: subprocess.Popen[bytes], *ports: int) -> None:
    """Wait until all ports answer.

    Raises:
        RuntimeError: If the process has ended, or 20 seconds are over.
    """
    deadline = time.monotonic() + START_SECONDS
    for port in ports:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"no answer on port {port}, exit code {process.returncode}") from None
                time.sleep(0.02)


def main() -> None:
    """Print the events in a file of requests, for a look at them."""
    server = OtlpServer(Path(sys.argv[1]))
    print(json.dumps(server.received(), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
