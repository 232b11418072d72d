"""RedisOptions: checked when they are made, without secrets in what they show."""

import pytest

from fapilog.errors import ConfigError
from fapilog.sinks.redis.options import RedisOptions, address_of
from tests.sinks.support import run_program

SECRET = "hunter2-sesame"


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("url", ["", "localhost:6379", "http://h", "redis://", "redis://h/x", "redis://h/0?ssl=1", "redis://h:0"]),
        ("url", ["redis://h:99999", "redis://[h", "redis://a b", "redis://h/0#x", "unix://", "unix:///", "unix://h/s"]),
        ("url", ["unix:///s?timeout=1", 5, None, b"redis://h"]),
        ("key", ["", " ", None, 5, b"x", "\ud800"]),
        ("max_length", [0, -1, True, "5", 1.5]),
        ("max_age", [0, "500ms", "soon", True]),
        ("username", ["", 5, b"x"]),
        ("password", ["", 5, "\ud800"]),
        ("ca_file", ["", 5, "ca.pem"]),
        ("timeout", [0, -1, "soon", None, True]),
        ("name", ["", 5, None]),
    ],
)
def test_a_wrong_value_is_said_with_its_option(option, values):
    """Each value that cannot be used is a ConfigError that names the method and the option."""
    for value in values:
        with pytest.raises(ConfigError) as caught:
            RedisOptions(**{"url": "redis://localhost", "password": "x", option: value})
        assert str(caught.value).startswith(f"add_redis({option}): "), value


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "database", "shown"),
    [
        ("redis://cache", "cache", 6379, "", 0, "redis://cache:6379/0"),
        ("rediss://cache:7000/3", "cache", 7000, "", 3, "rediss://cache:7000/3"),
        ("redis://[::1]:7000/", "::1", 7000, "", 0, "redis://[::1]:7000/0"),
        ("unix:///run/redis%20x.sock?db=2", "", 6379, "/run/redis x.sock", 2, "unix:///run/redis%20x.sock"),
    ],
)
def test_an_address_is_taken_apart(url, host, port, path, database, shown):
    """A URL gives place, database and TLS as the registered schemes say."""
    address = address_of(url)

    assert (address.host, address.port, address.path, address.database) == (host, port, path, database)
    assert address.shown == shown
    assert address.tls == url.startswith("rediss")


def test_credentials_of_a_url_are_decoded():
    """What had to be escaped in a URL is sent as it is."""
    address = address_of("redis://me%40home:p%3As%2Fw@cache")

    assert (address.username, address.password) == ("me@home", "p:s/w")


@pytest.mark.parametrize("given", [{"username": "me"}, {"password": "other"}, {"username": "me", "password": "other"}])
def test_credentials_are_given_once(given):
    """A user or password in two places is a mistake; which one counts must not be guessed."""
    with pytest.raises(ConfigError, match="not both"):
        RedisOptions(f"redis://u:{SECRET}@cache", **given)


def test_a_user_needs_a_password():
    """Redis has no user without one that could be named."""
    with pytest.raises(ConfigError, match=r"add_redis\(password\)"):
        RedisOptions("redis://cache", username="me")


def test_secrets_are_neither_in_the_repr_nor_in_an_error():
    """What is secret shows as ***, and a wrong URL is told by its type."""
    shown = repr(RedisOptions(f"redis://me:{SECRET}@cache", max_length=5))
    assert shown.startswith("RedisOptions(url='redis://cache:6379/0', key='fapilog', max_length=5,")
    assert "password='***'" in repr(RedisOptions("redis://cache", password=SECRET))
    assert SECRET not in shown + repr(RedisOptions("redis://cache", password=SECRET))

    for wrong in ({"url": f"http://me:{SECRET}@cache"}, {"url": f"redis://:{SECRET}@cache", "password": SECRET}):
        with pytest.raises(ConfigError) as caught:
            RedisOptions(**wrong)
        assert SECRET not in str(caught.value)


def test_options_need_no_redis():
    """An application without the extra can still import the options."""
    done = run_program("""
        import sys
        sys.modules["redis"] = None
        from fapilog.sinks.redis.options import RedisOptions
        RedisOptions("redis://localhost")
    """)

    assert done.returncode == 0, done.stderr.decode()
