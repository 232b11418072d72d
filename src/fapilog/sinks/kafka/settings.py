"""The sink's options as librdkafka's configuration.

https://docs.confluent.io/platform/current/clients/librdkafka/html/md_CONFIGURATION.html tells the properties, their
ranges and defaults.
"""

from typing import Any

from fapilog.sinks.kafka.options import KafkaOptions

_MESSAGE_SHARE = 0.8


def settings_of(options: KafkaOptions, timeout: float) -> dict[str, Any]:
    """Return the configuration of a producer.

    librdkafka looks once a second for messages whose time is over, so they are given less of it than a batch has: it
    then tells itself what became of each, and only what it has not told by the end is purged.

    Args:
        options: What was chosen.
        timeout: Seconds that a batch may take.
    """
    milliseconds = int(timeout * 1000)
    settings: dict[str, Any] = {
        "client.id": "fapilog",
        # The same key lies in the same partition as that of a Java producer.
        "partitioner": "murmur2_random",
        # Only until the batch is complete: flush does not wait for it.
        "linger.ms": 5,
        "socket.timeout.ms": milliseconds,
        "socket.connection.setup.timeout.ms": milliseconds,
        "request.timeout.ms": milliseconds,
        # A broker that is back should not be found only ten seconds later.
        "reconnect.backoff.max.ms": 2000,
        "topic.metadata.propagation.max.ms": milliseconds,
    }
    settings |= options.config
    settings |= {
        "bootstrap.servers": ",".join(options.servers),
        "enable.idempotence": True,
        "acks": "all",
        "message.timeout.ms": int(milliseconds * _MESSAGE_SHARE),
        "compression.type": options.compression,
        "security.protocol": _protocol(options),
        # It would write to standard error.
        "log_level": 0,
    }
    if options.ca_file is not None:
        settings["ssl.ca.location"] = options.ca_file
    if options.sasl_mechanism is not None:
        settings["sasl.mechanism"] = options.sasl_mechanism
        settings["sasl.username"] = options.sasl_username
        settings["sasl.password"] = options.sasl_password
    return settings


def _protocol(options: KafkaOptions) -> str:
    if options.sasl_mechanism is None:
        return "SSL" if options.tls else "PLAINTEXT"
    return "SASL_SSL" if options.tls else "SASL_PLAINTEXT"
