"""What librdkafka's error codes mean for the events, in words of our own.

Codes: https://kafka.apache.org/protocol#protocol_error_codes; those below zero are librdkafka's own.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from confluent_kafka import KafkaError

from fapilog.errors import SinkError
from fapilog.sinks.kafka import codes

RETRY_SECONDS = 30.0
# A broker says this of all messages that came with the one it means, so each is sent alone before any is rejected.
SUSPECT = MappingProxyType(
    {
        KafkaError.MSG_SIZE_TOO_LARGE: "larger than the topic or the producer allows (max.message.bytes)",
        KafkaError.RECORD_LIST_TOO_LARGE: "larger than a segment of the topic",
        KafkaError.INVALID_RECORD: "not a record that the topic allows",
        KafkaError.INVALID_TIMESTAMP: "its time is not one that the topic allows",
    }
)
TOO_LARGE = SUSPECT[KafkaError.MSG_SIZE_TOO_LARGE]
_PERSONS = MappingProxyType(
    {
        codes.AUTHENTICATION: "refuses the user name or password",
        KafkaError.SASL_AUTHENTICATION_FAILED: "refuses the user name or password",
        KafkaError.UNSUPPORTED_SASL_MECHANISM: "does not know this SASL mechanism",
        codes.UNSUPPORTED_FEATURE: "does not support what was configured",
        codes.SSL: "cannot be spoken to over TLS: its certificate, its host name, or no TLS at all",
        KafkaError.TOPIC_AUTHORIZATION_FAILED: "does not permit this user to write to the topic",
        KafkaError.CLUSTER_AUTHORIZATION_FAILED: "does not permit this user idempotent writes",
        KafkaError.TOPIC_EXCEPTION: "does not allow this topic's name, or that it is written to",
        KafkaError.POLICY_VIOLATION: "has a policy against it",
    }
)
_UNKNOWN_TOPIC = (KafkaError.UNKNOWN_TOPIC_OR_PART, codes.UNKNOWN_TOPIC, codes.UNKNOWN_PARTITION)
_LATE = (codes.MSG_TIMED_OUT, codes.PURGE_QUEUE, codes.PURGE_INFLIGHT, codes.TIMED_OUT)
_PROPERTY = re.compile(r'configuration property:? "([a-z0-9._]+)"', re.ASCII)


def needs_a_person(code: int) -> bool:
    """Return whether an error passes only when somebody changes the configuration, here or there."""
    return code in _PERSONS


def error_of(code: int, topic: str, fault: int | None, *, opening: bool = False) -> SinkError:
    """Return the error for a whole batch, or for ``open``.

    Args:
        code: What was said of the messages.
        topic: The topic.
        fault: What was last said of the connection, if it did not get better.
        opening: Whether it is raised in ``open``, where what only a person can mend is not retryable. In a write the
            events are not to blame, and wait.
    """
    late = code in _LATE or code == codes.TRANSPORT
    if fault is not None and late and needs_a_person(fault):
        code = fault
    if needs_a_person(code):
        return _setup(f"Kafka {_PERSONS[code]} ({name_of(code)})", opening=opening)
    if code in _UNKNOWN_TOPIC:
        text = f"Kafka has no topic {topic!r}, or none with partitions ({name_of(code)})"
        return SinkError(text, retryable=True, retry_after=RETRY_SECONDS)
    if late:
        why = name_of(code if fault is None else fault)
        return SinkError(f"Kafka did not acknowledge in time ({why})", retryable=True)
    return SinkError(f"Kafka takes nothing now ({name_of(code)})", retryable=True)


def configuration_error(error: Exception, names: Mapping[str, object]) -> SinkError:
    """Return the error for a configuration that librdkafka refuses; a value is not told, for it may be a secret."""
    text = str(error)
    told = _PROPERTY.search(text)
    # librdkafka tells a property by its first name, which need not be the one that was used.
    guilty = told[1] if told else next((name for name in sorted(names, key=len, reverse=True) if name in text), None)
    if guilty is None:
        return SinkError("librdkafka refuses the configuration")
    missing = "has no property" if "No such configuration property" in text else "refuses the value of"
    return SinkError(f"librdkafka {missing} {guilty!r}")


def name_of(code: int) -> str:
    """Return the name of a code, such as ``_MSG_TIMED_OUT``."""
    return str(KafkaError(code).name())


def _setup(text: str, *, opening: bool) -> SinkError:
    if opening:
        return SinkError(text)
    return SinkError(text, retryable=True, retry_after=RETRY_SECONDS)
