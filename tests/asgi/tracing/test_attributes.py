"""What is read of a request's scope for its span: all of it may be a client's invention."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.asgi.tracing.attributes import known_methods, start_attributes
from tests.asgi.driver import answering, http_scope


def server_of(host, **more):
    found = start_attributes(http_scope(**more), {"host": host} if host is not None else {}, "GET", None, str)
    return found.get("server.address"), found.get("server.port")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("shop.example", ("shop.example", 80)), ("shop.example:8443", ("shop.example", 8443)),
        ("[2001:db8::1]:81", ("2001:db8::1", 81)), ("[2001:db8::1]", ("2001:db8::1", 80)),
        (None, ("127.0.0.1", 8000)), ("", ("127.0.0.1", 8000)), ("shop.example:http", ("127.0.0.1", 8000)),
        ("shop.example:99999", ("127.0.0.1", 8000)), ("a b", ("127.0.0.1", 8000)), ("a/b", ("127.0.0.1", 8000)),
        ("user@shop", ("127.0.0.1", 8000)), ("x" * 300, ("127.0.0.1", 8000)), ("a,b", ("127.0.0.1", 8000)),
    ],
)  # fmt: skip
def test_the_server_is_whom_the_client_asked_for(host, expected):
    """A malformed Host header is passed over."""
    assert server_of(host) == expected


def test_a_unix_socket_has_a_path_and_no_port():
    """P22: and there may be no client."""
    found = start_attributes(http_scope(server=("/run/app.sock", None), client=None), {}, "GET", None, str)
    assert found["server.address"] == "/run/app.sock"
    assert not {"server.port", "client.address"} & found.keys()


@given(st.text(max_size=300), st.binary(max_size=300), st.text(max_size=100))
def test_no_scope_makes_it_fail_and_nothing_grows(host, query, agent):
    """Types are those that spans take; texts are bounded."""
    scope = http_scope(query_string=query, path="/" + agent)
    found = start_attributes(scope, {"host": host, "user-agent": agent * 50}, "GET", None, str)
    assert all(isinstance(value, str | int) and len(str(value)) < 1100 for value in found.values())


def test_known_methods_can_be_replaced(monkeypatch):
    """OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS is the full list."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "GET, BREW")
    assert known_methods() == {"GET", "BREW"}
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", " , ")
    assert "POST" in known_methods()


@pytest.mark.asyncio
async def test_no_secret_of_path_query_or_user_agent_is_on_the_span(traced):
    """They are redacted as the completion event's are."""
    token = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
    scope = http_scope(f"/reset/{token.decode()}", headers=[(b"user-agent", b"curl Bearer " + token)])
    await traced.serve(answering(), scope)

    attributes = traced.attributes
    assert attributes["url.path"] == "/reset/***" == traced.log.request["path"]
    assert attributes["user_agent.original"] == "curl Bearer ***" == traced.log.request["user_agent"]
    assert "SflKx" not in str(attributes)
