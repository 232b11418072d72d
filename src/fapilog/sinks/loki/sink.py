"""Pushes each batch to Loki."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.errors import ConfigError, SinkError
from fapilog.protocols import Batch
from fapilog.sinks.http.client import Answer, HttpClient, is_taken, refusal
from fapilog.sinks.http.showing import Requests
from fapilog.sinks.loki import json_body
from fapilog.sinks.loki.labels import Labels
from fapilog.sinks.loki.options import LokiOptions, metadata_name
from fapilog.sinks.loki.streams import Streams, streams_of, without
from fapilog.sinks.loki.verdict import refused
from fapilog.units import parse_duration

_NANOSECONDS = 1_000_000_000
_BAD_REQUEST = 400
_MOST_PUSHES = 20


class LokiSink:
    """Pushes each batch to Loki in one request; the batch is taken when the answer is 2xx.

    Where Loki answers 400 and its text proves which entries it refused, those are rejected, and the others are pushed
    again within the same write, because Loki speaks of one stream at a time: an entry of a time and a line that it has
    it drops, and every line has its ``event_id``. Other receivers of this protocol may keep both.

    One batch at a time keeps the order. Opened anew in a forked child.

    Args:
        options: Where to, and which labels.
        clock: The time of events without a readable timestamp, and how long ago a date in ``Retry-After`` is.

    Attributes:
        figures: ``requests``, ``request_bytes`` (before gzip), ``refused_requests`` (not answered by 2xx), ``capped``
            (events that lost labels to ``max_streams``, each time they were sent).

    Raises:
        ConfigError: If protobuf is chosen and its libraries are not installed.
    """

    format = "json"
    event_ids = True

    def __init__(self, options: LokiOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        """Connect to nothing yet."""
        self.name = options.name
        self._clock = clock
        self._metadata = [(field, metadata_name(field)) for field in options.structured_metadata]
        self._labels = Labels(options.labels, options.label_fields, options.max_streams)
        self._encode, self._type = _encoding(options.protocol)
        self._timeout = parse_duration(options.timeout, "add_loki(timeout)")
        self._client = HttpClient(
            options.push_url,
            headers=options.headers,
            auth=options.auth,
            bearer=options.bearer,
            timeout_seconds=self._timeout,
            ca_file=options.ca_file,
            verify=options.verify,
            client_cert=options.client_cert,
            client_key=options.client_key,
            compression=options.compression,
            where="add_loki",
            clock=clock,
        )
        self._requests = Requests(self._client.shown)
        self.figures = self._requests.figures
        self.figures["capped"] = 0

    def __repr__(self) -> str:
        """Show where it pushes to."""
        return f"LokiSink({self._client.shown!r})"

    async def open(self) -> None:
        """Read the files of the TLS options. Nothing is sent: the first batch finds out whether Loki listens.

        Raises:
            SinkError: If a file cannot be used; not retryable.
        """
        await self._client.open()
        self._requests.opened()

    async def write(self, batch: Batch) -> None:
        """Push a batch.

        Raises:
            SinkError: If it was not taken, or nobody can tell; with the entries that Loki refuses for good, where its
                answer proves which.
        """
        if not len(batch):
            return
        streams = streams_of(batch, self._labels, self._metadata, self._clock.time_ns())
        self.figures["capped"] = self._labels.capped
        rejected: dict[int, str] = {}
        try:
            async with asyncio.timeout(self._timeout):
                await self._push_all(streams, rejected, len(batch))
        except TimeoutError:
            late = SinkError(f"{self._client.shown}: not taken within {self._timeout:g} s", retryable=True)
            error = _beside(late, rejected, len(batch))
            self._requests.refused(error)
            raise error from None
        if rejected:
            reasons = "; ".join(sorted(set(rejected.values()))[:3])
            text = f"{self._client.shown} refused {len(rejected)} of {len(batch)} events: {reasons}"
            raise SinkError(text, failed_indexes=rejected, rejected=rejected)

    async def close(self) -> None:
        """Drop the connections."""
        self._requests.closed()
        await self._client.close()

    def health(self) -> dict[str, Any]:
        """Return ``status``, ``url`` (scheme, host and port), and ``last_error`` if the last push had one."""
        return self._requests.health()

    async def _push_all(self, streams: Streams, rejected: dict[int, str], count: int) -> None:
        """Push until Loki has no more to refuse; put what it refuses for good into ``rejected``."""
        pushes = 0
        while streams:
            pushes += 1
            try:
                answer = await self._push(streams)
            except SinkError as error:
                raise _beside(error, rejected, count) from None
            if is_taken(answer):
                return
            # The text of an answer has credentials hidden, which may be parts of labels.
            said = answer.content.decode("utf-8", "replace")
            named = refused(said, streams) if answer.status == _BAD_REQUEST else {}
            if not named or pushes >= _MOST_PUSHES:
                now = self._clock.time_ns() / _NANOSECONDS
                raise _beside(refusal(answer, self._client.shown, now, count), rejected, count)
            rejected |= named
            streams = without(streams, named)
        # Nothing is left, and Loki works: what it has refused is told by the write.
        self._requests.taken()

    async def _push(self, streams: Streams) -> Answer:
        body = self._encode(streams)
        self._requests.sent(len(body))
        try:
            answer = await self._client.post(body, self._type)
        except SinkError as error:
            self._requests.refused(error)
            raise
        if is_taken(answer):
            self._requests.taken()
        else:
            self._requests.refused(refusal(answer, self._client.shown, self._clock.time_ns() / _NANOSECONDS, 0))
        return answer


def _encoding(protocol: str) -> tuple[Callable[[Streams], bytes], str]:
    if protocol == "json":
        return json_body.encode, json_body.CONTENT_TYPE
    try:
        from fapilog.sinks.loki import protobuf_body  # noqa: PLC0415 - needs optional libraries
    except ImportError:
        allowed = "json; protobuf needs the packages protobuf and cramjam: pip install 'fapilog[loki]'"
        raise ConfigError.wrong("add_loki(protocol)", protocol, allowed) from None
    return protobuf_body.encoder(), protobuf_body.CONTENT_TYPE


def _beside(error: SinkError, rejected: Mapping[int, str], count: int) -> SinkError:
    """Return an error about what was left when some entries had been rejected already.

    Where it splits the batch, all of it is split: what was rejected is told again by the parts.
    """
    splits = not error.retryable and error.failed_indexes is None
    if not rejected or splits:
        return error
    indexes, wait = range(count), error.retry_after
    return SinkError(str(error), retryable=error.retryable, retry_after=wait, failed_indexes=indexes, rejected=rejected)
