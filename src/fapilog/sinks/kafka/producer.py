"""The calls of librdkafka that block, for one thread.

Deliverer(settings, topic).find_topic(seconds)
Deliverer(settings, topic).deliver(messages, seconds) ─► {position: error code} of what was not acknowledged
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer

from fapilog.sinks.kafka import codes
from fapilog.sinks.kafka.errors import SUSPECT, configuration_error, error_of, needs_a_person

_SLICE_SECONDS = 0.1
_FIRST_LOOK_SECONDS = 0.25
_PURGE_SECONDS = 1.0
_NOT_YET = (KafkaError.LEADER_NOT_AVAILABLE, codes.TRANSPORT, codes.TIMED_OUT)
_Reports = dict[int, int | None]


class Message(NamedTuple):
    """One event as it is produced."""

    key: bytes | None
    value: bytes
    headers: list[tuple[str, str | bytes | None]]


class Silent:
    """Where librdkafka's log lines go: nowhere. What matters of them comes as errors, too."""

    def log(self, *_: object) -> None:
        """Drop a line."""


class Deliverer:
    """One producer, for one thread at a time.

    Args:
        settings: librdkafka's configuration.
        topic: The topic.

    Attributes:
        fault: The code of what was last said of the connection; None when a message was acknowledged since.
        broken: Whether it cannot be used any more: a fatal error, or messages were purged, so that what the brokers
            expect next is not known.

    Raises:
        SinkError: Not retryable, if librdkafka refuses the configuration.
    """

    def __init__(self, settings: dict[str, Any], topic: str) -> None:
        """Start librdkafka's threads, which begin to connect."""
        self.fault: int | None = None
        self.broken = False
        self._topic = topic
        try:
            self._producer: Producer | None = Producer({**settings, "error_cb": self._faulted}, logger=Silent())
        except (KafkaException, TypeError, ValueError) as error:
            raise configuration_error(error, settings) from None

    def find_topic(self, seconds: float, given_up: threading.Event) -> None:
        """Wait until the topic and the leaders of its partitions are known.

        Raises:
            SinkError: Retryable if no broker answers or there is no such topic yet; not retryable if a broker refuses.
        """
        end = time.monotonic() + seconds
        look = _FIRST_LOOK_SECONDS
        while True:
            code = self._look(max(0.01, min(look, end - time.monotonic())))
            if code is None:
                self.fault = None
                return
            fault = self.fault if code in _NOT_YET else None
            over = time.monotonic() >= end or given_up.is_set()
            if over or code not in _NOT_YET or (fault is not None and needs_a_person(fault)):
                raise error_of(code, self._topic, fault, opening=True)
            # A call that timed out is not continued by the next one: each has longer.
            look *= 2

    def deliver_all(
        self, messages: Sequence[Message], seconds: float, given_up: threading.Event
    ) -> tuple[dict[int, int], dict[int, str]]:
        """Deliver a batch; what a broker finds too large or invalid is sent again alone, to find out what it meant.

        Args:
            messages: The batch.
            seconds: How long it may take; what is not reported by then is purged.
            given_up: Set from another thread to end it within 100 ms.

        Returns:
            The error codes of what was not acknowledged and may be later, and the reasons of what will never be, by
            position.
        """
        end = time.monotonic() + seconds
        failed = self._deliver(messages, range(len(messages)), end, given_up)
        rejected: dict[int, str] = {}
        for index in [index for index, code in failed.items() if code in SUSPECT]:
            if self.broken or time.monotonic() >= end:
                failed[index] = codes.MSG_TIMED_OUT
                continue
            code = self._deliver(messages, [index], end, given_up).get(index)
            if code is None:
                del failed[index]
            elif code in SUSPECT:
                rejected[index] = SUSPECT[code]
                del failed[index]
            else:
                failed[index] = code
        return failed, rejected

    def _deliver(
        self, messages: Sequence[Message], indexes: Iterable[int], end: float, given_up: threading.Event
    ) -> dict[int, int]:
        """Produce some messages and return the error codes of those that were not acknowledged, by position."""
        producer = self._producer
        reports: _Reports = {}
        wanted = list(indexes)
        if producer is None:
            return dict.fromkeys(wanted, codes.STATE)
        for index in wanted:
            while not self._produce(producer, messages[index], partial(_reported, reports, index)):
                if time.monotonic() >= end or given_up.is_set():
                    reports[index] = codes.QUEUE_FULL
                    break
                self._serve(producer.poll, _SLICE_SECONDS)
        while len(reports) < len(wanted) and (left := end - time.monotonic()) > 0:
            self._serve(producer.flush, min(left, _SLICE_SECONDS))
            if self.broken or given_up.is_set():
                break
        if len(reports) < len(wanted):
            # Nothing may be delivered after delivery has been told that it was not.
            producer.purge(in_queue=True, in_flight=True, blocking=True)
            self._serve(producer.flush, _PURGE_SECONDS)
            # What was on its way leaves a gap in the sequence; what was not sent yet does not, and a new producer would
            # have to be greeted by the brokers again, which takes longer than a short timeout.
            self.broken = self.broken or not {*reports.values()} <= {None, codes.PURGE_QUEUE, codes.MSG_TIMED_OUT}
        found = {index: reports.get(index, codes.MSG_TIMED_OUT) for index in wanted}
        if None in found.values():
            self.fault = None
        return {index: code for index, code in found.items() if code is not None}

    def close(self) -> None:
        """End librdkafka's threads; what they have not sent is thrown away."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge(in_queue=True, in_flight=True, blocking=False)
            # The last reference is the end of it.
            del producer

    def _produce(self, producer: Producer, message: Message, report: Callable[[KafkaError | None, Any], None]) -> bool:
        """Queue a message; False if there is no room for it. What is wrong with it is reported."""
        try:
            producer.produce(
                self._topic, value=message.value, key=message.key, headers=message.headers, on_delivery=report
            )
        except BufferError:
            return False
        except KafkaException as error:
            self.broken = self.broken or error.args[0].fatal()
            report(error.args[0], None)
        return True

    def _serve(self, call: Callable[[float], int], seconds: float) -> None:
        """Wait for reports and errors; a fatal error may be told to ``_faulted``, or raised, or both."""
        try:
            call(seconds)
        except KafkaException as error:
            self._faulted(error.args[0])

    def _look(self, seconds: float) -> int | None:
        """Return None if the topic can be written to, or what is in the way."""
        if self._producer is None:
            return codes.STATE
        try:
            topic = self._producer.list_topics(self._topic, timeout=seconds).topics[self._topic]
        except KafkaException as error:
            code = _code_of(error)
        else:
            code = KafkaError.NO_ERROR if topic.error is None else topic.error.code()
        # Errors of connections are told only to who asks.
        self._serve(self._producer.poll, 0)
        return None if code == KafkaError.NO_ERROR else code

    def _faulted(self, error: KafkaError) -> None:
        if error.fatal():
            self.broken = True
        # A refused login is followed by "transport" and "all brokers are down": the reason is what matters.
        if self.fault is None or needs_a_person(error.code()):
            self.fault = error.code()


def _reported(reports: _Reports, index: int, error: KafkaError | None, _: object) -> None:
    reports[index] = None if error is None else error.code()


def _code_of(error: KafkaException) -> int:
    return int(error.args[0].code())
