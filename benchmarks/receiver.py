"""An HTTP receiver in a process of its own that does nothing but answer: ``python -m benchmarks.receiver <port>``.

It keeps the bodies as they came and looks into them only when it is asked, after the clock has stopped, which events
arrived: ``GET /sequences`` answers with their numbers. So the figures tell of the senders alone.
"""

import asyncio
import http.client
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from benchmarks.venvs import ROOT

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: ?(\d+)", re.IGNORECASE)
_EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
_START_SECONDS = 20.0
_READ_SECONDS = 60.0


class Receiver(asyncio.Protocol):
    """One connection.

    Args:
        bodies: Where the bodies go that came on any connection, with what they are.
    """

    def __init__(self, bodies: list[tuple[bytes, bytes]]) -> None:
        """Wait for the first request."""
        self._bodies = bodies
        self._data = bytearray()
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to answer by."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer the requests that are whole."""
        self._data += data
        while (end := self._data.find(_HEAD_END)) >= 0:
            head = bytes(self._data[:end])
            begin = end + len(_HEAD_END)
            length = _LENGTH.search(head)
            whole = begin + int(length[1] if length else 0)
            if len(self._data) < whole:
                return
            body = bytes(self._data[begin:whole])
            del self._data[:whole]
            self._transport.write(self._answer(head, body))

    def _answer(self, head: bytes, body: bytes) -> bytes:
        path = head.split(b" ", 2)[1]
        if path == b"/sequences":
            return _ok(json.dumps(list(_sequences(self._bodies))).encode())
        lowered = head.lower()
        if b"x-amz-target" in lowered:
            if b"putlogevents" in lowered:
                self._bodies.append((b"cloudwatch", body))
            return _ok(b'{"nextSequenceToken":"1"}', b"application/x-amz-json-1.1")
        self._bodies.append((path, body))
        return _ok(b"", b"application/x-protobuf") if path == b"/v1/logs" else _EMPTY


def _ok(body: bytes, kind: bytes = b"application/json") -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (kind, len(body), body)


def _sequences(bodies: list[tuple[bytes, bytes]]) -> Iterator[int]:
    for path, body in bodies:
        if path == b"/v1/logs":
            yield from _of_otlp(body)
        elif path == b"cloudwatch":
            yield from (json.loads(event["message"])["seq"] for event in json.loads(body)["logEvents"])
        else:
            yield from (json.loads(line)["seq"] for line in body.splitlines())


def _of_otlp(body: bytes) -> Iterator[int]:
    for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
        for scope in resource.scope_logs:
            for record in scope.log_records:
                yield from (item.value.int_value for item in record.attributes if item.key == "seq")


class Remote:
    """The receiver as its starter sees it.

    Attributes:
        url: Its base URL, without a path.
    """

    def __init__(self, port: int) -> None:
        """Know the port."""
        self.url = f"http://127.0.0.1:{port}"
        self._port = port

    def sequences(self) -> list[int]:
        """Return the numbers of all events that arrived."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_READ_SECONDS)
        try:
            connection.request("GET", "/sequences")
            numbers: list[int] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return numbers


@contextmanager
def receiving() -> Iterator[Remote]:
    """Run a receiver beside the block."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-m", "benchmarks.receiver", str(port)], cwd=ROOT) as process:  # noqa: S603 - ourselves
        try:
            wait_for(port)
            yield Remote(port)
        finally:
            process.kill()


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nothing listens at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until something listens on a port of 127.0.0.1.

    Raises:
        TimeoutError: If nothing does after twenty seconds.
    """
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            if time.monotonic() > deadline:
                raise TimeoutError(port) from None
            time.sleep(0.02)
        else:
            return


async def _serve(port: int) -> None:
    bodies: list[tuple[bytes, bytes]] = []
    server = await asyncio.get_running_loop().create_server(lambda: Receiver(bodies), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
