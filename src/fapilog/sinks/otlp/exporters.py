"""The two transports of OTLP: each takes a request and returns what the receiver said about it, or raises."""

import asyncio
from pathlib import Path
from typing import Any, Protocol

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub

from fapilog._version import __version__
from fapilog.clock import Clock
from fapilog.diagnostics import attempt, describe_place
from fapilog.errors import SinkError
from fapilog.sinks.http.client import HttpClient, is_taken
from fapilog.sinks.otlp.answers import (
    Partial,
    Secrets,
    grpc_refusal,
    http_refusal,
    partial_of,
    read_response,
)
from fapilog.sinks.otlp.target import Target

CONTENT_TYPE = "application/x-protobuf"
_NANOSECONDS = 1e9
_GRACE_SECONDS = 0.25
_CHANNEL_OPTIONS = (
    ("grpc.primary_user_agent", f"fapilog/{__version__}"),
    # The delivery decides how often to try: gRPC's own pause may last two minutes, in which every call fails at once.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.use_local_subchannel_pool", 1),
    # As over HTTP: nothing is sent through a proxy because a variable of the environment says so.
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_send_message_length", -1),
)


class Exporter(Protocol):
    """Sends requests to one receiver. Used by the tasks of one event loop; opened anew in a forked child."""

    async def open(self) -> None:
        """Get ready; no connection is made yet.

        Raises:
            SinkError: If a file of the TLS options cannot be used; not retryable.
        """
        ...

    async def export(self, request: ExportLogsServiceRequest, count: int) -> Partial:
        """Send a request of ``count`` records.

        Raises:
            SinkError: If it was not taken.
        """
        ...

    async def close(self) -> None:
        """Drop the connections."""
        ...


def exporter_of(target: Target, clock: Clock) -> Exporter:
    """Return the exporter for a target.

    Raises:
        ConfigError: If the target cannot be used.
    """
    return GrpcExporter(target) if target.protocol == "grpc" else HttpExporter(target, clock)


class HttpExporter:
    """OTLP as protobuf over HTTP/1.1.

    Args:
        target: Where to send.
        clock: Where the wall clock is read, for a ``Retry-After`` that is a date.
    """

    def __init__(self, target: Target, clock: Clock) -> None:
        """Make the client."""
        self._shown = target.shown
        self._clock = clock
        self._secrets = Secrets(target.secrets)
        self._client = HttpClient(
            target.url,
            headers=target.headers,
            timeout_seconds=target.timeout_seconds,
            ca_file=target.ca_file,
            client_cert=target.client_cert,
            client_key=target.client_key,
            compression="gzip" if target.compression == "gzip" else "none",
            where="add_otlp",
            clock=clock,
        )

    async def open(self) -> None:
        """Make an empty pool of connections."""
        await self._client.open()

    async def export(self, request: ExportLogsServiceRequest, count: int) -> Partial:
        """Post the request.

        Raises:
            SinkError: If there is no answer in time, or it is not 2xx.
        """
        answer = await self._client.post(request.SerializeToString(), CONTENT_TYPE)
        if not is_taken(answer):
            now = self._clock.time_ns() / _NANOSECONDS
            raise http_refusal(answer, self._shown, now, count, self._secrets)
        response = read_response(answer.content)
        return Partial(0, "") if response is None else partial_of(response, count, self._secrets)

    async def close(self) -> None:
        """Drop the connections."""
        await self._client.close()


class GrpcExporter:
    """OTLP over gRPC: one channel, calls that fail at once where there is no connection.

    It is gRPC's synchronous channel, whose own threads do the work: the asyncio one shares a poller between all
    event loops of the process, which may be the application's.

    Args:
        target: Where to send.
    """

    def __init__(self, target: Target) -> None:
        """Connect nothing yet."""
        self._target = target
        self._address = target.url.partition("://")[2].partition("/")[0].rpartition("@")[2]
        self._metadata = tuple(target.headers.items())
        self._secrets = Secrets(target.secrets)
        # For gRPC this is also how long one attempt to connect may take.
        self._options = (*_CHANNEL_OPTIONS, ("grpc.min_reconnect_backoff_ms", round(target.timeout_seconds * 1000)))
        self._credentials: grpc.ChannelCredentials | None = None
        self._channel: grpc.Channel | None = None
        self._export: Any = None

    async def open(self) -> None:
        """Read the files and make a channel; it connects with the first call.

        Raises:
            SinkError: If a certificate or key cannot be read; not retryable.
        """
        self._credentials = self._read_files() if self._target.secure else None
        self._connect()

    async def export(self, request: ExportLogsServiceRequest, count: int) -> Partial:
        """Call the receiver.

        Raises:
            SinkError: If the call ends with another status than OK, or not in time.
        """
        if self._channel is None:
            raise SinkError(f"{self._target.shown}: not open", retryable=True)
        call = self._export.future(request, timeout=self._target.timeout_seconds, metadata=self._metadata)
        try:
            async with asyncio.timeout(self._target.timeout_seconds + _GRACE_SECONDS):
                await _ended(call)
        except TimeoutError:
            self._connect()
            raise self._late() from None
        finally:
            call.cancel()
        code = call.code()
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            # The connection may be dead without a word.
            self._connect()
            raise self._late()
        if code is not grpc.StatusCode.OK:
            raise grpc_refusal(call, self._target.shown, count, request.ByteSize(), self._secrets)
        response: ExportLogsServiceResponse = call.result()
        return partial_of(response, count, self._secrets)

    async def close(self) -> None:
        """Cancel the calls and drop the connection."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _connect(self) -> None:
        """Make a channel in place of the one there was, if any."""
        old = self._channel
        gzip = self._target.compression == "gzip"
        compression = grpc.Compression.Gzip if gzip else grpc.Compression.NoCompression
        if self._credentials is None:
            self._channel = grpc.insecure_channel(self._address, self._options, compression)
        else:
            self._channel = grpc.secure_channel(self._address, self._credentials, self._options, compression)
        self._export = LogsServiceStub(self._channel).Export  # type: ignore[no-untyped-call]  # generated
        if old is not None:
            old.close()

    def _late(self) -> SinkError:
        seconds = self._target.timeout_seconds
        return SinkError(f"{self._target.shown}: no answer within {seconds:g} s", retryable=True)

    def _read_files(self) -> grpc.ChannelCredentials:
        target = self._target
        pem: list[bytes | None] = []
        named = (("ca_file", target.ca_file), ("client_key", target.client_key), ("client_cert", target.client_cert))
        for option, path in named:
            content, error = attempt(Path(path).read_bytes) if path is not None else (None, None)
            if error is not None:
                raise SinkError(f"add_otlp({option}): cannot be read: {describe_place(error).partition(' ')[0]}")
            pem.append(content)
        # A key and its certificate may stand in one file.
        authorities, key, certificate = pem
        return grpc.ssl_channel_credentials(authorities, key or certificate, certificate)


async def _ended(call: Any) -> None:
    """Wait until a call has ended, however it did; its callbacks run in a thread of gRPC's."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    call.add_done_callback(lambda _: attempt(loop.call_soon_threadsafe, done.set))
    await done.wait()
