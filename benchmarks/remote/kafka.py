"""To a topic of librdkafka's own mock cluster, in a process of its own, ``tests/services/kafka.py``."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import confluent_kafka

from benchmarks.remote import Sending
from benchmarks.remote.senders import PATIENCE_SECONDS, Ours, handled
from tests.services.kafka import KafkaServer

SETUP = {
    "ours_kafka": "add_kafka, batches of 500",
    "kafka_produce": "logging, a handler that produces each record, idempotent, in librdkafka's own batches",
}


class Producing(logging.Handler):
    """One produce a record; librdkafka gathers them.

    Args:
        server: Where to.
    """

    def __init__(self, server: KafkaServer) -> None:
        """Make the producer."""
        super().__init__()
        self._topic = server.topic
        self._producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": server.servers,
                "enable.idempotence": True,
                "queue.buffering.max.messages": 200_000,
                "log_level": 0,
            }
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Produce one, and hear what became of others."""
        key = record.__dict__["trace_id"]
        self._producer.produce(self._topic, self.format(record), key, on_delivery=self._delivered)
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


@contextmanager
def produce(folder: Path) -> Iterator[Sending]:
    """Produce by a handler."""
    with KafkaServer(folder) as server:
        handler = Producing(server)
        yield Sending(handled(handler), handler.settle, lambda: _sequences(server))


def _sequences(server: KafkaServer) -> list[int]:
    return [event["seq"] for event in server.received()]


STARTS = {"ours_kafka": ours, "kafka_produce": produce}
