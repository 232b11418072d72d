"""Sends each batch to a URL in one request."""

from hashlib import sha256
from typing import Any

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.errors import SinkError
from fapilog.protocols import Batch
from fapilog.sinks.http.client import HttpClient, is_taken, refusal
from fapilog.sinks.http.options import HttpOptions
from fapilog.sinks.http.showing import Requests
from fapilog.units import parse_duration

_NANOSECONDS = 1_000_000_000
_TYPES = {"jsonl": "application/x-ndjson", "array": "application/json"}
_KEY_LENGTH = 32


class HttpSink:
    """Sends each batch to a URL in one request; the batch is taken when the answer is 2xx.

    Each request has an ``Idempotency-Key``, which is the same when the same batch is sent again, and different for any
    other one: a hash of its events. Each event has its ``event_id``. Neither retries nor splits: the delivery does.

    Batches may be written at the same time. Opened anew in a forked child.

    Args:
        options: Where to, and how.
        clock: Tells how long ago a date in ``Retry-After`` is.

    Attributes:
        figures: ``requests``, ``request_bytes`` (before compression), ``refused_requests`` (not answered by 2xx).

    Raises:
        ConfigError: If zstd is chosen and not installed.
    """

    format = "json"
    event_ids = True

    def __init__(self, options: HttpOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        """Connect to nothing yet."""
        self.name = options.name
        self._options = options
        self._clock = clock
        self._client = HttpClient(
            options.url,
            headers=options.headers,
            auth=options.auth,
            bearer=options.bearer,
            timeout_seconds=parse_duration(options.timeout, "add_http(timeout)"),
            ca_file=options.ca_file,
            verify=options.verify,
            client_cert=options.client_cert,
            client_key=options.client_key,
            compression=options.compression,
            where="add_http",
            clock=clock,
        )
        self._requests = Requests(self._client.shown)
        self.figures = self._requests.figures

    def __repr__(self) -> str:
        """Show where it sends to."""
        return f"HttpSink({self._client.shown!r})"

    async def open(self) -> None:
        """Read the files of the TLS options. Nothing is sent: the first batch finds out whether anyone listens.

        Raises:
            SinkError: If a file cannot be used; not retryable.
        """
        await self._client.open()
        self._requests.opened()

    async def write(self, batch: Batch) -> None:
        """Send a batch.

        Raises:
            SinkError: If it was not taken, or nobody can tell; see :mod:`fapilog.sinks.http.answers`.
        """
        body = body_of(batch, self._options.format)
        headers = {"idempotency-key": sha256(body).hexdigest()[:_KEY_LENGTH]}
        self._requests.sent(len(body))
        try:
            answer = await self._client.post(body, _TYPES[self._options.format], headers, method=self._options.method)
            if not is_taken(answer):
                raise refusal(answer, self._client.shown, self._clock.time_ns() / _NANOSECONDS, len(batch))
        except SinkError as error:
            self._requests.refused(error)
            raise
        self._requests.taken()

    async def close(self) -> None:
        """Drop the connections."""
        self._requests.closed()
        await self._client.close()

    def health(self) -> dict[str, Any]:
        """Return ``status``, ``url`` (scheme, host and port), and ``last_error`` if the last request had one."""
        return self._requests.health()


def body_of(batch: Batch, form: str) -> bytes:
    """Return a batch as JSON lines, or for ``"array"`` as one JSON array."""
    if form == "jsonl":
        return batch.lines
    return b"[%s]" % b",".join(batch.line(index).rstrip(b"\n") for index in range(len(batch)))
