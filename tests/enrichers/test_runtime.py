"""Which process this is: what was configured, what OpenTelemetry's variables say, and what can be asked for."""

import os
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.enrichers.runtime import ServiceOptions, otel_attributes, runtime_fields
from fapilog.errors import ConfigError

HERE = {"host": socket.gethostname(), "pid": os.getpid()}


def test_without_anything_said_host_and_pid_are_known() -> None:
    """What is not known is left out."""
    assert runtime_fields(ServiceOptions(), {}) == HERE


def test_the_fields_stand_in_the_order_of_the_wire() -> None:
    """Service, env, version, host, pid."""
    fields = runtime_fields(ServiceOptions("shop", "1.2", "live"), {})

    assert list(fields.items()) == [("service", "shop"), ("env", "live"), ("version", "1.2"), *HERE.items()]


@pytest.mark.parametrize(
    ("options", "environ", "service"),
    [
        ({"name": "code"}, {"OTEL_SERVICE_NAME": "name", "OTEL_RESOURCE_ATTRIBUTES": "service.name=attribute"}, "code"),
        ({}, {"OTEL_SERVICE_NAME": "name", "OTEL_RESOURCE_ATTRIBUTES": "service.name=attribute"}, "name"),
        ({}, {"OTEL_SERVICE_NAME": "", "OTEL_RESOURCE_ATTRIBUTES": "service.name=attribute"}, "attribute"),
        ({}, {"OTEL_SERVICE_NAME": "", "OTEL_RESOURCE_ATTRIBUTES": "service.name="}, None),
    ],
)
def test_the_service_is_named_by_the_first_that_says_it(
    options: dict[str, str], environ: dict[str, str], service: str | None
) -> None:
    """Code, then the variable of its own, then the attribute; an empty text says nothing."""
    assert runtime_fields(ServiceOptions(**options), environ).get("service") == service


@pytest.mark.parametrize(
    ("attributes", "env"),
    [
        ("deployment.environment.name=live", "live"),
        ("deployment.environment=old", "old"),
        ("deployment.environment=old,deployment.environment.name=live", "live"),
    ],
)
def test_the_environment_has_a_new_and_an_old_attribute(attributes: str, env: str) -> None:
    """The conventions renamed it; the new one wins."""
    environ = {"OTEL_RESOURCE_ATTRIBUTES": f"{attributes},service.version=3"}

    assert runtime_fields(ServiceOptions(), environ) == {"env": env, "version": "3", **HERE}


def test_attributes_are_percent_decoded() -> None:
    """Blanks around them do not count, and a part that is no pair is passed over."""
    assert otel_attributes({"OTEL_RESOURCE_ATTRIBUTES": " a = b%2Cc%20d ,, e ,f=g=h"}) == {"a": "b,c d", "f": "g=h"}


@given(st.text())
def test_no_text_of_attributes_raises(text: str) -> None:
    """The variable may be anybody's."""
    assert runtime_fields(ServiceOptions(), {"OTEL_RESOURCE_ATTRIBUTES": text}).items() >= HERE.items()


@pytest.mark.parametrize("option", ["name", "version", "env"])
@pytest.mark.parametrize("value", ["", "  ", 5, True, b"shop", ["shop"]], ids=repr)
def test_a_wrong_value_names_the_method(option: str, value: Any) -> None:
    """Never by a ``TypeError``."""
    with pytest.raises(ConfigError, match=rf"^with_service\({option}\): .*allowed: "):
        ServiceOptions(**{option: value})
