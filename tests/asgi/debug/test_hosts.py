"""Whether a request means this server, and whether a page of ours has sent it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.asgi.debug.hosts import is_ahead, is_foreign, is_misdirected, is_navigation

LOOPBACK = ("127.0.0.1", 8000)


def scope(*headers: tuple[bytes, bytes], server: Any = LOOPBACK, client: Any = ("127.0.0.1", 5)) -> dict[str, Any]:
    return {"type": "http", "headers": list(headers), "server": server, "client": client}


def asked(host: bytes, **more: Any) -> dict[str, Any]:
    return scope((b"host", host), **more)


@pytest.mark.parametrize(
    "host",
    [b"localhost", b"LOCALHOST:8000", b"shop.localhost:8000", b"127.0.0.1", b"127.0.0.1:8000", b"127.9.9.9:80",
     b"[::1]", b"[::1]:8000", b"localhost.:8000", b"logs.internal", b"LOGS.internal:443", b"[fd00::1]:8000"],
)  # fmt: skip
def test_names_that_mean_this_machine_are_served(host: bytes) -> None:
    """And those of ``hosts=``, on whichever port."""
    assert not is_misdirected(asked(host), {"logs.internal", "fd00::1"})


@pytest.mark.parametrize(
    "host",
    [b"evil.example", b"evil.example:8000", b"localhost.evil.example", b"127.0.0.1.evil.example", b"notlocalhost",
     b"", b"localhost:8000@evil.example", b"evil.example/localhost", b"localhost evil.example", b"[::1", b"::1",
     b"[::1]evil", b"localhost:80:80", b"10.0.0.1", b"0.0.0.0", b"127.1", b"2130706433", b"localhost..",
     b"\xc3\xbcber.localhost", b"localhost\x00", b"localhost:port", b"[fe80::1]", b".localhost\r\n"],
)  # fmt: skip
@pytest.mark.parametrize(
    "ways",
    [{}, {"client": ("203.0.113.7", 5)}, {"client": None}, {"server": ("10.0.0.7", 8000)},
     {"server": ("::1", 8000), "client": ("::1", 5)}, {"server": ("::ffff:127.0.0.1", 8000), "client": None},
     {"server": ("localhost", 8000), "client": None}],
)  # fmt: skip
def test_any_other_name_over_loopback_is_refused(host: bytes, ways: dict[str, Any]) -> None:
    """DNS rebinding: the browser believes that 127.0.0.1 is the stranger's site."""
    assert is_misdirected(asked(host, **ways), {"logs.internal"})


@pytest.mark.parametrize("headers", [(), ((b"host", b"localhost"), (b"host", b"localhost"))])
def test_no_host_or_two_over_loopback_are_refused(headers: Any) -> None:
    """HTTP/1.0 needs none and browsers always send one; of two nobody knows which a proxy has read."""
    assert is_misdirected(scope(*headers), set())


@pytest.mark.parametrize("server", [None, ("/run/app.sock", None), ("10.0.0.7", 8000), ("2001:db8::7", 80)])
def test_other_ways_in_are_not_checked(server: Any) -> None:
    """On a socket or another address the name is whatever the operator has given it."""
    assert not is_misdirected(asked(b"shop.example", server=server, client=("203.0.113.7", 5)), set())
    assert not is_misdirected(scope(server=server, client=None), set())


def test_without_a_port_it_is_no_network() -> None:
    """A Unix socket, or a test client; whoever stands before it may say that its peer is this machine."""
    assert not is_misdirected(asked(b"app", server=("app", None), client=("127.0.0.1", 5)), set())


def test_a_scope_without_addresses_is_not_checked() -> None:
    """Both are optional in ASGI."""
    assert not is_misdirected({"type": "http", "headers": [(b"host", b"x")]}, set())


@given(st.binary(max_size=60))
def test_no_host_raises(host: bytes) -> None:
    """Whatever a client sends; what passes means this machine."""
    if not is_misdirected(asked(host), set()):
        assert b"localhost" in host.lower() or b"127." in host or b":1]" in host or b"1]" in host


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ([], False),
        ([(b"sec-fetch-site", b"same-origin")], False),
        ([(b"sec-fetch-site", b"none")], False),
        ([(b"sec-fetch-site", b"same-site")], True),
        ([(b"sec-fetch-site", b"cross-site")], True),
        ([(b"Sec-Fetch-Site", b"cross-site")], True),
        ([(b"sec-fetch-site", b"same-origin"), (b"sec-fetch-site", b"cross-site")], True),
        ([(b"sec-fetch-site", b"same-origin"), (b"origin", b"null")], False),
        ([(b"sec-fetch-site", b"same-origin"), (b"origin", b"https://changed.example")], False),
        ([(b"origin", b"http://shop.example:8000")], False),
        ([(b"origin", b"https://SHOP.example:8000")], False),
        ([(b"origin", b"https://logs.internal")], False),
        ([(b"origin", b"http://shop.example")], True),
        ([(b"origin", b"http://shop.example:8000.evil.example")], True),
        ([(b"origin", b"http://evil.example")], True),
        ([(b"origin", b"null")], True),
        ([(b"origin", b"")], True),
        ([(b"origin", b"\xff")], True),
        ([(b"origin", b"http://shop.example:8000"), (b"origin", b"http://evil.example")], True),
    ],
)
def test_another_sites_page_is_told_by_what_the_browser_says(headers: list[tuple[bytes, bytes]], foreign: bool) -> None:
    """A client that is no browser sends neither header."""
    assert is_foreign(scope((b"host", b"shop.example:8000"), *headers), {"logs.internal"}) == foreign


@pytest.mark.parametrize(
    ("headers", "navigation"),
    [
        ([], None),
        ([(b"sec-fetch-dest", b"document")], True),
        ([(b"Sec-Fetch-Dest", b" document ")], True),
        ([(b"sec-fetch-dest", b"iframe")], False),
        ([(b"sec-fetch-dest", b"empty")], False),
        ([(b"sec-fetch-dest", b"document"), (b"sec-fetch-dest", b"empty")], False),
    ],
)
def test_who_goes_there_is_told_from_a_page_that_loads(
    headers: list[tuple[bytes, bytes]], navigation: bool | None
) -> None:
    """None: the client does not say."""
    assert is_navigation(scope(*headers)) is navigation


@pytest.mark.parametrize(
    ("headers", "ahead"),
    [
        ([], False),
        ([(b"sec-purpose", b"prefetch;prerender")], True),
        ([(b"Purpose", b"Prefetch")], True),
        ([(b"x-moz", b"prefetch")], True),
        ([(b"purpose", b"other")], False),
    ],
)
def test_what_is_fetched_before_anybody_goes_there_says_so(headers: list[tuple[bytes, bytes]], ahead: bool) -> None:
    """Under the names that browsers have had for it."""
    assert is_ahead(scope(*headers)) is ahead
