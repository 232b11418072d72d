"""librdkafka's own mock cluster in a process of its own, whose brokers can be taken down and brought up again.

    test ─ commands, a line each ─► this file as a program: brokers (ctypes on confluent_kafka's library)
         ◄───── an answer each ────   and a consumer, which writes what it reads to a file at once

What it is not: a broker with a disk. `kill` takes all brokers down, so that connections break off and new ones are
refused as if the processes were gone, but it keeps what they had acknowledged, as a log on disk does; a SIGKILL would
lose it.
There is no TLS and no SASL. The mock does not drop what an idempotent producer sends twice.
"""

import ctypes
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

DEADLINE_SECONDS = 20.0
TOPIC = "fapilog"
PARTITIONS = 4
PRODUCE = 0
_PRODUCER = 0
_TEXT_BYTES = 512


class KafkaServer:
    """A cluster of one broker with one topic of four partitions.

    Args:
        folder: Where the file of what arrived is.
        partitions: How many the topic has.

    Attributes:
        servers: The broker's address, the same after a restart.
        topic: The topic.
    """

    topic = TOPIC

    def __init__(self, folder: Path, partitions: int = PARTITIONS) -> None:
        """Start nothing."""
        self.folder = folder
        self.file = folder / "received.jsonl"
        self.servers = ""
        self._partitions = partitions
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, or bring the brokers up again."""
        if self._process is not None:
            self._call("up")
            return
        command = [sys.executable, __file__, str(self.file), str(self._partitions)]
        with (self.folder / "kafka.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1
            )
        self.servers = self._call("servers")

    def kill(self) -> None:
        """Take all brokers down; what was acknowledged stays."""
        self._call("down")

    def stop(self) -> None:
        """End it, and with it all data but the file."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()

    def fail(self, code: int, times: int = 1, api: int = PRODUCE) -> None:
        """Let the next requests be answered by an error code of Kafka's."""
        self._call(f"fail {api} {code} {times}")

    def forgive(self, api: int = PRODUCE) -> None:
        """Answer requests as usual again."""
        self._call(f"forgive {api}")

    def slow(self, milliseconds: int) -> None:
        """Let every answer take this long."""
        self._call(f"slow {milliseconds}")

    def topic_fails(self, code: int, topic: str = TOPIC) -> None:
        """Let the topic be told with an error code; 0 is none."""
        self._call(f"topic {topic} {code}")

    def messages(self) -> list[dict[str, Any]]:
        """Return all messages: partition, offset, key, value, headers; in order within each partition."""
        self._call("settle")
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        return [json.loads(line) for line in lines]

    def received(self) -> list[dict[str, Any]]:
        """Return all events, those of each partition in its order."""
        return [json.loads(message["value"]) for message in self.messages()]

    def _call(self, command: str) -> str:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(command + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer.startswith("ok "):
            log = (self.folder / "kafka.log").read_text()[-2000:]
            raise RuntimeError(f"{command}: {answer.strip()}: {log}")
        return answer[3:].strip()


class Cluster:
    """The brokers, by the functions of `rdkafka_mock.h`.

    Args:
        partitions: How many the topic has.
    """

    def __init__(self, partitions: int) -> None:
        """Start one broker and create the topic."""
        library = self._library = _library()
        for name in ("rd_kafka_new", "rd_kafka_mock_cluster_new"):
            getattr(library, name).restype = ctypes.c_void_p
        library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
        text = ctypes.create_string_buffer(_TEXT_BYTES)
        client = library.rd_kafka_new(_PRODUCER, None, text, ctypes.c_size_t(_TEXT_BYTES))
        if not client:
            raise RuntimeError(text.value.decode())
        self._cluster = ctypes.c_void_p(library.rd_kafka_mock_cluster_new(ctypes.c_void_p(client), 1))
        self._require("rd_kafka_mock_topic_create", TOPIC.encode(), partitions, 1)
        self.servers = library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def down(self) -> None:
        """Break all connections and refuse new ones."""
        self._require("rd_kafka_mock_broker_set_down", 1)

    def up(self) -> None:
        """Take connections again, at the same port."""
        self._require("rd_kafka_mock_broker_set_up", 1)

    def fail(self, api: str, code: str, times: str) -> None:
        """Answer requests by an error."""
        codes = (ctypes.c_int * int(times))(*[int(code)] * int(times))
        call = self._library.rd_kafka_mock_push_request_errors_array
        call(self._cluster, ctypes.c_int16(int(api)), ctypes.c_size_t(int(times)), codes)

    def forgive(self, api: str) -> None:
        """Answer them as usual."""
        self._library.rd_kafka_mock_clear_request_errors(self._cluster, ctypes.c_int16(int(api)))

    def slow(self, milliseconds: str) -> None:
        """Answer late."""
        self._require("rd_kafka_mock_broker_set_rtt", -1, int(milliseconds))

    def topic(self, name: str, code: str) -> None:
        """Tell a topic with an error."""
        self._library.rd_kafka_mock_topic_set_error(self._cluster, name.encode(), int(code))

    def _require(self, name: str, *args: Any) -> None:
        code = getattr(self._library, name)(self._cluster, *args)
        if code:
            raise RuntimeError(f"{name}: {code}")


def _library() -> Any:
    import confluent_kafka

    folder = Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs"
    return ctypes.CDLL(str(next(folder.glob("librdkafka-*.so*"))))


class Reader:
    """A consumer of all partitions that writes what it reads to a file."""

    def __init__(self, servers: str, file: str, partitions: int) -> None:
        """Begin at the beginning."""
        from confluent_kafka import Consumer, TopicPartition

        settings = {
            "bootstrap.servers": servers,
            "group.id": "tests",
            "enable.auto.commit": False,
            "log_level": 0,
            # The cluster keeps 5 MB of a partition: what is not read by then is gone.
            "reconnect.backoff.ms": 10,
            "reconnect.backoff.max.ms": 50,
            "fetch.wait.max.ms": 50,
        }
        self._partitions = [TopicPartition(TOPIC, number, 0) for number in range(partitions)]
        self._consumer = Consumer(settings)
        self._consumer.assign(self._partitions)
        self._next = [0] * partitions
        self._file = Path(file).open("a", encoding="utf-8")  # noqa: SIM115 - until the process ends

    def read(self, seconds: float) -> None:
        """Write what there is, after waiting for it."""
        for message in self._consumer.consume(5000, seconds):
            if message.error() is None:
                self._next[message.partition()] = message.offset() + 1
                self._file.write(json.dumps(_as_dict(message)) + "\n")
        self._file.flush()

    def settle(self) -> None:
        """Read on until everything that was there at the call is written."""
        for partition in self._partitions:
            _, high = self._consumer.get_watermark_offsets(partition, timeout=DEADLINE_SECONDS)
            deadline = time.monotonic() + DEADLINE_SECONDS
            while self._next[partition.partition] < high:
                if time.monotonic() > deadline:
                    raise RuntimeError(
                        f"read up to {self._next} of {high}: the cluster has thrown away what is between"
                    )
                self.read(0.1)


def _as_dict(message: Any) -> dict[str, Any]:
    key = message.key()
    return {
        "partition": message.partition(),
        "offset": message.offset(),
        "key": None if key is None else key.decode(),
        "value": message.value().decode(),
        "headers": {name: value.decode() for name, value in message.headers() or []},
    }


def _serve(file: str, partitions: str) -> None:
    import queue
    import threading

    cluster = Cluster(int(partitions))
    reader = Reader(cluster.servers, file, int(partitions))
    commands: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            commands.put(line)
        commands.put(None)

    threading.Thread(target=listen, daemon=True).start()
    answers: dict[str, Callable[..., Any]] = {
        "servers": lambda: cluster.servers,
        "settle": reader.settle,
        **{name: getattr(cluster, name) for name in ("up", "down", "fail", "forgive", "slow", "topic")},
    }
    while True:
        try:
            line = commands.get_nowait()
        except queue.Empty:
            reader.read(0.02)
            continue
        if line is None:
            return
        name, *args = line.split()
        sys.stdout.write(f"ok {answers[name](*args) or ''}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
