"""The schemas by name: each takes one flat event of ``fapilog/1`` and returns it in another shape.

=========== ======================================================== ===============================================
name        what                                                     a user's fields are
=========== ======================================================== ===============================================
grouped     fapilog's own keys, in groups                            below ``fields``
ecs         Elastic Common Schema 8.11, ECS logging 1.0              below ``labels``; nested ones below ``fapilog``
otel        OpenTelemetry log data model                             below ``Attributes``
gcp         Google Cloud Logging, Error Reporting                    at the top (``jsonPayload``)
datadog     Datadog's reserved and standard attributes               at the top
=========== ======================================================== ===============================================

All of them are pure, lose nothing, and raise for nothing that an event holds. No field that an application logs takes
the place of a key that the schema gives a meaning to.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from fapilog.errors import ConfigError
from fapilog.event import EventDict
from fapilog.processors.datadog import datadog
from fapilog.processors.ecs import ecs
from fapilog.processors.gcp import gcp
from fapilog.processors.grouped import grouped
from fapilog.processors.otel import otel

Schema = Callable[[EventDict], EventDict]
"""A :data:`fapilog.protocols.Processor` that drops nothing."""

SCHEMAS: Mapping[str, Schema] = MappingProxyType(
    {"grouped": grouped, "ecs": ecs, "otel": otel, "gcp": gcp, "datadog": datadog}
)


def schema_named(name: object, where: str = "with_schema(name)") -> Schema:
    """Return the schema of that name.

    Args:
        name: One of ``SCHEMAS``.
        where: The method or variable that the name came from, for the error.

    Raises:
        ConfigError: If there is no such schema.
    """
    schema = SCHEMAS.get(name) if isinstance(name, str) else None
    if schema is None:
        raise ConfigError.unknown(where, name, SCHEMAS)
    return schema
