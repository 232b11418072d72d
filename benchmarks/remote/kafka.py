"""To a topic of librdkafka's own mock cluster, in a process of its own, ``tests/services/kafka.py``."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import confluent_kafka

from benchmarks.remote import Sending, Start
from benchmarks.remote.senders import PATIENCE_SECONDS, Ours, handled
from tests.services.kafka import KafkaServer

SETUP = {
    "ours_kafka": "add_kafka, batches of 500",
    "kafka_produce": "logging, a handler that produces each record, idempotent, in librdkafka's own batches",
    "kafka_flush": "the same, the acknowledgement of each record awaited",
}


class Producing(logging.Handler):
    """One produce a record.

    Args:
        server: Where to.
        each: Await each acknowledgement; else librdkafka gathers records.
    """

    def __init__(self, server: KafkaServer, *, each: bool) -> None:
        """Make the producer."""
        super().__init__()
        self._topic = server.topic
        self._each = each
        self._producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": server.servers,
                "enable.idempotence": True,
                "queue.buffering.max.messages": 200_000,
                "log_level": 0,
                **({"linger.ms": 0} if each else {}),
            }
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Produce one, and hear what became of others."""
        key = record.__dict__["trace_id"]
        self._producer.produce(self._topic, self.format(record), key, on_delivery=self._delivered)
        if self._each:
            self.settle()
        else:
            self._producer.poll(0)

    def settle(self) -> None:
        """Wait for all reports."""
        if self._producer.flush(PATIENCE_SECONDS):
            raise TimeoutError("flush")

    @staticmethod
    def _delivered(error: object, _message: object) -> None:
        if error is not None:
            raise RuntimeError(error)


@contextmanager
def ours(folder: Path) -> Iterator[Sending]:
    """Produce by our sink."""
    with KafkaServer(folder) as server:
        logger = Ours(lambda builder: builder.add_kafka(server.servers, server.topic))
        yield Sending(logger.emit, logger.settle, lambda: _sequences(server))
        logger.stop()


def _producing(*, each: bool) -> Start:
    @contextmanager
    def start(folder: Path) -> Iterator[Sending]:
        with KafkaServer(folder) as server:
            handler = Producing(server, each=each)
            yield Sending(handled(handler), handler.settle, lambda: _sequences(server))

    return start


def _sequences(server: KafkaServer) -> list[int]:
    return [event["seq"] for event in server.received()]


STARTS = {
    "ours_kafka": ours,
    "kafka_produce": _producing(each=False),
    "kafka_flush": _producing(each=True),
}
