"""What can be chosen about the Kafka sink; importing this imports no ``confluent_kafka``."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from fapilog import checks
from fapilog.errors import ConfigError
from fapilog.units import parse_duration

KEYS = ("request", "trace", "logger", "none")
COMPRESSIONS = ("none", "gzip", "snappy", "lz4", "zstd")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
# A new producer is greeted by the brokers after half a second: with less, no message would ever be in time.
_LEAST_TIMEOUT_SECONDS = 1
_LONGEST_TIMEOUT_SECONDS = 300
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}", re.ASCII)
_SERVER = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?", re.ASCII)
_PROPERTY = re.compile(r"[a-z][a-z0-9_.]*", re.ASCII)
_MAX_PORT = 65535
# What the sink sets itself because its promises rest on it, and what would load code or write somewhere.
RESERVED = frozenset(
    {
        "acks", "bootstrap.servers", "compression.codec", "compression.type", "debug", "enable.idempotence",
        "log_level",
        "message.timeout.ms", "delivery.timeout.ms", "metadata.broker.list", "plugin.library.paths",
        "request.required.acks", "sasl.mechanism", "sasl.mechanisms", "sasl.password", "sasl.username",
        "security.protocol", "ssl.ca.location", "transactional.id",
    }
)  # fmt: skip


@dataclass(frozen=True, repr=False)
class KafkaOptions:
    """A topic of a Kafka cluster; see :class:`fapilog.sinks.kafka.sink.KafkaSink`.

    Attributes:
        servers: Some brokers to begin with, ``host:port``, the port 9092 if it is left out; one text, separated by
            commas, or a list; required.
        topic: The topic; required. Letters, digits and ``. _ -``.
        key: What events must have in common to stay in order, in one partition. ``"request"`` (default): the request
            id, else the trace id, else the logger's name; ``"trace"``: the trace id, else the request id, else the
            logger's name; ``"logger"``: the logger's name; ``"none"``: no key, events are spread.
        compression: ``"none"`` (default), ``"gzip"``, ``"snappy"``, ``"lz4"`` or ``"zstd"``.
        tls: Whether to speak TLS, the brokers' certificates and host names checked. Default False.
        ca_file: A PEM file of the certificate authorities to trust instead of the system's, with ``tls``. Default
            None.
        sasl_mechanism: ``"PLAIN"``, ``"SCRAM-SHA-256"`` or ``"SCRAM-SHA-512"``, together with user name and password.
            Default None. Without ``tls`` ``PLAIN`` shows the password to everybody on the way.
        sasl_username: The user name. Default None.
        sasl_password: The password, never shown. Default None.
        config: More properties of librdkafka, by name, such as ``{"linger.ms": "20"}``; values are never shown.
            Default none.
        timeout: How long one batch may take, at least ``"1s"``, at most ``"5 min"``. Default ``"10s"``.
        name: The sink's name in routes, figures and diagnostics. Default ``"kafka"``.
    """

    servers: str | Sequence[str]
    topic: str
    key: Literal["request", "trace", "logger", "none"] = "request"
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "none"
    tls: bool = False
    ca_file: str | None = None
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: str | None = None
    config: Mapping[str, str] = field(default_factory=dict)
    timeout: float | str = "10s"
    name: str = "kafka"

    def __post_init__(self) -> None:
        """Check the values; whether librdkafka knows those of ``config`` is checked by ``open``.

        Raises:
            ConfigError: If one cannot be used.
        """
        object.__setattr__(self, "servers", _servers(self.servers))
        _check_topic(self.topic)
        for option, allowed_words in (("key", KEYS), ("compression", COMPRESSIONS)):
            if getattr(self, option) not in allowed_words:
                raise ConfigError.unknown(f"add_kafka({option})", getattr(self, option), allowed_words)
        self._check_security()
        object.__setattr__(self, "config", _config(self.config))
        seconds = parse_duration(self.timeout, "add_kafka(timeout)")
        if not _LEAST_TIMEOUT_SECONDS <= seconds <= _LONGEST_TIMEOUT_SECONDS:
            raise ConfigError.wrong("add_kafka(timeout)", self.timeout, "a duration from 1 second to 5 minutes")
        checks.text(self.name, "add_kafka(name)")

    def _check_security(self) -> None:
        checks.flag(self.tls, "add_kafka(tls)")
        if self.ca_file is not None:
            checks.text(self.ca_file, "add_kafka(ca_file)")
            if not self.tls:
                raise ConfigError.wrong("add_kafka(ca_file)", self.ca_file, "a file only together with tls=True")
        if self.sasl_mechanism is not None and self.sasl_mechanism not in MECHANISMS:
            raise ConfigError.unknown("add_kafka(sasl_mechanism)", self.sasl_mechanism, MECHANISMS)
        for option in ("sasl_username", "sasl_password"):
            value = getattr(self, option)
            if (value is None) != (self.sasl_mechanism is None):
                raise ConfigError.hidden(
                    f"add_kafka({option})", value, "a text together with sasl_mechanism, or neither"
                )
            if value is not None and not (isinstance(value, str) and value and value.isprintable()):
                raise ConfigError.hidden(f"add_kafka({option})", value, "a printable text that is not empty")

    def __repr__(self) -> str:
        """Show the options, without the secrets in them."""
        hidden: dict[str, Any] = {"config": dict.fromkeys(self.config, "***")}
        hidden |= {} if self.sasl_password is None else {"sasl_password": "***"}
        return f"KafkaOptions({', '.join(f'{key}={hidden.get(key, value)!r}' for key, value in vars(self).items())})"


def _check_topic(topic: Any) -> None:
    where = "add_kafka(topic)"
    allowed = 'a topic such as "shop.logs": 1 to 249 of letters, digits and . _ -'
    if not isinstance(topic, str):
        raise ConfigError.hidden(where, topic, allowed)
    if not _TOPIC.fullmatch(topic) or topic in (".", ".."):
        raise ConfigError.wrong(where, topic, allowed)


def _servers(given: Any) -> tuple[str, ...]:
    allowed = 'brokers such as "kafka-1:9092,kafka-2:9092", without user name and password'
    found = given.split(",") if isinstance(given, str) else checks.texts(given, "add_kafka(servers)")
    servers = tuple(server.strip() for server in found)
    for server in servers:
        match = _SERVER.fullmatch(server)
        if not match or not 0 < int(match[1] or 1) <= _MAX_PORT:
            raise ConfigError.hidden("add_kafka(servers)", given, allowed)
    if not servers:
        raise ConfigError.wrong("add_kafka(servers)", given, allowed)
    return servers


def _config(given: Any) -> dict[str, str]:
    where = "add_kafka(config)"
    if not isinstance(given, Mapping):
        raise ConfigError.hidden(where, given, "a mapping of librdkafka's properties to texts")
    config = dict(given)
    for key, value in config.items():
        if not isinstance(key, str) or not _PROPERTY.fullmatch(key):
            raise ConfigError.wrong(where, key, 'names of librdkafka\'s properties such as "linger.ms"')
        if key in RESERVED:
            raise ConfigError.wrong(where, key, "properties that the sink does not set itself")
        if not isinstance(value, str):
            raise ConfigError.hidden(f"add_kafka(config[{key!r}])", value, "a text")
    return config
