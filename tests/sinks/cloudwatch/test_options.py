"""CloudwatchOptions: checked when they are made, without secrets in what they show."""

import os
import socket

import pytest

from fapilog.errors import ConfigError
from fapilog.sinks.cloudwatch.options import CloudwatchOptions, stream_name
from tests.sinks.support import run_program

SECRET = "wJalrXUtnFEMIexample"


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("group", ["", " ", "a b", "aws/x", "x" * 513, "gr:oup", None, 5, b"x"]),
        ("stream", ["", "a:b", "a*b", "x" * 513, "{user}", "{host", "pid}", "a\nb", 5]),
        ("region", ["", "EU", "eu central", "-eu", 5, "eu.example.com/"]),
        ("endpoint_url", ["", "logs.example.com", "ftp://x", "http://", "http://[x", "http://a b", "http://x?y", 5]),
        ("create", [1, "yes", None]),
        ("retention_days", [0, 2, 15, True, "30", 7.0]),
        ("session_token", ["t", "", 5]),
        ("timeout", [0, -1, "soon", None, True]),
        ("name", ["", 5, None]),
    ],
)
def test_a_wrong_value_is_said_with_its_option(option, values):
    """Each value that cannot be used is a ConfigError that names the method and the option."""
    for value in values:
        with pytest.raises(ConfigError) as caught:
            CloudwatchOptions(**{"group": "/shop/api", option: value})
        assert str(caught.value).startswith(f"add_cloudwatch({option}): "), value


@pytest.mark.parametrize("key", ["access_key_id", "secret_access_key"])
def test_half_an_access_key_is_refused(key):
    """One part of an access key without the other is a mistake, not the default chain."""
    with pytest.raises(ConfigError, match="both parts"):
        CloudwatchOptions("g", **{key: "x"})


def test_secrets_are_neither_in_the_repr_nor_in_an_error():
    """What is secret shows as ***, and a wrong one is told by its type."""
    options = CloudwatchOptions("g", access_key_id="AKID", secret_access_key=SECRET, session_token=SECRET + "2")
    assert SECRET not in repr(options)
    assert "secret_access_key='***', session_token='***'" in repr(options)
    assert "secret_access_key=None" in repr(CloudwatchOptions("g"))

    wrong = ({"secret_access_key": SECRET + "\n"}, {"endpoint_url": f"https://me:{SECRET}@logs.example.com"})
    for options in wrong:
        with pytest.raises(ConfigError) as caught:
            CloudwatchOptions("g", **{"access_key_id": "AKID", "secret_access_key": "x", **options})
        assert SECRET not in str(caught.value)


def test_the_default_stream_is_one_of_this_process(monkeypatch):
    """Processes do not share a stream, and a host's name cannot make it one that AWS refuses."""
    monkeypatch.setattr(socket, "gethostname", lambda: "web:1*")

    assert stream_name(None) == f"web-1-/{os.getpid()}"
    assert stream_name("shop") == "shop"
    assert stream_name("api/{pid}/{host}") == f"api/{os.getpid()}/web-1-"
    monkeypatch.setattr(socket, "gethostname", lambda: "h" * 600)
    assert stream_name("{pid}-{host}") == f"{os.getpid()}-{'h' * 600}"[:512]


def test_a_long_hosts_name_does_not_cut_the_process_off(monkeypatch):
    """Where a name is too long, the host's part is what is cut: two processes still differ."""
    monkeypatch.setattr(socket, "gethostname", lambda: "h" * 600)

    name = stream_name(None)

    assert name.endswith(f"/{os.getpid()}")
    assert len(name) <= 512


def test_options_need_no_boto3():
    """An application without the extra can still import the options."""
    done = run_program("""
        import sys
        sys.modules["boto3"] = sys.modules["botocore"] = None
        from fapilog.sinks.cloudwatch.options import CloudwatchOptions
        print(CloudwatchOptions("/shop/api").group)
    """)

    assert (done.returncode, done.stdout.strip()) == (0, b"/shop/api")
