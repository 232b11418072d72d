"""Receivers that behave as told, connection by connection, on real sockets; certificates; batches of JSON events."""

import asyncio
import datetime
import ipaddress
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.errors import SinkError
from fapilog.protocols import Batch
from fapilog.sinks.http.options import HttpOptions
from fapilog.sinks.http.sink import HttpSink
from fapilog.testing.contracts import make_batch, make_events

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


class Request(NamedTuple):
    """What a receiver was sent; headers by their names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Peer:
    """A receiver that plays one script for each connection, the last one for all further ones."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    connections: int = 0


Script = Callable[[Peer, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answering(*answers: bytes) -> Script:
    """Answer the requests of a connection with these, the last one for all further ones."""

    async def play(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = 0
        while (request := await read_request(reader)) is not None:
            peer.requests.append(request)
            writer.write(answers[min(number, len(answers) - 1)])
            await writer.drain()
            number += 1

    return play


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Return a whole answer; underscores of header names are hyphens."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Return the next request of a connection, None at its end."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        return Request(head[0], headers, await reader.readexactly(int(headers["content-length"])))
    except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
        return None


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST."""
    writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def peer(*scripts: Script, context: ssl.SSLContext | None = None, path: str = "/ingest") -> AsyncIterator[Peer]:
    """Run a receiver on a free port."""
    told = Peer()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        tasks.add(task)
        script = scripts[min(told.connections, len(scripts) - 1)]
        told.connections += 1
        try:
            await script(told, reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    told.url = f"{'http' if context is None else 'https'}://127.0.0.1:{server.sockets[0].getsockname()[1]}{path}"
    try:
        yield told
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


def events_batch(count: int, start: int = 0, **fields: object) -> Batch:
    """Return a batch of JSON lines with an `event_id` each, as the delivery makes it."""
    events = make_events(count, start=start, **fields)
    return make_batch([{**event, "event_id": f"5f0c1de2a9b07c44-{start + at}"} for at, event in enumerate(events)])


@asynccontextmanager
async def opened(url: str, clock: Clock = SYSTEM_CLOCK, **options: Any) -> AsyncIterator[HttpSink]:
    """Open a sink for a URL, and close it."""
    sink = HttpSink(HttpOptions(url, **options), clock)
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


async def refused(sink: Any, batch: Batch) -> SinkError:
    """Return the error of a write that must not succeed."""
    with pytest.raises(SinkError) as caught:
        await sink.write(batch)
    return caught.value


class Authority:
    """A certificate authority of its own, in a folder."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"fapilog tests {name}")])
        self.file = folder / f"{name}.pem"
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        builder = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(True, None), critical=True)
        certificate = builder.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self, name: str, hosts: Sequence[str] = ("127.0.0.1",), days: int = 1, password: bytes | None = None
    ) -> Path:
        """Return a PEM file with a certificate for these hosts and its key; with `days` below zero it has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [
            x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host) for host in hosts
        ]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = self._builder(subject, key, days).add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.add_extension(identifier, critical=False).sign(self._key, hashes.SHA256())
        lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
        path = self._folder / f"{name}.pem"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
        return path

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int = 1) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=10))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )


def server_context(certificate: Path) -> ssl.SSLContext:
    """Return what a server needs to answer with a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
