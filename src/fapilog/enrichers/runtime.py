"""Which process this is: service, env, version, host, pid."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from fapilog import checks

NAME_VARIABLE = "OTEL_SERVICE_NAME"
ATTRIBUTES_VARIABLE = "OTEL_RESOURCE_ATTRIBUTES"


@dataclass(frozen=True)
class ServiceOptions:
    """What runs here; on every event. None is left out.

    Attributes:
        name: ``service`` on the wire; default ``OTEL_SERVICE_NAME`` or ``service.name`` of
            ``OTEL_RESOURCE_ATTRIBUTES``.
        version: Default ``service.version`` of ``OTEL_RESOURCE_ATTRIBUTES``.
        env: Default ``deployment.environment.name`` of ``OTEL_RESOURCE_ATTRIBUTES``.
    """

    name: str | None = None
    version: str | None = None
    env: str | None = None

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: If one is no text, or empty.
        """
        for option in ("name", "version", "env"):
            if getattr(self, option) is not None:
                checks.text(getattr(self, option), f"with_service({option})")


def runtime_fields(options: ServiceOptions, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return ``service``, ``env``, ``version``, ``host`` and ``pid``, in this order, without those that are not known.

    Args:
        options: What was configured; it wins.
        environ: The environment; the variables of OpenTelemetry say the rest.
    """
    known = otel_attributes(environ)
    found = {
        "service": options.name or environ.get(NAME_VARIABLE) or known.get("service.name"),
        "env": options.env or known.get("deployment.environment.name") or known.get("deployment.environment"),
        "version": options.version or known.get("service.version"),
        "host": socket.gethostname(),
        "pid": os.getpid(),
    }
    return {key: value for key, value in found.items() if value}


def otel_attributes(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the pairs of ``OTEL_RESOURCE_ATTRIBUTES``; a part that is no pair is passed over.

    The form is that of the OpenTelemetry resource SDK specification: ``key=value,…`` with percent-encoded values.
    """
    pairs = (pair.partition("=") for pair in environ.get(ATTRIBUTES_VARIABLE, "").split(","))
    return {key.strip(): unquote(value.strip()) for key, found, value in pairs if found}
