"""The CloudWatch sink: its life cycle, one batch as calls in order, and what delivery is told of each event."""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.errors import SinkError
from fapilog.protocols import Batch
from fapilog.sinks.cloudwatch.client import Event, LogsClient
from fapilog.sinks.cloudwatch.connection import Connection
from fapilog.sinks.cloudwatch.errors import THROTTLED, code_of, is_about_credentials, sink_error
from fapilog.sinks.cloudwatch.options import CloudwatchOptions, stream_name
from fapilog.sinks.cloudwatch.packing import pack, rejected_of
from fapilog.units import parse_duration

_NANOSECONDS_PER_MS = 1_000_000
_HEAD = b'{"timestamp":"'
_END_OF_TIME = len(b'{"timestamp":"2026-11-21T09:00:00.123456Z')
_MOST_HANGING = 4
# What boto3 waits for bytes is less than the deadline: an ordinary hang then ends by itself, in its thread.
_WAIT_SHARE = 0.9
_FIGURES = ("calls", "events", "rejected", "throttled", "timeouts", "created", "retention_refused")


class CloudwatchSink:
    """Sends events to a log stream by PutLogEvents: the JSON line is the message, the event's time its time.

    A batch becomes as few calls as the service's limits allow, sorted by time. ``write`` returns when all events were
    taken. Events that the service never takes (too large, too old, too far in the future) are named with their reasons;
    when a call fails, so is everything that was not taken. What was being sent when the connection broke may have
    arrived and is sent again: ``event_id`` in the line tells the double.

    boto3 blocks, so its calls run in one daemon thread. A call that outlives the timeout is left behind with thread and
    connection, at most four at a time. ``open`` makes everything anew, also in a forked child. Credentials, region and
    proxies are looked for as boto3 does; what ends with the process is what was not acknowledged.

    Args:
        options: What was chosen.
        clock: The time of an event that has no readable one of its own.

    Attributes:
        figures: How many ``calls`` were made, ``events`` taken, ``rejected`` for good, calls ``throttled`` and
            ``timeouts``; how many groups and streams were ``created``; how often a ``retention_refused``.
    """

    format = "json"
    event_ids = True

    def __init__(self, options: CloudwatchOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        """Make no call and start no thread."""
        self.name = options.name
        self.figures: Counter[str] = Counter(dict.fromkeys(_FIGURES, 0))
        self._options = options
        self._clock = clock
        self._timeout = parse_duration(options.timeout, "add_cloudwatch(timeout)")
        self._stream = ""
        self._connection: Connection | None = None
        self._hanging: list[Connection] = []
        self._kept: LogsClient | None = None
        self._pid = 0
        self._last_error = ""
        self._opened = False

    async def open(self) -> None:
        """Find credentials, and create group and stream, or with ``create=False`` look whether they are there.

        Raises:
            SinkError: Retryable if the service cannot be reached or is busy; not retryable without credentials,
                region or permissions, or if the group or stream is missing and must not be created.
        """
        if self._pid != os.getpid():
            # A forked child has neither the thread nor a right to the connection.
            self._connection, self._kept, self._hanging, self._pid = None, None, [], os.getpid()
        self._opened = False
        self._stream = stream_name(self._options.stream)
        try:
            error = await self._within_timeout(self._prepare())
        except asyncio.CancelledError:
            self._let_go()
            raise
        if error is not None:
            self._failed(error)
            # Whoever could not open need not close; making a client takes 50 ms, and a second later it is needed again.
            kept = self._connection.client if self._connection is not None and error.retryable else None
            self._let_go()
            self._kept = kept
            raise error
        self._opened, self._last_error = True, ""

    async def write(self, batch: Batch) -> None:
        """Send a batch.

        Raises:
            SinkError: Retryable if the service is busy, unreachable, slow or refuses credentials. Otherwise it never
                takes the events that are named; if none is named, it refuses some of the batch for another reason.
        """
        if not self._opened:
            raise SinkError("the sink is not open", retryable=True)
        times = _times(batch, self._clock)
        calls, rejected = pack(times, [len(batch.line(index)) - 1 for index in range(len(batch))])
        taken: set[int] = set()
        error = await self._within_timeout(self._send(batch, times, calls, taken, rejected))
        self.figures["events"] += len(taken)
        self.figures["rejected"] += len(rejected)
        if error is None:
            self._last_error = ""
            if rejected:
                raise SinkError(_summary(rejected), failed_indexes=rejected, rejected=rejected)
            return
        self._failed(error)
        if not taken and not rejected:
            raise error
        # With names, "not retryable" would mean that all of these are bad; without, that nothing was taken.
        waiting = [index for call in calls for index in call if index not in taken and index not in rejected]
        raise SinkError(
            str(error), retryable=True, retry_after=error.retry_after, failed_indexes=waiting, rejected=rejected
        ) from error

    async def close(self) -> None:
        """Let go of the connection at once; a call that runs goes on in its thread until it ends."""
        self._opened = False
        self._let_go()

    def health(self) -> dict[str, Any]:
        """Return how the last open or write went, and where events go."""
        status = "failing" if self._last_error else "ok" if self._opened else "closed"
        return {
            "status": status,
            "connected": self._opened and not self._last_error,
            "group": self._options.group,
            "stream": self._stream,
            "last_error": self._last_error,
            "hanging_calls": sum(connection.busy for connection in self._hanging),
        }

    async def _prepare(self) -> None:
        await self._call(LogsClient.prepare, opening=True)

    async def _send(
        self,
        batch: Batch,
        times: Sequence[int],
        calls: Sequence[Sequence[int]],
        taken: set[int],
        rejected: dict[int, str],
    ) -> None:
        for call in calls:
            events: list[Event] = [_event(batch, times, index) for index in call]
            answer: Mapping[str, Any] = await self._call(LogsClient.put, events)
            refused = rejected_of(answer, call)
            rejected.update(refused)
            taken.update(index for index in call if index not in refused)

    async def _call(self, function: Callable[..., Any], *args: Any, opening: bool = False) -> Any:
        try:
            answer, error = await self._connected().run(function, *args)
        except RuntimeError:
            raise SinkError("the system gave no thread", retryable=True) from None
        self.figures["calls"] += 1
        if error is None:
            return answer
        if isinstance(error, SinkError):
            raise error
        self.figures["throttled"] += code_of(error) in THROTTLED
        if is_about_credentials(error):
            # The next client looks for them anew: files, environment, role.
            self._let_go()
        # Not "from": the text of what boto3 raised may quote a signature or a token.
        raise sink_error(error, opening=opening) from None

    async def _within_timeout(self, work: Coroutine[Any, Any, None]) -> SinkError | None:
        try:
            async with asyncio.timeout(self._timeout):
                await work
        except TimeoutError:
            self.figures["timeouts"] += 1
            self._let_go()
            return SinkError(f"CloudWatch did not answer within {self._timeout:g} s", retryable=True)
        except SinkError as error:
            return error
        return None

    def _connected(self) -> Connection:
        if self._connection is None:
            self._hanging = [connection for connection in self._hanging if connection.busy]
            if len(self._hanging) >= _MOST_HANGING:
                raise SinkError(f"{len(self._hanging)} calls that were given up have not ended yet", retryable=True)
            self._connection = Connection(f"fapilog-{self.name}", self._make_client)
        return self._connection

    def _make_client(self) -> LogsClient:
        kept, self._kept = self._kept, None
        return kept or LogsClient(self._options, self._stream, self._timeout * _WAIT_SHARE, self.figures)

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            self._hanging.append(connection)

    def _failed(self, error: SinkError) -> None:
        self._last_error = str(error)


def _event(batch: Batch, times: Sequence[int], index: int) -> Event:
    return {"timestamp": times[index], "message": batch.line(index)[:-1].decode("utf-8", "replace")}


def _times(batch: Batch, clock: Clock) -> list[int]:
    """Return the milliseconds since 1970 of each event, read from its line where that begins with its time."""
    times = []
    for index in range(len(batch)):
        line = batch.line(index)
        time = (
            _milliseconds(line[len(_HEAD) : _END_OF_TIME].decode("ascii", "replace"))
            if line.startswith(_HEAD)
            else None
        )
        if time is None:
            # Of another schema; the dicts are built at the first need.
            time = _milliseconds(batch.flat[index].get("timestamp"))
        times.append(clock.time_ns() // _NANOSECONDS_PER_MS if time is None else time)
    return times


def _milliseconds(text: object) -> int | None:
    """Return a time, those before 1970 as 0, which the service refuses as too old; None if it is not readable."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        whole = moment.replace(microsecond=0, tzinfo=moment.tzinfo or UTC)
        return max(0, int(whole.timestamp()) * 1_000 + moment.microsecond // 1_000)
    except (ValueError, OverflowError):
        return None


def _summary(rejected: Mapping[int, str]) -> str:
    reasons = Counter(rejected.values()).most_common()
    return f"CloudWatch will never take {len(rejected)} events: " + "; ".join(f"{n} {reason}" for reason, n in reasons)
