"""The Kafka sink: its life cycle, the messages of a batch, and what delivery is told of each."""

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.errors import SinkError
from fapilog.offload import Offload
from fapilog.protocols import Batch
from fapilog.sinks.kafka.errors import RETRY_SECONDS, error_of
from fapilog.sinks.kafka.options import KafkaOptions
from fapilog.sinks.kafka.producer import Deliverer, Message
from fapilog.sinks.kafka.settings import settings_of
from fapilog.units import parse_duration

_CLOSE_SECONDS = 0.5
# The thread ends its work by itself at the timeout; this is for the purge, and if it does not.
_GRACE_SECONDS = 1.5
# Of the timeout; the rest is for purging and for getting back.
_DELIVERY_SHARE = 0.95
_HEADERS = ("event_id", "level")
_CONTENT_TYPE = ("content-type", b"application/json")
_KEYS = {
    "request": ("request_id", "trace_id", "logger"),
    "trace": ("trace_id", "request_id", "logger"),
    "logger": ("logger",),
    "none": (),
}
_FIGURES = ("batches", "events", "failed", "rejected", "producers")


class KafkaSink:
    """Produces events to a topic; ``write`` returns when all in-sync replicas have acknowledged each of them.

    A message's value is the JSON line without its newline, its key what ``key`` chose, its headers ``event_id``,
    ``level`` and ``content-type``, its time that of sending: retention counts from there, also for what waited on disk.
    Events with the same key lie in one partition in order. Across partitions Kafka knows no order.

    The producer is idempotent: what librdkafka sends again by itself within the timeout is there once. What was not
    acknowledged by then is purged and named; it may be there all the same, and is sent again as a new message with the
    same ``event_id``. Where only some messages of a partition failed, those come after the others. A producer that had
    to be purged, or that has failed for good, is replaced.

    librdkafka's calls are made in one daemon thread, its own threads connect in the background. For one task at a time.
    ``open`` makes everything anew in a forked child and leaves the parent's producer alone.

    Args:
        options: What was chosen.
        clock: Not used: what is sent has the time at which librdkafka takes it.

    Attributes:
        figures: How many ``batches`` were written, ``events`` acknowledged, ``failed`` for now, ``rejected`` for good,
            and how many ``producers`` were made.
    """

    format = "json"
    event_ids = True

    def __init__(self, options: KafkaOptions, clock: Clock = SYSTEM_CLOCK) -> None:  # noqa: ARG002 - as every sink
        """Start no thread."""
        self.name = options.name
        self.figures: Counter[str] = Counter(dict.fromkeys(_FIGURES, 0))
        self._options = options
        self._timeout = parse_duration(options.timeout, "add_kafka(timeout)")
        self._offload = Offload(f"fapilog-{self.name}")
        self._deliverer: Deliverer | None = None
        self._inherited: list[Deliverer] = []
        self._pid = 0
        self._opened = False
        self._last_error = ""

    async def open(self) -> None:
        """Start a producer, and wait until it knows the topic and who leads its partitions.

        Raises:
            SinkError: Retryable if no broker can be reached, or there is no such topic yet; not retryable if librdkafka
                refuses the configuration or a broker the user.
        """
        if self._pid != os.getpid():
            # Its threads are not here, and its connections are the parent's.
            self._inherited += [] if self._deliverer is None else [self._deliverer]
            self._deliverer, self._pid = None, os.getpid()
            self._offload = Offload(f"fapilog-{self.name}")
        await self._let_go()
        error = await self._in_thread(self._find_topic)
        self._last_error = "" if error is None else str(error)
        if error is not None:
            await self._let_go()
            raise error
        self._opened = True

    async def write(self, batch: Batch) -> None:
        """Produce a batch, and wait for the reports.

        Raises:
            SinkError: Retryable for what was not acknowledged, which is named if the rest was; ``rejected`` for what
                no broker ever takes, such as an event that is too large.
        """
        if not self._opened:
            raise SinkError("the sink is not open", retryable=True)
        self.figures["batches"] += 1
        messages = [_message(batch, index, _KEYS[self._options.key]) for index in range(len(batch))]
        error: SinkError | None = await self._in_thread(self._deliver, messages)
        if error is None:
            self._last_error = ""
            self.figures["events"] += len(batch)
            return
        failed = len(batch) if error.failed_indexes is None else len(error.failed_indexes)
        rejected = len(error.rejected)
        self.figures.update(events=len(batch) - failed, failed=failed - rejected, rejected=rejected)
        # Events that are too large are no failure of the sink's.
        self._last_error = "" if failed == rejected else str(error)
        raise error

    async def close(self) -> None:
        """End the producer, at once also if no broker answers."""
        self._opened = False
        await self._let_go()
        self._offload.close()

    def health(self) -> dict[str, Any]:
        """Return how the last open or write went, and where events go."""
        error = self._last_error
        return {
            "status": "failing" if error else "ok" if self._opened else "closed",
            "connected": self._opened and not error,
            "servers": ",".join(self._options.servers),
            "topic": self._options.topic,
            "last_error": error,
        }

    # --- in the thread

    def _find_topic(self, given_up: threading.Event) -> SinkError | None:
        try:
            self._producing().find_topic(self._timeout, given_up)
        except SinkError as error:
            return error
        return None

    def _deliver(self, given_up: threading.Event, messages: Sequence[Message]) -> SinkError | None:
        if given_up.is_set():
            return None
        try:
            deliverer = self._producing()
        except SinkError as error:
            # The events are not to blame for a file of certificates that is gone.
            return SinkError(str(error), retryable=True, retry_after=RETRY_SECONDS)
        codes, rejected = deliverer.deliver_all(messages, self._timeout * _DELIVERY_SHARE, given_up)
        return _outcome(len(messages), codes, rejected, self._options.topic, deliverer.fault)

    def _producing(self) -> Deliverer:
        deliverer = self._deliverer
        if deliverer is not None and deliverer.broken:
            self._deliverer = None
            deliverer.close()
        if self._deliverer is None:
            self._deliverer = Deliverer(settings_of(self._options, self._timeout), self._options.topic)
            self.figures["producers"] += 1
        return self._deliverer

    # --- on the loop

    async def _in_thread(self, function: Callable[..., SinkError | None], *args: Any) -> SinkError | None:
        given_up = threading.Event()
        try:
            async with asyncio.timeout(self._timeout + _GRACE_SECONDS):
                error: SinkError | None = await self._offload.run(function, given_up, *args)
                return error
        except TimeoutError:
            return SinkError("librdkafka did not return in time", retryable=True)
        except RuntimeError:
            return SinkError("the system gave no thread", retryable=True)
        finally:
            # Also if it was cancelled: the call then ends soon, and delivers nothing more.
            given_up.set()

    async def _let_go(self) -> None:
        deliverer, self._deliverer = self._deliverer, None
        if deliverer is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._offload.run(deliverer.close)
        except (TimeoutError, RuntimeError):
            # Its threads end by themselves, a little later or with the process.
            return


def _outcome(
    count: int, codes: Mapping[int, int], rejected: Mapping[int, str], topic: str, fault: int | None
) -> SinkError | None:
    if codes:
        error = error_of(next(iter(codes.values())), topic, fault)
        if len(codes) == count:
            return error
        text, later = str(error), error.retry_after
        return SinkError(text, retryable=True, retry_after=later, failed_indexes=codes, rejected=rejected)
    if rejected:
        reasons = Counter(rejected.values()).most_common()
        text = "; ".join(f"{number} {reason}" for reason, number in reasons)
        return SinkError(f"Kafka will never take {len(rejected)} events: {text}", failed_indexes=(), rejected=rejected)
    return None


def _message(batch: Batch, index: int, keys: Iterable[str]) -> Message:
    event = batch.flat[index]
    found = (event.get(key) for key in keys)
    key = next((value.encode("utf-8", "backslashreplace") for value in found if isinstance(value, str) and value), None)
    headers: list[tuple[str, str | bytes | None]]
    headers = [(name, event[name].encode("utf-8", "backslashreplace")) for name in _HEADERS if name in event]
    return Message(key, batch.line(index)[:-1], [*headers, _CONTENT_TYPE])
