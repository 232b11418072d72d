"""Calls a URL for events of a level and above, signed."""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.errors import SinkError
from fapilog.levels import LevelTable
from fapilog.protocols import Batch
from fapilog.sinks.http.client import HttpClient, is_taken, refusal
from fapilog.sinks.http.showing import Requests
from fapilog.sinks.webhook.options import WebhookOptions
from fapilog.sinks.webhook.signing import sign
from fapilog.units import parse_duration

_NANOSECONDS = 1_000_000_000
_JSON = "application/json"
_ID_LENGTH = 32
_PLAIN_ID = re.compile(r"[0-9A-Za-z_-]{1,128}")


class WebhookSink:
    """Calls a URL for the events of a batch that are important enough; a call is taken when the answer is 2xx.

    A call for one event has the JSON object as its body and the ``event_id`` as its id; a call for a batch has an
    array, and a hash of it as its id. A call that is made again has the same id, a new timestamp and so a new
    signature.

    One batch at a time keeps the order. Opened anew in a forked child.

    Args:
        options: Where to, which events, and the key.
        clock: The time that is signed.
        levels: Numbers of level names; default the standard ones. A level it does not know is sent.

    Attributes:
        figures: ``requests``, ``request_bytes``, ``refused_requests`` (not answered by 2xx), ``below_level`` (events).

    Raises:
        ConfigError: If ``min_level`` is not known.
    """

    format = "json"
    event_ids = True

    def __init__(self, options: WebhookOptions, clock: Clock = SYSTEM_CLOCK, levels: LevelTable | None = None) -> None:
        """Connect to nothing yet."""
        self.name = options.name
        self._batch = options.batch
        self._clock = clock
        self._levels = levels or LevelTable()
        self._least = self._levels.number(options.min_level, "add_webhook(min_level)")
        self._keys = options.keys
        self._client = HttpClient(
            options.url,
            headers=options.headers,
            timeout_seconds=parse_duration(options.timeout, "add_webhook(timeout)"),
            ca_file=options.ca_file,
            verify=options.verify,
            where="add_webhook",
            clock=clock,
        )
        self._requests = Requests(self._client.shown)
        self.figures = self._requests.figures
        self.figures["below_level"] = 0

    def __repr__(self) -> str:
        """Show where it calls."""
        return f"WebhookSink({self._client.shown!r})"

    async def open(self) -> None:
        """Read the files of the TLS options. Nothing is sent.

        Raises:
            SinkError: If a file cannot be used; not retryable.
        """
        await self._client.open()
        self._requests.opened()

    async def write(self, batch: Batch) -> None:
        """Make the calls, in order.

        Raises:
            SinkError: If a call was not taken, or nobody can tell. It names the events that are not taken; those that
                the receiver refused one by one as rejected, without holding up the others.
        """
        known, least = self._levels.names(), self._least
        high = [place for place, event in enumerate(batch.flat) if known.get(event["level"], least) >= least]
        below = len(batch) - len(high)
        try:
            await (self._send_all(batch, high) if self._batch else self._send_each(batch, high))
        except SinkError as error:
            if error.failed_indexes is None:
                # It comes again in halves, and those below the level with it.
                below = 0
            raise
        finally:
            self.figures["below_level"] += below

    async def close(self) -> None:
        """Drop the connections."""
        self._requests.closed()
        await self._client.close()

    def health(self) -> dict[str, Any]:
        """Return ``status``, ``url`` (scheme, host and port), and ``last_error`` if the last call had one."""
        return self._requests.health()

    async def _send_all(self, batch: Batch, places: Sequence[int]) -> None:
        if not places:
            return
        body = b"[%s]" % b",".join(batch.line(place).rstrip(b"\n") for place in places)
        try:
            await self._call(_hash(body), body, len(places))
        except SinkError as error:
            if error.retryable or error.failed_indexes is not None or len(places) == 1:
                raise _naming(error, places, {}) from None
            raise

    async def _send_each(self, batch: Batch, places: Sequence[int]) -> None:
        rejected: dict[int, str] = {}
        for number, place in enumerate(places):
            event_id = str(batch.flat[place].get("event_id"))
            body = batch.line(place).rstrip(b"\n")
            known = "event_id" in batch.flat[place] and _PLAIN_ID.fullmatch(event_id)
            try:
                await self._call(event_id if known else _hash(body), body, 1)
            except SinkError as error:
                if not error.retryable and error.failed_indexes is None:
                    rejected[place] = str(error)
                    continue
                raise _naming(error, places[number:], rejected) from None
        if rejected:
            raise SinkError(next(iter(rejected.values())), failed_indexes=rejected, rejected=rejected)

    async def _call(self, message_id: str, body: bytes, count: int) -> None:
        """Make one call; an error that names all ``count`` events, by number, means that none of them is to blame."""
        now = self._clock.time_ns()
        self._requests.sent(len(body))
        try:
            answer = await self._client.post(body, _JSON, sign(message_id, now // _NANOSECONDS, body, self._keys))
            if not is_taken(answer):
                raise refusal(answer, self._client.shown, now / _NANOSECONDS, count)
        except SinkError as error:
            self._requests.refused(error)
            raise
        self._requests.taken()


def _hash(body: bytes) -> str:
    return sha256(body).hexdigest()[:_ID_LENGTH]


def _naming(error: SinkError, places: Sequence[int], rejected: Mapping[int, str]) -> SinkError:
    """Return an error of one call as one of the batch."""
    return SinkError(
        str(error),
        retryable=error.retryable,
        retry_after=error.retry_after,
        failed_indexes=places,
        rejected=rejected,
    )
