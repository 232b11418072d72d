"""What can be chosen about the console."""

from typing import Any

import pytest

from fapilog import Settings
from fapilog.asgi.debug.options import DebugOptions
from fapilog.asgi.setup import debug_route
from fapilog.edge_options import DebugRouteOptions
from fapilog.errors import ConfigError
from fapilog.fastapi import FastAPIBuilder

CANARY = "canary-7f3a"


def test_the_defaults() -> None:
    """Those of the documentation."""
    options = DebugOptions()

    assert (options.path, options.keep_bytes, options.max_tails, options.spans) == (
        "/debug/logging",
        8_000_000,
        8,
        2000,
    )
    assert (options.hosts, options.allow, options.trace_url) == (frozenset(), None, None)
    assert (options.takes_token, options.token.generated, options.announced) == (True, True, False)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("hosts", "logs.internal"), ("hosts", ["https://logs.internal"]), ("hosts", ["logs.internal:80"]),
        ("hosts", ["*"]), ("hosts", ["*.internal"]), ("hosts", [""]), ("hosts", [7]), ("hosts", ["[::1"]),
        ("hosts", ["a b"]), ("hosts", ["-.a."]), ("keep", "99 KB"), ("keep", 0), ("keep", "lots"), ("keep", True),
        ("max_tails", -1), ("max_tails", 1.5), ("max_tails", True), ("spans", -1), ("spans", "many"),
        ("trace_url", "https://jaeger/trace"), ("trace_url", "javascript:alert('{trace_id}')"),
        ("trace_url", "ftp://jaeger/{trace_id}"), ("trace_url", "https://{trace_id}.jaeger/"),
        ("trace_url", "https://user:pw@jaeger/{trace_id}"), ("trace_url", "https://jaeger/{trace_id}/{span_id}"),
        ("trace_url", "https://jaeger/{trace_id}?{trace_id}"), ("trace_url", "https://jaeger/{trace_id} x"),
        ("trace_url", 'https://jaeger/{trace_id}"'), ("trace_url", "https:///{trace_id}"), ("trace_url", 7),
        ("trace_url", "https://jaeger:port/{trace_id}"), ("trace_url", "https://[jaeger/{trace_id}"), ("trace_url", ""),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_when_it_is_said(option: str, value: Any) -> None:
    """It names the method and what is allowed."""
    with pytest.raises(ConfigError) as refused:
        FastAPIBuilder().with_debug_route(**{option: value})

    assert str(refused.value).startswith(f"with_debug_route({option}")
    assert "allowed: " in str(refused.value)


def test_a_link_is_not_repeated() -> None:
    """It may have a password in it."""
    with pytest.raises(ConfigError) as refused:
        DebugRouteOptions(trace_url=f"https://user:{CANARY}@jaeger/{{trace_id}}")

    assert CANARY not in str(refused.value)
    assert CANARY not in repr(DebugRouteOptions(trace_url=f"https://jaeger/{{trace_id}}?key={CANARY}"))


@pytest.mark.parametrize(
    "url",
    ["https://jaeger.internal/trace/{trace_id}", "http://127.0.0.1:16686/trace/{trace_id}?uiFind=x",
     "https://grafana/explore#left=%7B{trace_id}%7D", "https://tempo/?trace={trace_id}"],
)  # fmt: skip
def test_a_template_has_the_id_where_a_path_query_or_fragment_is(url: str) -> None:
    """Of whichever backend."""
    assert DebugRouteOptions(trace_url=url).trace_url == url


def test_hosts_are_compared_in_one_spelling() -> None:
    """Names in lower case, addresses without brackets."""
    assert DebugRouteOptions(hosts=["LOGS.internal", "[FD00::0001]", "10.0.0.1"]).hosts == (
        "logs.internal", "fd00::1", "10.0.0.1",
    )  # fmt: skip


@pytest.mark.parametrize("allow", ["module:function", 7, bool, object()])
def test_allow_has_to_be_a_function(allow: Any) -> None:
    """A class would be called with the scope, and its instance is true."""
    with pytest.raises(ConfigError, match=r"^with_debug_route\(allow\): "):
        FastAPIBuilder().with_debug_route(allow=allow)


@pytest.mark.parametrize("variable", ["FAPILOG_DEBUG_ALLOW", "FAPILOG_DEBUG_ROUTE__ALLOW"])
def test_no_variable_can_say_allow(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a function, and says so rather than that it is not known."""
    monkeypatch.setenv(variable, "yes")
    with pytest.raises(ConfigError, match="can only be given in code"):
        FastAPIBuilder().options()


@pytest.mark.parametrize("preset", ["production", "hardened", "fastapi", "dev"])
def test_an_own_guard_is_as_good_as_a_token(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    """There is a route in production, too; no token is made, and none is told."""
    options = FastAPIBuilder().with_preset(preset).with_debug_route(allow=lambda _: True).options()
    console = debug_route(options)

    assert console is not None
    assert console.allow is options.debug_allow
    assert (console.takes_token, console.announced) == (False, True)
    assert capsys.readouterr().err == ""


def test_a_token_beside_an_own_guard_is_good_too() -> None:
    """Both ways in."""
    builder = FastAPIBuilder().with_preset("production").with_debug_route(token="s3cret", allow=lambda _: True)
    console = debug_route(builder.options())

    assert console is not None
    assert console.takes_token
    assert console.token.matches(b"s3cret")


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "debug", "/a/", "//a", "/a//b", "/a b", "/a?b", "/a#b", "/a%20b", "/{a}", "/a:b", "/a@b", "/a;b", "/é",
        "/.", "/..", "/./a", "/a/../b", "/a/..", "/a\\b", "/<a>", "/a\n",
    ],
)  # fmt: skip
def test_a_path_that_not_everybody_spells_the_same_is_refused(path: str) -> None:
    """Browsers encode some and remove dots: the page would look for its own files where nothing is."""
    with pytest.raises(ConfigError, match=r"^with_debug_route\(path\): .* such as \"/debug/logging\", of letters"):
        FastAPIBuilder().with_debug_route(path)


@pytest.mark.parametrize("path", ["/d", "/_debug/~log-s.v1", "/.well-known/log", "/...", "/a..b/c"])
def test_a_plain_path_is_taken(path: str) -> None:
    """Letters, digits and what URLs reserve for nothing."""
    assert DebugRouteOptions(path=path).path == path


def test_every_option_reaches_the_console() -> None:
    """From methods, from settings and from variables it is one value."""
    said: dict[str, Any] = {
        "path": "/figures", "token": "s3cret", "hosts": ["logs.internal"], "keep": "1 MB", "max_tails": 3, "spans": 0,
        "trace_url": "https://jaeger/{trace_id}",
    }  # fmt: skip
    console = debug_route(FastAPIBuilder().with_debug_route(**said).options())

    assert console is not None
    assert (console.path, list(console.hosts), console.keep_bytes) == ("/figures", ["logs.internal"], 1_000_000)
    assert (console.max_tails, console.spans, console.trace_url) == (3, 0, "https://jaeger/{trace_id}")
    assert FastAPIBuilder().with_settings(Settings(debug_route=said)).options().debug_route == DebugRouteOptions(**said)


def test_without_a_path_there_is_neither_route_nor_guard() -> None:
    """What was said before is taken back."""
    builder = FastAPIBuilder().with_debug_route(allow=lambda _: True).with_debug_route(None)

    assert builder.options().debug_allow is None
    assert debug_route(builder.options()) is None
