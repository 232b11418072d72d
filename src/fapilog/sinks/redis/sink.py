"""The Redis sink: its life cycle, and one batch as one transaction."""

import asyncio
import os
from collections import Counter
from collections.abc import Coroutine
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.errors import SinkError
from fapilog.protocols import Batch
from fapilog.sinks.redis.errors import sink_error
from fapilog.sinks.redis.options import RedisOptions, address_of
from fapilog.units import parse_duration

_NANOSECONDS_PER_MS = 1_000_000
_CLOSE_SECONDS = 0.5
_NEVER_REACHED = 2**62
_FIELDS = ("event_id", "level", "trace_id", "request_id")
_FIGURES = ("transactions", "events", "refused", "timeouts", "connections")


class RedisSink:
    """Adds events to a stream, a batch in one transaction; ``write`` returns when the server has applied it.

    Each entry has the field ``event``, the JSON line without its newline, and beside it, where the event has them, the
    fields ``event_id``, ``level``, ``trace_id`` and ``request_id``, so that a consumer can choose without parsing.
    Redis gives the entries their ids, which keep the order of arrival; ``event_id`` tells what arrived twice.

    A batch is there as a whole or not at all. After any failure the connection is given up, and the next write begins
    with a new one, for which the address is looked up anew: after a failover that is another server. Nothing is sent
    again in here. What was being applied when the connection broke may be there and is sent again by delivery.

    For one task at a time, on one event loop. ``open`` makes everything anew in a forked child and leaves the parent's
    connection alone.

    Args:
        options: What was chosen.
        clock: What ``max_age`` is counted from.

    Attributes:
        figures: How many ``transactions`` were sent, ``events`` taken, batches ``refused``, ``timeouts`` and
            ``connections`` begun.
    """

    format = "json"
    event_ids = True

    def __init__(self, options: RedisOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        """Make no connection."""
        self.name = options.name
        self.figures: Counter[str] = Counter(dict.fromkeys(_FIGURES, 0))
        self._options = options
        self._address = address_of(options.url)
        self._clock = clock
        self._timeout = parse_duration(options.timeout, "add_redis(timeout)")
        self._max_age = None if options.max_age is None else parse_duration(options.max_age, "add_redis(max_age)")
        self._key = options.key.encode()
        self._client: Redis | None = None
        self._inherited: Redis | None = None
        self._pid = 0
        self._opened = False
        self._last_error = ""

    async def open(self) -> None:
        """Connect, and find out whether this user may add to the stream, without adding anything.

        Raises:
            SinkError: Retryable if the server cannot be reached or takes no writes now; not retryable if it refuses the
                credentials, does not permit the commands, or if the key is not a stream.
        """
        if self._pid != os.getpid():
            # Closing it here, or letting it be collected, would reach into the parent's event loop.
            self._inherited, self._client, self._pid = self._client, None, os.getpid()
        await self._let_go()
        await self._within_timeout(self._probe(), opening=True)
        self._opened = True

    async def write(self, batch: Batch) -> None:
        """Add a batch.

        Raises:
            SinkError: Always retryable: if the server cannot be reached, does not answer in time or takes nothing now;
                and after 30 s, if it refuses the credentials or the key is no stream any more.
        """
        if not self._opened:
            raise SinkError("the sink is not open", retryable=True)
        await self._within_timeout(self._send(batch), opening=False)
        self.figures["events"] += len(batch)

    async def close(self) -> None:
        """Close the connection."""
        self._opened = False
        await self._let_go()

    def health(self) -> dict[str, Any]:
        """Return how the last open or write went, and where events go."""
        error = self._last_error
        return {
            "status": "failing" if error else "ok" if self._opened else "closed",
            "connected": self._opened and not error,
            "url": self._address.shown,
            "key": self._options.key,
            "last_error": error,
        }

    async def _probe(self) -> None:
        # XTRIM is a write, so a replica refuses it, and checks the type of the key; at this length it removes nothing.
        # What MULTI queues is checked for permission, and DISCARD forgets it.
        async with self._connected().client() as one:
            call: Any = one.execute_command
            await call("XTRIM", self._key, "MAXLEN", "~", _NEVER_REACHED)
            await call("MULTI")
            await call("XADD", self._key, "*", "event", "")
            await call("DISCARD")

    async def _send(self, batch: Batch) -> None:
        pipeline = self._connected().pipeline(transaction=True)
        for command in self._commands(batch):
            pipeline.execute_command(*command)
        self.figures["transactions"] += 1
        answers = await pipeline.execute(raise_on_error=False)
        failed = {i: error for i, error in enumerate(answers[: len(batch)]) if isinstance(error, RedisError)}
        if not failed:
            return
        error = sink_error(next(iter(failed.values())), self._address.shown, opening=False)
        if len(failed) < len(batch):
            raise SinkError(str(error), retryable=True, retry_after=error.retry_after, failed_indexes=failed)
        raise error

    def _commands(self, batch: Batch) -> list[tuple[Any, ...]]:
        key = self._key
        commands: list[tuple[Any, ...]] = [
            (b"XADD", key, b"*", b"event", batch.line(index)[:-1], *_fields_of(event))
            for index, event in enumerate(batch.flat)
        ]
        if self._options.max_length is not None:
            commands.append((b"XTRIM", key, b"MAXLEN", b"~", self._options.max_length))
        if self._max_age is not None:
            oldest = self._clock.time_ns() // _NANOSECONDS_PER_MS - int(self._max_age * 1000)
            commands.append((b"XTRIM", key, b"MINID", b"~", max(0, oldest)))
        return commands

    def _connected(self) -> Redis:
        if self._client is None:
            self._client = self._make_client()
            self.figures["connections"] += 1
        return self._client

    def _make_client(self) -> Redis:
        options, address = self._options, self._address
        place: dict[str, Any] = (
            {"unix_socket_path": address.path} if address.path else {"host": address.host, "port": address.port}
        )
        if address.tls:
            place |= {"ssl": True, "ssl_check_hostname": True, "ssl_ca_certs": options.ca_file}
        return Redis(
            **place,
            db=address.database,
            username=options.username if address.username is None else address.username,
            password=options.password if address.password is None else address.password,
            socket_timeout=self._timeout,
            socket_connect_timeout=self._timeout,
            # Delivery tries again, with the same batch; two that do so would multiply.
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )

    async def _within_timeout(self, work: Coroutine[Any, Any, None], *, opening: bool) -> None:
        error: SinkError | None = SinkError("cancelled", retryable=True)
        try:
            async with asyncio.timeout(self._timeout):
                await work
            error = None
        except TimeoutError:
            self.figures["timeouts"] += 1
            error = SinkError(
                f"Redis at {self._address.shown} did not answer within {self._timeout:g} s", retryable=True
            )
        except SinkError as raised:
            error = raised
        except (RedisError, OSError, ValueError, AttributeError) as raised:
            # A transport that was closed under the client has no loop any more, and asyncio falls over that.
            error = sink_error(raised, self._address.shown, opening=opening)
        finally:
            self._last_error = "" if error is None else str(error)
            if error is not None:
                await self._let_go()
        if error is not None:
            self.figures["refused"] += not opening
            # Not "from": the text of what the client raised quotes the event.
            raise error from None

    async def _let_go(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await client.aclose()
        except (RedisError, OSError, TimeoutError):
            # The peer of a dead connection does not say good-bye.
            return


def _fields_of(event: dict[str, Any]) -> list[bytes]:
    fields = []
    for field in _FIELDS:
        value = event.get(field)
        if isinstance(value, str) and value:
            fields += [field.encode(), value.encode("utf-8", "backslashreplace")]
    return fields
