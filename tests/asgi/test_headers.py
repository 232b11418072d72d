"""What is believed of a client's headers."""

import os
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.asgi.headers import (
    MAX_TEXT,
    HeaderReader,
    Ids,
    is_credential,
    request_id_of,
    text,
    trace_ids_of,
    with_header,
)
from fapilog.asgi.rules import AsgiOptions

TRACE = b"4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = b"00f067aa0ba902b7"
VALID = b"00-" + TRACE + b"-" + SPAN + b"-01"
HEX = "0123456789abcdef"


@pytest.mark.parametrize("value", [b"a", b"A-b_c.9", b"x" * 128, b"0af7651916cd43dd8448eb211c80319c"])
def test_a_sane_request_id_is_taken(value):
    """Letters, digits, dot, underscore, hyphen; up to 128 of them."""
    assert request_id_of(value) == value.decode()


@pytest.mark.parametrize(
    "value",
    [
        None, b"", b"x" * 129, b"x" * 5000, b"a b", b"a\tb", b"a\r\nSet-Cookie: x=1", b"a\n", b"\x1b[31m", b'"a"',
        b"{a}", b"%s", b"../etc", b"<script>", b"a,b", b"a, a", b"caf\xc3\xa9", b"caf\xe9", b"a\x00", b"a:b", b"a/b",
        "٣".encode(), b" a", b"a ",
    ],
)  # fmt: skip
def test_any_other_request_id_is_refused_whole(value):
    """Nothing of a malformed id is kept: it could forge a line, a header or a template."""
    assert request_id_of(value) is None


@given(st.binary(max_size=200))
def test_what_is_taken_as_a_request_id_is_harmless(value):
    """Whatever bytes come: either refused, or exactly the bytes, all of them from the small alphabet."""
    found = request_id_of(value)

    assert found is None or (
        found.encode() == value and set(found) <= set(string.ascii_letters + string.digits + "._-")
    )


@pytest.mark.parametrize(
    ("value", "flags"),
    [
        (VALID, "01"),
        (VALID[:-2] + b"00", "00"),
        (VALID[:-2] + b"03", "03"),
        (VALID[:-2] + b"ff", "ff"),
        (b"cc" + VALID[2:], "01"),
        (b"cc" + VALID[2:] + b"-what-the-future-will-be-like", "01"),
        (b"01" + VALID[2:] + b"-", "01"),
    ],
)
def test_a_valid_traceparent_gives_its_ids(value, flags):
    """Version 00, and higher ones whose first fields read alike. Flags stay a bit field in two hex digits."""
    assert trace_ids_of(value) == {"trace_id": TRACE.decode(), "span_id": SPAN.decode(), "trace_flags": flags}


ARABIC = "٤" * 32
REFUSED = {
    "version ff": b"ff" + VALID[2:],
    "version ff, more": b"ff" + VALID[2:] + b"-x",
    "version of one digit": VALID[1:],
    "version of three digits": b"0" + VALID,
    "version not hexadecimal": b"0x" + VALID[2:],
    "version upper case": b"CC" + VALID[2:],
    "version 00 with more": VALID + b"-what-the-future-will-not-be-like",
    "version 00 with a hyphen": VALID + b"-",
    "future version glued": b"cc" + VALID[2:] + b".what",
    "all-zero trace": b"00-" + b"0" * 32 + b"-" + SPAN + b"-01",
    "all-zero span": b"00-" + TRACE + b"-" + b"0" * 16 + b"-01",
    "upper case trace": b"00-" + TRACE.upper() + b"-" + SPAN + b"-01",
    "upper case span": b"00-" + TRACE + b"-" + SPAN.upper() + b"-01",
    "upper case flags": VALID[:-2] + b"0A",
    "short trace": b"00-" + TRACE[1:] + b"-" + SPAN + b"-01",
    "long trace": b"00-" + TRACE + b"0-" + SPAN + b"-01",
    "short span": b"00-" + TRACE + b"-" + SPAN[1:] + b"-01",
    "long span": b"00-" + TRACE + b"-" + SPAN + b"0-01",
    "flags of one digit": VALID[:-1],
    "flags of three digits": VALID + b"1",
    "no flags": VALID[:-3],
    "flags not hexadecimal": VALID[:-2] + b".0",
    "illegal character": b"00-" + b"." + TRACE[1:] + b"-" + SPAN + b"-01",
    "0x": b"00-0x" + TRACE[2:] + b"-" + SPAN + b"-01",
    "underscore": b"00-" + TRACE[:4] + b"_" + TRACE[5:] + b"-" + SPAN + b"-01",
    "plus": b"00-+" + TRACE[1:] + b"-" + SPAN + b"-01",
    "space inside": b"00- " + TRACE[1:] + b"-" + SPAN + b"-01",
    "space before": b" " + VALID,
    "space after": VALID + b" ",
    "trailing LF": VALID + b"\n",
    "trailing CRLF": VALID + b"\r\n",
    "arabic digits": b"00-" + ARABIC.encode() + b"-" + SPAN + b"-01",
    "two headers": VALID + b", " + VALID,
    "two headers, future version": b"cc" + VALID[2:] + b", " + VALID,
    "empty": b"",
    "separators": b"00_" + TRACE + b"_" + SPAN + b"_01",
}


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED.keys())
def test_an_invalid_traceparent_gives_nothing(value):
    """The table of W3C Trace Context and of what ``int(x, 16)`` and ``$`` would let through."""
    assert trace_ids_of(value) == {}


@given(
    st.binary(max_size=80) | st.from_regex(rb"[0-9a-fA-Fx_]{2}-[0-9a-f]{30,33}-[0-9a-f]{15,17}-[0-9a-f]{2}(-.*)?\n?")
)
def test_what_a_traceparent_gives_is_always_well_formed(value):
    """Whatever bytes come, ids have their length, their alphabet, and are not all zero."""
    ids = trace_ids_of(value)

    if ids:
        assert [(len(it), set(it) <= set(HEX)) for it in ids.values()] == [(32, True), (16, True), (2, True)]
        assert set(ids["trace_id"]) != {"0"}
        assert set(ids["span_id"]) != {"0"}
        assert value[:2] != b"ff"
        assert value.startswith(b"00-") is False or len(value) == 55


def reader(**options) -> HeaderReader:
    return HeaderReader(AsgiOptions(**options))


def test_only_the_wanted_headers_are_read_and_repeated_ones_are_joined():
    """One pass, one value a name; which is how a repeated id or traceparent comes to be refused."""
    headers = [(b"x-request-id", b"a"), (b"accept", b"*/*"), (b"user-agent", b"u"), (b"x-request-id", b"b")]
    found = reader().read(headers)

    assert found == {b"x-request-id": b"a, b", b"user-agent": b"u"}
    assert request_id_of(found[b"x-request-id"]) is None


def test_a_credential_is_masked_although_it_is_on_the_list():
    """Its presence is shown, nothing of its value, not even the length."""
    names = ("Accept", "Authorization", "Cookie", "X-Api-Key", "X-My-Token", "X-Tenant")
    values = [(name.lower().encode(), b"canary-" + name.encode()) for name in names]
    headers = reader(include_headers=names)

    shown = headers.shown(headers.read(values))

    assert shown == {
        "accept": "canary-Accept", "authorization": "***", "cookie": "***", "x-api-key": "***", "x-my-token": "***",
        "x-tenant": "canary-X-Tenant",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["accept", "content-type", "x-request-id", "author", "x-tenant", "keep-alive", "etag"])
def test_ordinary_headers_are_no_credentials(name):
    """The list of words does not eat what operators want to see."""
    assert not is_credential(name)


def test_a_long_value_is_cut():
    """64 KB of user agent are not 64 KB of log."""
    assert len(text(b"u" * 65_536)) < MAX_TEXT + 60


def client(peer, forwarded, *proxies):
    headers = reader(trusted_proxies=proxies)
    return headers.client(peer, headers.read([(b"x-forwarded-for", forwarded)] if forwarded is not None else []))


def test_nobody_is_trusted_by_default():
    """A forged ``X-Forwarded-For`` changes nothing."""
    assert client("203.0.113.9", b"10.0.0.1") == "203.0.113.9"


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        (None, "10.0.0.1"),
        (b"198.51.100.7", "198.51.100.7"),
        (b"1.1.1.1, 198.51.100.7", "198.51.100.7"),
        (b"1.1.1.1, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        (b"198.51.100.7:4711", "198.51.100.7"),
        (b"[2001:db8::1]:4711", "2001:db8::1"),
        (b"2001:db8::1", "2001:db8::1"),
        (b"fe80::1%eth0", "fe80::1%eth0"),
        (b"garbage", "10.0.0.1"),
        (b"unknown, 10.0.0.2", "10.0.0.2"),
        (b"", "10.0.0.1"),
        (b"1.1.1.1," * 1000 + b"198.51.100.7", "198.51.100.7"),
        (b"10.0.0.5," * 1000, "10.0.0.1"),
        (b"\xff\xfe\x00", "10.0.0.1"),
    ],
)
def test_trusted_hops_vouch_for_the_one_before(forwarded, expected):
    """Read from the right; garbage ends the walk at the last hop that was an address."""
    assert client("10.0.0.1", forwarded, "10.0.0.0/8") == expected


def test_an_untrusted_peer_is_the_client():
    """Whatever it says about others."""
    assert client("203.0.113.9", b"198.51.100.7", "10.0.0.0/8") == "203.0.113.9"


@given(st.binary(max_size=300))
def test_no_forwarded_header_breaks_the_walk(forwarded):
    """It gives an address whatever bytes come."""
    assert re.fullmatch(r"[0-9a-fA-F.:]+(%.*)?", client("10.0.0.1", forwarded, "10.0.0.0/8"), re.DOTALL)


def test_our_header_replaces_the_applications_and_touches_none_of_its_objects():
    """Exactly one, in any spelling; a response object that is used again does not collect them."""
    own = [(b"X-Request-Id", b"theirs"), (b"content-type", b"text/plain")]
    message = {"type": "http.response.start", "status": 200, "headers": own}

    changed = with_header(message, b"x-request-id", "ours")

    assert changed["headers"] == [(b"content-type", b"text/plain"), (b"x-request-id", b"ours")]
    assert len(own) == 2
    assert message["headers"] is own
    assert with_header({"status": 200}, b"x", "y")["headers"] == [(b"x", b"y")]
    assert with_header({"status": 200, "headers": iter([(b"a", b"b")])}, b"x", "y")["headers"] == [
        (b"a", b"b"),
        (b"x", b"y"),
    ]


def test_ids_do_not_repeat_and_read_alike():
    """32 hexadecimal digits."""
    ids = Ids()
    made = {ids.new() for _ in range(10_000)}

    assert len(made) == 10_000
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in made)


def test_a_forked_child_makes_ids_of_its_own():
    """Otherwise parent and child would give the same ids from the fork on."""
    ids = Ids()
    ids.new()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, ids.new().encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reading, 100).decode() != ids.new()
    os.close(reading)
    os.close(writing)
