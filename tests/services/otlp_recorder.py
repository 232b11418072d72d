"""The recorder of ``tests/services/otlp.py``: ``python otlp_recorder.py HTTP_PORT GRPC_PORT FILE``.

Logs over HTTP and gRPC go to FILE, spans over HTTP to FILE with ``.spans`` appended.
"""

import gzip
import os
import struct
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import (
    LogsServiceServicer,
    add_LogsServiceServicer_to_server,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

LOCK = threading.Lock()
KINDS = {"/v1/logs": (ExportLogsServiceRequest, ""), "/v1/traces": (ExportTraceServiceRequest, ".spans")}


def record(file: str, body: bytes, path: str = "/v1/logs") -> None:
    """Append a request, in one call."""
    kind, suffix = KINDS[path]
    kind.FromString(body)
    file += suffix
    with LOCK, open(file, "ab", buffering=0) as target:
        target.write(struct.pack(">I", len(body)) + body)


class Http(BaseHTTPRequestHandler):
    """OTLP over HTTP, as strict as the protocol."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    file = ""

    def do_POST(self) -> None:
        body = self._body()
        if self.path not in KINDS or self.headers["content-type"] != "application/x-protobuf":
            self._answer(415 if self.path in KINDS else 404, b"")
            return
        if self.headers["content-encoding"] == "gzip":
            body = gzip.decompress(body)
        record(self.file, body, self.path)
        self._answer(200, ExportLogsServiceResponse().SerializeToString())

    def log_message(self, *_: Any) -> None:
        """Be silent."""

    def _body(self) -> bytes:
        if self.headers["transfer-encoding"] != "chunked":
            return self.rfile.read(int(self.headers["content-length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Grpc(LogsServiceServicer):
    """OTLP over gRPC."""

    def __init__(self, file: str) -> None:
        self._file = file

    def Export(self, request: Any, context: Any) -> ExportLogsServiceResponse:  # noqa: N802
        record(self._file, request.SerializeToString())
        return ExportLogsServiceResponse()


def main() -> None:
    """Serve until killed."""
    http_port, grpc_port, file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    cut(file)
    server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", -1)])
    add_LogsServiceServicer_to_server(Grpc(file), server)
    server.add_insecure_port(f"127.0.0.1:{grpc_port}")
    server.start()
    Http.file = file
    ThreadingHTTPServer(("127.0.0.1", http_port), Http).serve_forever()


def cut(file: str) -> None:
    """Cut off a request of which only a part was written when the recorder was killed; it was not answered."""
    if not os.path.exists(file):
        return
    with open(file, "r+b") as target:
        content = target.read()
        begin = 0
        while begin + 4 <= len(content):
            end = begin + 4 + struct.unpack_from(">I", content, begin)[0]
            if end > len(content):
                break
            begin = end
        target.truncate(begin)


if __name__ == "__main__":
    main()
