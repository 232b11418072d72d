"""What the headers of a request carry, and what is believed of it."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage, trace
from opentelemetry.trace import get_current_span

from fapilog import LoggerBuilder, get_logger
from fapilog.asgi.each_request import RequestMiddleware
from fapilog.asgi.headers import trace_ids_of
from fapilog.asgi.setup import with_telemetry
from fapilog.asgi.tracing.propagation import Propagation
from fapilog.event import identity_of
from tests.asgi.driver import Server, answering, http_scope, reply

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def extracted(*values):
    """Return the identity that traceparent headers carry, by OpenTelemetry's propagators."""
    propagation = Propagation(frozenset())
    context = propagation.context(propagation.read([(b"traceparent", value) for value in values]))
    return identity_of({}, trace.get_current_span(context).get_span_context())


@pytest.mark.parametrize(
    "value",
    [
        f"00-{TRACE}-{CALLER}-01", f"00-{TRACE}-{CALLER}-03", f"cc-{TRACE}-{CALLER}-01-what-the-future-brings",
        f"00-{'0' * 32}-{CALLER}-01", f"00-{TRACE}-{'0' * 16}-01", f"ff-{TRACE}-{CALLER}-01",
        f"00-{TRACE.upper()}-{CALLER}-01", f"00-{TRACE}-{CALLER}-01-more", f"00-{TRACE}-{CALLER}", "", "x",
    ],
)  # fmt: skip
def test_spans_and_events_believe_the_same_traceparents(value):
    """P8, P9: what is refused for the one is refused for the other."""
    assert extracted(value.encode()) == trace_ids_of(value.encode())


def test_a_repeated_traceparent_is_not_believed():
    """P8: nobody can know whose it is."""
    assert extracted(f"00-{TRACE}-{CALLER}-01".encode(), f"00-{TRACE}-{CALLER}-01".encode()) == {}


@given(st.binary(max_size=200))
def test_no_header_makes_it_fail(value):
    """Whatever bytes a client sends."""
    headers = [(name, value) for name in (b"traceparent", b"tracestate", b"baggage")] * 2
    propagation = Propagation(frozenset())
    propagation.context(propagation.read(headers))


def test_a_propagator_that_is_not_installed_is_a_matter_of_who_traces():
    """OpenTelemetry refuses it at the import of its module; without ``with_tracing()`` nobody imports that."""
    program = """
from fapilog import LoggerBuilder
from fapilog.asgi import FapilogMiddleware
from fapilog.errors import ConfigError
FapilogMiddleware(None, builder=LoggerBuilder().with_metrics())
try:
    FapilogMiddleware(None, builder=LoggerBuilder().with_tracing())
except ConfigError as error:
    print(error)
"""
    environ = {**os.environ, "OTEL_PROPAGATORS": "pigeon"}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)

    assert done.stdout.startswith("OTEL_PROPAGATORS: ")
    assert "pigeon" in done.stdout


@pytest.mark.asyncio
async def test_tracestate_and_baggage_are_current_in_the_application(traced):
    """Repeated headers are one list (RFC 9110)."""
    seen = {}

    async def app(scope, receive, send):
        seen.update(baggage.get_all())
        seen["state"] = dict(get_current_span().get_span_context().trace_state)
        await reply(send)

    headers = [
        (b"traceparent", f"00-{TRACE}-{CALLER}-01".encode()), (b"tracestate", b"a=1"), (b"tracestate", b"b=2"),
        (b"baggage", b"tenant=acme"), (b"baggage", b"plan=gold%20plus"),
    ]  # fmt: skip
    await traced.serve(app, http_scope(headers=headers))

    assert seen == {"tenant": "acme", "plan": "gold plus", "state": {"a": "1", "b": "2"}}


@pytest.mark.asyncio
async def test_chosen_baggage_is_on_every_event_and_no_other(traced):
    """As bounded text, redacted like everything else; it forges nothing."""

    async def app(scope, receive, send):
        get_logger("app").info("here")
        await reply(send)

    sent = b"tenant=acme,plan=" + b"x" * 3000 + b",secret_key=hunter2,level=FATAL,other=1"
    await traced.serve(
        app, http_scope(headers=[(b"baggage", sent)]), baggage=["tenant", "plan", "secret_key", "absent", "level"]
    )

    for event in traced.log.events:
        assert event["tenant"] == "acme"
        assert len(event["plan"]) < 1100
        assert event["secret_key"] == "***"
        assert (event["level"], event["level_"]) == ("INFO", "FATAL")
        assert not {"other", "absent"} & event.keys()


@pytest.mark.asyncio
async def test_without_an_sdk_baggage_is_bound_all_the_same(log):
    """The propagators are the API's."""
    options = LoggerBuilder().with_tracing(baggage=["tenant"]).options()
    app = RequestMiddleware(with_telemetry(answering(), options), options.asgi)
    await Server().run(app, http_scope(headers=[(b"baggage", b"tenant=acme")]))

    assert log.request["tenant"] == "acme"
