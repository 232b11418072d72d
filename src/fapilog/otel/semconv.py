"""Which semantic conventions are in force, and what HTTP attributes were called before they were stable.

Names by OpenTelemetry's semantic conventions 1.44; the variables by
https://opentelemetry.io/docs/specs/semconv/non-normative/http-migration/ and
https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"
EXCEPTION_OPT_IN = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN"
STABILITY_OPT_IN = "OTEL_SEMCONV_STABILITY_OPT_IN"
KNOWN_METHODS = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"
_FORMER = {
    "http.request.method": "http.method",
    "http.response.status_code": "http.status_code",
    "url.scheme": "http.scheme",
    "network.protocol.version": "http.flavor",
    "server.address": "net.host.name",
    "server.port": "net.host.port",
    "network.peer.address": "net.sock.peer.addr",
    "network.peer.port": "net.sock.peer.port",
    "client.address": "http.client_ip",
    "user_agent.original": "http.user_agent",
}


class Conventions(NamedTuple):
    """What the environment asks for.

    Attributes:
        exceptions_on_spans: Whether an exception is an event of its span. Not so once logs alone were opted for:
            fapilog's own event of the request has it.
        former_names: Whether HTTP attributes are written under their former names, too (``http/dup``). The stable
            names are always written.
        stable_http: Whether the instrumentations of contrib were opted into the stable names, by which they measure
            ``http.server.request.duration``.
    """

    exceptions_on_spans: bool = True
    former_names: bool = False
    stable_http: bool = False


def conventions(environ: Mapping[str, str]) -> Conventions:
    """Return the conventions in force; words that are not known are passed over, as the specification says."""
    stability = {word.strip().lower() for word in environ.get(STABILITY_OPT_IN, "").split(",")}
    exceptions = environ.get(EXCEPTION_OPT_IN, "").strip().lower()
    return Conventions(
        exceptions_on_spans=exceptions != "logs",
        former_names="http/dup" in stability,
        stable_http=not stability.isdisjoint(("http", "http/dup")),
    )


def with_former_names(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return HTTP attributes with those under their former names beside them."""
    former = {_FORMER[name]: value for name, value in attributes.items() if name in _FORMER}
    if "url.path" in attributes:
        query = attributes.get("url.query")
        former["http.target"] = f"{attributes['url.path']}?{query}" if query else attributes["url.path"]
    return {**attributes, **former}
