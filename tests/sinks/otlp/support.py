"""Batches for the OTLP sink, opened sinks, and a gRPC receiver that behaves as told."""

from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import (
    LogsServiceServicer,
    add_LogsServiceServicer_to_server,
)

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.protocols import Batch
from fapilog.sinks.otlp.options import OtlpOptions
from fapilog.sinks.otlp.sink import OtlpSink
from tests.processors.events import PLAIN

SECRET = "s3cr3t-t0ken"


def batch_of(*events: dict[str, Any]) -> Batch:
    return Batch([], lambda: list(events), len(events))


def numbered(count: int, start: int = 0) -> Batch:
    return batch_of(*({**PLAIN, "sequence": n, "event_id": f"5f0c-{n}"} for n in range(start, start + count)))


@asynccontextmanager
async def opened(endpoint: str, clock: Clock = SYSTEM_CLOCK, **options: Any) -> AsyncIterator[OtlpSink]:
    sink = OtlpSink(OtlpOptions(endpoint, **options), clock, environ={})
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


def response(rejected: int = 0, message: str = "") -> bytes:
    """Return a response body that says a partial success."""
    found = ExportLogsServiceResponse()
    found.partial_success.rejected_log_records = rejected
    found.partial_success.error_message = message
    return found.SerializeToString()


Script = Callable[[ExportLogsServiceRequest, grpc.ServicerContext], ExportLogsServiceResponse]


@dataclass
class GrpcPeer(LogsServiceServicer):
    """Plays one script for each call, the last one for all further ones."""

    scripts: tuple[Script, ...]
    url: str = ""
    requests: list[ExportLogsServiceRequest] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)

    def Export(self, request: Any, context: Any) -> ExportLogsServiceResponse:  # noqa: N802
        script = self.scripts[min(len(self.requests), len(self.scripts) - 1)]
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        return script(request, context)


def taken(_request: Any, _context: Any) -> ExportLogsServiceResponse:
    return ExportLogsServiceResponse()


def saying(rejected: int, message: str) -> Script:
    return lambda _request, _context: ExportLogsServiceResponse.FromString(response(rejected, message))


def aborting(code: grpc.StatusCode, details: str = "no", **trailing: bytes) -> Script:
    """Refuse a call; trailing metadata by names with underscores for hyphens and dots as they are."""

    def play(_request: Any, context: Any) -> ExportLogsServiceResponse:
        context.set_trailing_metadata([(name.replace("_", "-"), value) for name, value in trailing.items()])
        context.abort(code, details)
        raise AssertionError

    return play


@contextmanager
def grpc_peer(
    *scripts: Script, certificate: Path | None = None, clients: Path | None = None, port: int = 0, limit: int = -1
) -> Iterator[GrpcPeer]:
    """Run a gRPC receiver, on a free port by default; with ``clients`` it wants certificates of that authority."""
    peer = GrpcPeer(scripts)
    pool = ThreadPoolExecutor(4)
    server = grpc.server(pool, options=[("grpc.max_receive_message_length", limit)])
    add_LogsServiceServicer_to_server(peer, server)
    if certificate is None:
        port = server.add_insecure_port(f"127.0.0.1:{port}")
    else:
        pem = certificate.read_bytes()
        roots = None if clients is None else clients.read_bytes()
        credentials = grpc.ssl_server_credentials([(pem, pem)], roots, require_client_auth=clients is not None)
        port = server.add_secure_port("127.0.0.1:0", credentials)
    peer.url = f"{'http' if certificate is None else 'https'}://127.0.0.1:{port}"
    server.start()
    try:
        yield peer
    finally:
        server.stop(None).wait(10)
        pool.shutdown()
