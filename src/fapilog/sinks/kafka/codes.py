"""Error codes of librdkafka's own, all below zero, which its Python client names with an underscore.

``RD_KAFKA_RESP_ERR__…`` in https://github.com/confluentinc/librdkafka/blob/master/src/rdkafka.h.
"""

from confluent_kafka import KafkaError


def _own(name: str) -> int:
    return int(getattr(KafkaError, f"_{name}"))


AUTHENTICATION = _own("AUTHENTICATION")
MSG_TIMED_OUT = _own("MSG_TIMED_OUT")
PURGE_INFLIGHT = _own("PURGE_INFLIGHT")
PURGE_QUEUE = _own("PURGE_QUEUE")
QUEUE_FULL = _own("QUEUE_FULL")
SSL = _own("SSL")
STATE = _own("STATE")
TIMED_OUT = _own("TIMED_OUT")
TRANSPORT = _own("TRANSPORT")
UNKNOWN_PARTITION = _own("UNKNOWN_PARTITION")
UNKNOWN_TOPIC = _own("UNKNOWN_TOPIC")
UNSUPPORTED_FEATURE = _own("UNSUPPORTED_FEATURE")
