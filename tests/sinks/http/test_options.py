"""HttpOptions: wrong values are refused by name, and no secret is ever shown."""

import subprocess
import sys
import traceback

import pytest

from fapilog.errors import ConfigError
from fapilog.sinks.http.client import HttpClient
from fapilog.sinks.http.options import HttpOptions
from fapilog.sinks.http.sink import HttpSink
from tests.sinks.http.peers import answer, answering, events_batch, opened, peer, refused

URL = "https://logs.example.com/ingest"
CANARY = "canary-7f3a9c"
WRONG = [
    ("url", None),
    ("url", b"https://logs.example.com"),
    ("url", ""),
    ("url", "logs.example.com"),
    ("url", "//logs.example.com"),
    ("url", "https://"),
    ("url", "https:///path"),
    ("url", "https://:443/"),
    ("url", "ftp://logs.example.com"),
    ("url", "file:///etc/passwd"),
    ("url", "unix:///run/x.sock"),
    ("url", "https://logs.example.com:99999/"),
    ("url", "https://logs.example.com:0/"),
    ("url", "https://logs.example.com:x/"),
    ("url", "https://[::1/"),
    ("url", "https://[nonsense]/"),
    ("url", "https://logs.example.com/#fragment"),
    ("url", "https://logs.example.com/ a"),
    ("url", "https://logs.example.com/\r\nHost: x"),
    ("url", "https://logs.example.com\\@evil.example/"),
    ("url", "https://user%3Aname:x@logs.example.com/"),
    ("url", "https://:password@logs.example.com/"),
    ("url", "https://us%0Aer:x@logs.example.com/"),
    ("method", "GET"),
    ("method", None),
    ("format", "xml"),
    ("format", ["jsonl"]),
    ("compression", "br"),
    ("compression", None),
    ("headers", "X-A: b"),
    ("headers", [("X-A", "b")]),
    ("headers", None),
    ("headers", {"X A": "b"}),
    ("headers", {"X-A\r\nX-B": "b"}),
    ("headers", {"": "b"}),
    ("headers", {1: "b"}),
    ("headers", {"X-A": "b\r\nX-B: c"}),
    ("headers", {"X-A": "\x00"}),
    ("headers", {"X-A": "ä"}),
    ("headers", {"X-A": " b"}),
    ("headers", {"X-A": ""}),
    ("headers", {"X-A": 1}),
    ("headers", {"X-A": "b", "x-a": "c"}),
    ("headers", {"Host": "other"}),
    ("headers", {"Content-Length": "1"}),
    ("headers", {"Transfer-Encoding": "chunked"}),
    ("headers", {"Content-Encoding": "gzip"}),
    ("headers", {"idempotency-KEY": "1"}),
    ("bearer", ""),
    ("bearer", "a\nb"),
    ("bearer", "ä"),
    ("bearer", b"token"),
    ("bearer", 7),
    ("username", ""),
    ("username", "a:b"),
    ("username", "a\x00"),
    ("username", 7),
    ("password", "alone"),
    ("ca_file", ""),
    ("ca_file", 7),
    ("ca_file", "a\0b"),
    ("client_key", "without a certificate"),
    ("client_cert", True),
    ("verify", "yes"),
    ("verify", 0),
    ("verify", None),
    ("timeout", 0),
    ("timeout", -1),
    ("timeout", "soon"),
    ("timeout", None),
    ("timeout", float("nan")),
    ("timeout", True),
    ("allow_insecure", "yes"),
    ("allow_insecure", 1),
    ("name", ""),
    ("name", None),
    ("name", 7),
]


@pytest.mark.parametrize(("option", "given"), WRONG, ids=lambda value: repr(value)[:40])
def test_a_wrong_value_is_refused_by_name(option, given):
    """The error names the method and an option, whatever the type of what was given."""
    with pytest.raises(ConfigError, match=r"^add_http\("):
        HttpOptions(**{"url": URL, option: given})


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "HTTP://LOCALHOST:8080/a?b=c",
        "https://[::1]:8443/",
        "https://user:pass@logs.example.com:443/a/b?c=d",
        "https://bücher.example/ingest",
        "https://xn--bcher-kva.example/",
        "https://logs.example.com",
    ],
)
def test_a_url_that_can_be_used_is_taken(url):
    """Hosts by name, address and in Unicode, with and without port, path, query and user."""
    HttpSink(HttpOptions(url))


def test_two_ways_to_log_in_are_one_too_many():
    """Nobody has to guess which of them is sent."""
    ways = [
        {"bearer": CANARY},
        {"username": "user", "password": CANARY},
        {"headers": {"Authorization": CANARY}},
        {"url": f"https://user:{CANARY}@logs.example.com/"},
    ]
    for number, way in enumerate(ways):
        HttpOptions(**{"url": URL, **way})
        for other in ways[:number]:
            with pytest.raises(ConfigError, match="one way to log in") as caught:
                HttpOptions(**{"url": URL, **way, **other})
            assert CANARY not in str(caught.value)


SECRETS = [
    {"bearer": CANARY},
    {"username": "user", "password": CANARY},
    {"headers": {"X-Api-Key": CANARY}},
    {"headers": {"Cookie": CANARY}},
    {"headers": {"X-Auth-Token": CANARY}},
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "host", ["logs.example.com", "10.0.0.7", "0.0.0.0", "[::ffff:10.0.0.7]", "localhost.evil.example"]
)
def test_credentials_do_not_go_where_everyone_can_read_them(secret, host):
    """Over plain http to another machine they are refused when the sink is built, unless that was asked for."""
    with pytest.raises(ConfigError, match="https") as caught:
        HttpOptions(f"http://{host}/", **secret)
    assert CANARY not in str(caught.value)

    HttpOptions(f"http://{host}/", **secret, allow_insecure=True)
    HttpOptions(f"https://{host}/", **secret)


@pytest.mark.parametrize("host", ["localhost", "app.localhost", "127.0.0.1", "127.8.8.8", "[::1]"])
def test_credentials_may_go_to_this_machine(host):
    """Nobody on the way can read them: there is no way."""
    HttpOptions(f"http://user:{CANARY}@{host}/", headers={"X-Api-Key": CANARY})


def test_plain_http_without_credentials_is_the_users_choice():
    """Inside a cluster that is common."""
    HttpOptions("http://vector.logging.svc:8080/", headers={"X-Scope": "team-a"})


def test_no_secret_is_shown():
    """Neither options nor sinks nor errors show credentials, header values, paths or queries."""
    options = HttpOptions(
        f"https://user:{CANARY}@logs.example.com:8443/{CANARY}?key={CANARY}",
        headers={"X-Api-Key": CANARY},
        timeout="3s",
        compression="gzip",
    )
    assert repr(options) == str(options)
    rest = "compression='gzip', headers={'X-Api-Key': '***'}, timeout='3s'"
    assert repr(options) == f"HttpOptions(url='https://logs.example.com:8443', {rest})"
    sink = HttpSink(options)
    assert CANARY not in repr([options, sink, sink.__dict__, sink._client, sink.health()])
    other = HttpOptions(URL, username="user", password=CANARY)
    assert repr(other) == "HttpOptions(url='https://logs.example.com', username='***', password='***')"


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": f"https://user:{CANARY}@[nonsense]/"},
        {"url": f"ftp://user:{CANARY}@logs.example.com/"},
        {"url": f"https://us:er:{CANARY}\n@logs.example.com/"},
        {"url": f"https://logs.example.com:{CANARY}/"},
        {"bearer": f"{CANARY}\n"},
        {"username": f"{CANARY}:", "password": CANARY},
        {"password": CANARY},
        {"headers": {"X-A": f"{CANARY}\n"}},
        {"headers": {f"X-A: {CANARY}": "b"}},
        {"headers": f"X-A: {CANARY}"},
    ],
)
def test_no_secret_is_in_the_error_about_it(wrong):
    """A wrong secret is a secret: neither the error nor the traceback of its causes quotes it."""
    for kind in (HttpOptions, HttpClient):
        options = {"url": URL, **wrong}
        if kind is HttpClient and "password" in options:
            options["auth"] = (options.pop("username", ""), options.pop("password"))
        with pytest.raises(ConfigError) as caught:
            kind(**options)
        lines = "".join(traceback.format_exception_only(caught.value))
        assert CANARY not in lines
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.asyncio
async def test_no_secret_is_in_what_a_receiver_answers():
    """A receiver that echoes what it was sent puts nothing of it into errors, health or dead letters."""

    async def echo(told, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        await answering(answer(400, b" ".join(sorted(head.split(), key=len, reverse=True))))(
            told, _again(reader), writer
        )

    def _again(reader):
        reader._buffer[:0] = b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n"
        return reader

    logins = [{"bearer": CANARY}, {"username": "u", "password": CANARY}, {"headers": {"X-Api-Key": CANARY}}]
    async with peer(echo, path=f"/{CANARY}?k={CANARY}") as receiver:
        for login in logins:
            async with opened(receiver.url, **login) as sink:
                error = await refused(sink, events_batch(1))
                shown = repr([error, error.__cause__, error.__context__, sink.health()])
                assert "***" in shown
                assert CANARY not in shown
                assert "dTpjYW5hcnktN2YzYTlj" not in shown  # base64 of it


@pytest.mark.asyncio
async def test_no_part_of_the_url_is_in_what_a_receiver_answers():
    """Also where it tells the path and the query in its own words."""
    said = f"no hook '{CANARY}' for team T1 (key = 'key {CANARY}')".encode()
    path = f"/T1/{CANARY}?key=key%20{CANARY}"
    async with peer(answering(answer(404, said)), path=path) as receiver, opened(receiver.url) as sink:
        error = await refused(sink, events_batch(1))

    assert str(error).endswith("answered 404: no hook '***' for team T1 (key = '***')")


@pytest.mark.asyncio
async def test_no_secret_is_in_the_error_of_a_broken_connection():
    """Errors of the library may hold the request; ours holds the host, and no other error."""
    async with opened("http://127.0.0.1:9/" + CANARY, bearer=CANARY) as sink:
        error = await refused(sink, events_batch(1))

    lines = "".join(traceback.format_exception(error))
    assert CANARY not in lines
    assert "httpx." not in lines


def test_zstd_needs_its_package(monkeypatch):
    """Without it the choice is refused when the sink is built, with what to install."""
    monkeypatch.setitem(sys.modules, "zstandard", None)

    with pytest.raises(ConfigError, match=r"add_http\(compression\).*pip install"):
        HttpSink(HttpOptions(URL, compression="zstd"))


def test_options_need_no_library():
    """A configuration can be read where the extra is not installed."""
    program = (
        "import sys; sys.modules['httpx'] = None; import fapilog.sinks.http.options, fapilog.sinks.webhook.options"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
