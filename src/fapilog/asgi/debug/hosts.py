"""Whether a request means this server, and whether a page of ours has sent it.

A page of a stranger's can let its name point to 127.0.0.1 (DNS rebinding); the browser then believes that what answers
there is the stranger's. What gives it away is the name in ``Host``: over a loopback address it has to be one that only
means this machine. And a page may send requests elsewhere without reading the answers (cross-site request forgery);
``Sec-Fetch-Site`` and ``Origin`` tell where it came from, and no page can set either.
"""

import re
from collections.abc import Collection, Iterable
from ipaddress import IPv6Address, ip_address

from fapilog.asgi.types import Scope

_AUTHORITY = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_-][A-Za-z0-9._-]*)(?::[0-9]{0,5})?")
_OURS = (b"same-origin", b"none")
_PURPOSES = (b"sec-purpose", b"purpose", b"x-purpose", b"x-moz")


def is_misdirected(scope: Scope, hosts: Collection[str]) -> bool:
    """Tell whether a request over a loopback address asks for a host that is not this machine.

    Args:
        scope: Of the request. Without a port of the server's, which is a Unix socket, nothing is checked.
        hosts: Names and addresses that are as good as ``localhost``, in lower case and without brackets.
    """
    server, client = scope.get("server"), scope.get("client")
    if server is None or server[1] is None:
        return False
    if not (_is_loopback(str(server[0])) or (client is not None and _is_loopback(str(client[0])))):
        return False
    host = host_of(_values(scope, b"host"))
    return host is None or not (_is_loopback(host) or host in hosts)


def is_foreign(scope: Scope, hosts: Collection[str] = ()) -> bool:
    """Tell whether another site's page has sent a request. What is no browser says nothing, and is not foreign.

    ``Sec-Fetch-Site`` decides where it is sent, which is over https and to this machine; a sister site is foreign, too.
    Else the host in ``Origin`` has to be that of the request: a proxy that changes ``Host`` has to be in ``hosts``.

    Args:
        scope: Of the request.
        hosts: Names of the console beside the one that was asked for.
    """
    sites, origins = _values(scope, b"sec-fetch-site"), _values(scope, b"origin")
    if sites:
        return any(site.strip().lower() not in _OURS for site in sites)
    asked = _values(scope, b"host")
    for origin in origins:
        authority = origin.strip().lower().partition(b"://")[2]
        same = len(asked) == 1 and authority == asked[0].strip().lower()
        if not (authority and (same or host_of([authority]) in hosts)):
            return True
    return False


def is_navigation(scope: Scope) -> bool | None:
    """Tell whether a browser opens a page in a window with a request, no frame or part; None if it does not say."""
    places = [place.strip() for place in _values(scope, b"sec-fetch-dest")]
    return places == [b"document"] if places else None


def is_ahead(scope: Scope) -> bool:
    """Tell whether a browser asks before anybody goes there. Chromium does not say then which site's page wants it."""
    return any(b"prefetch" in value.lower() for purpose in _PURPOSES for value in _values(scope, purpose))


def host_of(values: Iterable[bytes]) -> str | None:
    """Return the host in the one ``Host`` header, in lower case, without port, brackets and final dot; else None."""
    given = list(values)
    match = _AUTHORITY.fullmatch(given[0].strip(b" \t")) if len(given) == 1 else None
    return match[1].decode("ascii").lower().strip("[]").removesuffix(".") if match else None


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _values(scope: Scope, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key.lower() == name]
