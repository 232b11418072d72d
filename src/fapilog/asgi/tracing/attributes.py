"""What a server span says of a request: the stable semantic conventions for HTTP spans (1.44).

https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span. Path, query string and user agent are
redacted like every text. A WebSocket's opening handshake is a GET (RFC 6455, section 4.1), answered by 101 once it is
accepted.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

from fapilog.asgi.access import METHODS, OTHER_METHOD
from fapilog.coerce import cut_text
from fapilog.otel.semconv import KNOWN_METHODS

MAX_TEXT = 1_024
MAX_ADDRESS = 255
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_MOST_PORT = 65_535


def known_methods() -> frozenset[str]:
    """Return the methods that are not ``_OTHER``; the variable of the semantic conventions replaces the usual ones."""
    told = os.environ.get(KNOWN_METHODS, "")
    return frozenset(name for part in told.split(",") if (name := part.strip())) or METHODS


def method_of(scope: Mapping[str, Any], known: frozenset[str]) -> str:
    """Return ``http.request.method``."""
    method = "GET" if scope["type"] == "websocket" else str(scope["method"])
    return method if method in known else OTHER_METHOD


def start_attributes(
    scope: Mapping[str, Any], headers: Mapping[str, str], method: str, client: str | None, scrub: Callable[[str], str]
) -> dict[str, Any]:
    """Return what is known when the request comes in, for samplers to see.

    Args:
        scope: The request's scope.
        headers: ``host`` and ``user-agent``, if they came.
        method: See :func:`method_of`.
        client: Who is asking, behind trusted proxies.
        scrub: Takes the secrets out of a text.
    """
    is_socket = scope["type"] == "websocket"
    attributes: dict[str, Any] = {
        "http.request.method": method,
        "url.scheme": scope.get("scheme", "ws" if is_socket else "http"),
        "url.path": scrub(cut_text(scope["path"], MAX_TEXT)),
    }
    if method == OTHER_METHOD:
        attributes["http.request.method_original"] = cut_text(str(scope["method"]), MAX_TEXT)
    query = scope.get("query_string")
    if query:
        # With the question mark, by which the rules for addresses know it.
        attributes["url.query"] = scrub("?" + cut_text(query.decode("latin-1"), MAX_TEXT)).removeprefix("?")
    version = scope.get("http_version")
    if version:
        attributes["network.protocol.version"] = version
    if is_socket:
        attributes["network.protocol.name"] = "websocket"
    attributes |= _server(scope, headers.get("host"))
    peer = scope.get("client")
    if peer and peer[0]:
        attributes["client.address"] = client or peer[0]
        if client is not None and client != peer[0]:
            # Else it would say the same twice, and each attribute costs the SDK two to three microseconds.
            attributes["network.peer.address"] = peer[0]
    agent = headers.get("user-agent")
    if agent:
        attributes["user_agent.original"] = scrub(cut_text(agent, MAX_TEXT))
    return attributes


def _server(scope: Mapping[str, Any], host: str | None) -> dict[str, Any]:
    """Return the server's address and port: those that the client asked for, else those it is bound to."""
    address, port = _authority(host) if host else (None, None)
    if address is None:
        bound = scope.get("server") or (None, None)
        address, port = bound[0], bound[1]
    elif port is None:
        port = _PORTS.get(scope.get("scheme", "http"))
    if not address:
        return {}
    return {"server.address": address, **({} if port is None else {"server.port": port})}


def _authority(host: str) -> tuple[str | None, int | None]:
    """Return what a ``Host`` header names (RFC 9110, section 7.2); nothing if it is malformed."""
    if host.startswith("["):
        address, _, rest = host[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        address, _, port = host.partition(":")
    if not address or len(address) > MAX_ADDRESS or not address.isprintable() or set(address) & set(" /?#@\\,"):
        return None, None
    if not port:
        return address, None
    if not (port.isascii() and port.isdigit()) or int(port) > _MOST_PORT:
        return None, None
    return address, int(port)
