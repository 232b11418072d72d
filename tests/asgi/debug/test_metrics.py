"""``GET /debug/logging/metrics`` in front of an application."""

import sys
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_classic

import fapilog
from fapilog import _runtime
from fapilog.asgi.debug.metrics import MISSING
from fapilog.asgi.debug.routes import DebugRoute
from fapilog.asgi.middleware import FapilogMiddleware
from fapilog.asgi.setup import debug_route as debug_options
from fapilog.asgi.stack import stacked
from fapilog.fastapi import FastAPIBuilder
from fapilog.metrics.points import Exemplar
from tests.asgi.debug.front import ask as send_request
from tests.engine.sinks import Keeping

PATH = "/debug/logging"
METRICS = PATH + "/metrics"
BEARER = {"authorization": "Bearer s3cret"}
OPENMETRICS = {"accept": "application/openmetrics-text;version=1.0.0"}
REQUEST = ("GET", "http", "/orders", "200", "", "1.1")
GAUGES = ("held", "size_bytes")
pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def fresh_state(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test a process state of its own."""
    state = _runtime._State()
    monkeypatch.setattr(_runtime, "_state", state)
    yield
    for engine in list(state.engines):
        engine.drain()


async def teapot(scope: Any, receive: Any, send: Any) -> None:
    """Stand for an application that answers everything."""
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


def debug_route(path: str = PATH) -> DebugRoute:
    """Return a console whose engine publishes nothing, so that only those of the test are seen."""
    made = FastAPIBuilder().with_debug_route(path, "s3cret").options()
    stack = stacked(teapot, made, debug_options(made), _runtime.default_engine)
    assert isinstance(stack.app, DebugRoute)
    return stack.app


async def ask(route: Any, path: str = METRICS, method: str = "GET", **kwargs: Any) -> httpx.Response:
    """Send one request from this machine."""
    return await send_request(route, method, path, **kwargs)


async def body_of(route: Any, method: str) -> bytes:
    """Return what is sent as body; a client would throw that of an answer to HEAD away."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), *((name.encode(), value.encode()) for name, value in BEARER.items())]
    scope = {"type": "http", "method": method, "path": METRICS, "query_string": b"", "headers": headers}
    await route(scope, None, send)
    return b"".join(message.get("body", b"") for message in sent)


async def test_it_answers_the_figures_of_all_engines_and_requests() -> None:
    """Classic text that Prometheus's own parser reads, although no engine asked for metrics."""
    one = fapilog.LoggerBuilder().add_sink(Keeping()).build()
    two = fapilog.LoggerBuilder().add_sink(Keeping()).build()
    one.info("paid")
    two.info("paid")
    two.info("paid")
    one.drain()
    two.drain()
    _runtime.http_durations().record(REQUEST, 0.3)

    answer = await ask(debug_route(), headers=BEARER)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in parse_classic(answer.text)
        for sample in family.samples
    }
    delivered = (("level", "INFO"), ("outcome", "delivered"))
    assert samples["fapilog_events_total", ("engine", "root"), *delivered] == 1
    assert samples["fapilog_events_total", ("engine", "root-2"), *delivered] == 2
    assert sum(value for key, value in samples.items() if key[0] == "http_server_request_duration_seconds_count") == 1


async def test_without_requests_and_engines_it_is_empty() -> None:
    """Nothing is made up, and asking builds no engine."""
    answer = await ask(debug_route(), headers=BEARER)

    assert (answer.status_code, answer.content) == (200, b"")
    assert list(_runtime._state.engines) == []


async def test_openmetrics_has_the_trace_of_a_slow_request() -> None:
    """Prometheus asks for it in ``Accept``, and stores the exemplar if it is told to."""
    _runtime.http_durations().record(REQUEST, 0.3, Exemplar(0.3, "a" * 32, "b" * 16, 1_700_000_000_000_000_000))

    answer = await ask(debug_route(), headers={**BEARER, **OPENMETRICS})

    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    exemplars = [
        sample.exemplar.labels
        for family in parse_openmetrics(answer.text)
        for sample in family.samples
        if sample.exemplar is not None
    ]
    assert exemplars == [{"trace_id": "a" * 32, "span_id": "b" * 16}]


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}])
async def test_without_the_token_it_is_a_401(headers: dict[str, str]) -> None:
    """The same token opens both paths, and nothing else does."""
    _runtime.http_durations().record(REQUEST, 0.3)

    answer = await ask(debug_route(), headers=headers)

    assert (answer.status_code, answer.json()) == (401, {"error": "a valid token is needed"})


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_it_only_reads(method: str) -> None:
    """Every other method is refused."""
    answer = await ask(debug_route(), method=method, headers=BEARER)

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_head_has_the_headers_and_no_body() -> None:
    """The length is that of the text."""
    _runtime.http_durations().record(REQUEST, 0.3)
    got = await ask(debug_route(), headers=BEARER)
    head = await ask(debug_route(), method="HEAD", headers=BEARER)

    assert (head.status_code, await body_of(debug_route(), "HEAD")) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.content))


@pytest.mark.parametrize(
    "path",
    [
        "/debug/logging/metric%73",
        "/x" + METRICS,
        "/metrics",
        PATH + "metrics",
    ],
)
async def test_other_spellings_are_the_applications(path: str) -> None:
    """One canonical path, so that a rule of a proxy for it holds."""
    assert (await ask(debug_route(), path, headers=BEARER)).status_code == 418


async def test_it_stands_below_the_root_path() -> None:
    """As the figures in JSON do."""
    assert (await ask(debug_route(), "/api" + METRICS, root_path="/api", headers=BEARER)).status_code == 200


async def test_a_route_that_is_called_metrics_itself_has_both() -> None:
    """The end of the path alone does not decide what is answered."""
    route = debug_route("/metrics")

    assert (await ask(route, "/metrics/metrics", headers=BEARER)).content == b""
    assert (await ask(route, "/metrics/health", headers={})).status_code == 401


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_without_the_library_it_says_what_to_install(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, to those who may know."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "fapilog.metrics.prometheus", raising=False)

    said = orjson.dumps({"error": MISSING}, option=orjson.OPT_INDENT_2) + b"\n"
    answer = await ask(debug_route(), method=method, headers=BEARER)

    assert (answer.status_code, answer.headers["content-length"]) == (501, str(len(said)))
    assert await body_of(debug_route(), method) == (b"" if method == "HEAD" else said)
    assert (await ask(debug_route(), method=method)).status_code == 401


async def test_the_middleware_answers_it_for_its_engine() -> None:
    """A scrape is no request of the application: it is neither logged nor counted."""
    sink = Keeping()
    builder = FastAPIBuilder().with_debug_route(token="s3cret").add_sink(sink)
    application = FapilogMiddleware(teapot, builder=builder)

    assert (await ask(application, "/orders")).status_code == 418
    for engine in _runtime._state.engines:
        assert await engine.flush_async(5)
    answer = await ask(application, headers=BEARER)

    (event,) = sink.events
    assert event["path"] == "/orders"
    assert f'fapilog_events_total{{engine="root",level="{event["level"]}",outcome="delivered"}} 1.0' in answer.text


async def test_the_account_of_the_flight_recorder_is_there() -> None:
    """From the first scrape on; what it says is what the JSON says."""
    log = fapilog.get_logger("orders")

    async def orders(scope: Any, receive: Any, send: Any) -> None:
        log.debug("looked up")
        if scope["path"] == "/broken":
            raise LookupError
        await teapot(scope, receive, send)

    builder = FastAPIBuilder().with_debug_route(token="s3cret").with_flight_recorder(max_events=1).add_sink(Keeping())
    application = FapilogMiddleware(orders, builder=builder)

    async def scraped() -> dict[str, float]:
        text = (await ask(application, headers=BEARER)).text
        families = [one for one in parse_classic(text) if one.name.startswith("fapilog_flight_recorder")]
        return {sample.labels.get("outcome", one.name): sample.value for one in families for sample in one.samples}

    none = dict.fromkeys(("released", "discarded", "evicted", *(f"fapilog_flight_recorder_{n}" for n in GAUGES)), 0.0)
    await ask(application, "/orders")
    assert await scraped() == {**none, "discarded": 1}
    with pytest.raises(LookupError):
        await ask(application, "/broken")
    assert await scraped() == {**none, "discarded": 1, "released": 1}
    told = (await ask(application, PATH, headers=BEARER)).json()["recorder"]
    assert (told["kept"], told["released"], told["discarded"], told["held"]) == (2, 1, 1, 0)
