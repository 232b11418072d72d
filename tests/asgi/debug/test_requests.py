"""The requests that are kept, and what is kept of one of them or of a trace."""

import json
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from fapilog.asgi.debug import requests
from fapilog.asgi.debug.answers import Answer
from fapilog.asgi.debug.auth import Access
from fapilog.asgi.debug.request import Request
from fapilog.asgi.debug.turns import Turns
from fapilog.event import timestamp
from fapilog.levels import LevelTable
from fapilog.protocols import Batch
from fapilog.recent import Recent
from fapilog.serializers.json import dump_event

pytestmark = pytest.mark.asyncio
LEVELS = LevelTable()
TRACE = "0af7651916cd43dd8448eb211c80319c"
OTHER_TRACE = "1" * 32


class Kept:
    """A ring with events in it, and spans beside it."""

    def __init__(self, max_bytes: int = 1 << 20, trace_url: str | None = None) -> None:
        self.recent = Recent(max_bytes)
        self.spans: dict[str, list[dict[str, Any]]] = {}
        self.trace_url = trace_url
        self.seconds = 0
        self.redact = object()

    def of_trace(self, trace_id: str, redact: object) -> list[dict[str, Any]]:
        """Return the spans that are there, if they are asked for with the engine's own redactors."""
        return self.spans.get(trace_id, []) if redact is self.redact else []

    def log(self, message: str = "paid", level: str = "INFO", logger: str = "shop", **fields: Any) -> dict[str, Any]:
        """Let an event come, a second after the last one, and return it as it is on the wire."""
        self.seconds += 1
        event = {"timestamp": timestamp(self.seconds * 10**9), "level": level, "logger": logger, "message": message}
        line = dump_event({**event, **fields})
        self.recent.take(Batch([line], list), [LEVELS.number(level, "")])
        return dict(json.loads(line))

    def complete(self, path: str = "/orders", status: int = 200, **fields: Any) -> dict[str, Any]:
        """Let a request be over."""
        outcome = "ok" if status < 400 else "client_error" if status < 500 else "server_error"
        fields = {"path": path, "status_code": status, "outcome": outcome, "duration_ms": 1.5, **fields}
        level = "ERROR" if status >= 500 else "INFO"
        return self.log(fields.pop("message", "request_completed"), level, "fapilog.request", **fields)

    async def ask(self, rest: str, **query: str) -> Any:
        """Ask one of the three routes."""
        answer = await self.answer(rest, **query)
        assert answer.status == 200
        assert answer.content_type == b"application/json"
        return json.loads(answer.body)

    async def answer(self, rest: str, **query: str) -> Answer:
        engine = SimpleNamespace(recent=self.recent, redact_fields=self.redact)
        kept = SimpleNamespace(of_trace=self.of_trace) if self.spans else None
        console: Any = SimpleNamespace(
            engine=lambda: engine,
            spans=lambda: kept,
            options=SimpleNamespace(trace_url=self.trace_url),
            turns=Turns(),
        )
        handler = {"requests": requests.requests, "requests/": requests.request, "traces/": requests.trace}
        nothing: Any = None
        request = Request(console, {"type": "http"}, nothing, nothing, rest, query, Access.READ, "")
        return await handler["".join(rest.partition("/")[:2])](request)


async def test_the_last_requests_newest_first() -> None:
    """Completion events of HTTP and WebSockets, as they are on the wire, and nothing else."""
    kept = Kept()
    kept.log("request_completed", note="of the application's own logger")
    first = kept.complete("/orders/7", note="ü\u2028", huge=2**70)
    kept.log("websocket_opened", logger="fapilog.request")
    closed = kept.complete("/updates", message="websocket_closed", close_code=1000)
    kept.log(note={"logger": "fapilog.request", "message": "request_completed"})

    answer = await kept.ask("requests")

    assert answer["requests"] == [closed, first]
    assert answer["events_kept"] == 5
    assert answer["oldest"] == "1970-01-01T00:00:01.000000Z"


async def test_nothing_kept_is_an_empty_list() -> None:
    """Before the first request."""
    assert await Kept().ask("requests") == {"requests": [], "events_kept": 0, "oldest": None}


async def test_the_slowest_first() -> None:
    """By duration to the last byte; of equal ones the newer; what has none comes last."""
    kept = Kept()
    durations = [5, "***", 900.5, 5, 30]
    for number, duration in enumerate(durations):
        kept.complete(f"/{number}", duration_ms=duration)

    answer = await kept.ask("requests", order="slowest")

    assert [event["path"] for event in answer["requests"]] == ["/2", "/4", "/3", "/0", "/1"]


async def test_the_failed_ones() -> None:
    """An exception or an answer of 500 and above; a client's mistake or departure is none."""
    kept = Kept()
    kept.complete("/ok")
    kept.complete("/404", 404)
    kept.complete("/gone", outcome="client_disconnected")
    kept.complete("/503", 503)
    kept.complete("/raised", 500, message="request_failed")
    kept.complete("/socket", message="websocket_failed", outcome="server_error", status_code="***")
    kept.complete("/broken", outcome="server_error")

    async def failed(value: str) -> list[str]:
        answer = await kept.ask("requests", failed=value)
        return [event["path"] for event in answer["requests"]]

    assert await failed("1") == await failed("true") == ["/broken", "/socket", "/raised", "/503"]
    assert len(await failed("0")) == len(await failed("")) == 7


async def test_by_a_part_of_the_path() -> None:
    """Plain text, no pattern."""
    kept = Kept()
    for path in ("/orders/7", "/api/orders", "/products", "/o.d"):
        kept.complete(path)

    assert [event["path"] for event in (await kept.ask("requests", path="/orders"))["requests"]] == [
        "/api/orders", "/orders/7",
    ]  # fmt: skip
    assert len((await kept.ask("requests", path="o.d"))["requests"]) == 1


async def test_only_so_many() -> None:
    """A hundred unless another number up to a thousand is asked for."""
    kept = Kept()
    for number in range(120):
        kept.complete(f"/{number}")

    assert len((await kept.ask("requests"))["requests"]) == 100
    assert len((await kept.ask("requests", limit="1000"))["requests"]) == 120
    assert [event["path"] for event in (await kept.ask("requests", limit="1"))["requests"]] == ["/119"]


@pytest.mark.parametrize(
    ("query", "names"),
    [({"limit": "0"}, "1000"), ({"limit": "1001"}, "1000"), ({"limit": "many"}, "limit"), ({"order": "best"}, "slow"),
     ({"failed": "maybe"}, "1, true, yes, 0, false, no.")],
)  # fmt: skip
async def test_what_cannot_be_asked_for_is_a_400(query: dict[str, str], names: str) -> None:
    """The answer says what can."""
    answer = await Kept().answer("requests", **query)

    assert answer.status == 400
    assert names in orjson.loads(answer.body)["error"]


async def test_failures_outlive_the_chatter() -> None:
    """An error that the ring has let go is still in the list, once."""
    kept = Kept(max_bytes=4000)
    failed = kept.complete("/old", 500, request_id="r-1")
    for _ in range(100):
        kept.log(request_id="r-2")
    both = kept.complete("/new", 500)

    assert kept.recent.start > 2
    assert (await kept.ask("requests", failed="1"))["requests"] == [both, failed]
    assert (await kept.ask("requests/r-1"))["events"] == [failed]


async def test_everything_of_one_request_in_the_order_of_its_time() -> None:
    """Also what the recorder let out later than it happened; of both ids and of nobody else's."""
    kept = Kept(trace_url="https://traces/{trace_id}?a={b}")
    kept.spans = {TRACE: [{"name": "GET /orders"}]}
    first = kept.log("one", request_id="r-1", trace_id=TRACE)
    kept.log("other", request_id="r-10", trace_id=OTHER_TRACE, note={"request_id": "r-1"}, text='"request_id":"r-1"')
    third = kept.log("three", request_id="r-1")
    kept.seconds = 1
    second = kept.log("late", request_id="r-1", trace_id="not an id")
    kept.seconds = 4
    last = kept.complete(request_id="r-1", trace_id=TRACE)

    assert await kept.ask("requests/r-1") == {
        "request_id": "r-1",
        "trace_ids": [TRACE, "not an id"],
        "events": [first, second, third, last],
        "spans": [{"name": "GET /orders"}],
        "trace_urls": {TRACE: f"https://traces/{TRACE}?a={{b}}"},
    }


@pytest.mark.parametrize("request_id", ['quo"ted', "back\\slash", "üñ 😀", ".*", "a/b", "%2e", "\u2028", "\n", "'"])
async def test_an_id_may_be_any_text(request_id: str) -> None:
    """It is compared as it is, and never a pattern."""
    kept = Kept()
    event = kept.log(request_id=request_id)
    kept.log(request_id="innocent")

    answer = await kept.ask(f"requests/{request_id}")

    assert answer["request_id"] == request_id
    assert answer["events"] == [event]


@pytest.mark.parametrize("rest", ["requests/unknown", "requests/", "requests/\ud800", f"traces/{TRACE}", "traces/"])
async def test_what_is_not_known_is_a_404(rest: str) -> None:
    """Whatever it is."""
    kept = Kept()
    kept.log(request_id="r-1")

    assert (await kept.answer(rest)).status == 404


async def test_everything_of_one_trace() -> None:
    """Events of several requests, and the spans."""
    kept = Kept(trace_url="https://traces/{trace_id}")
    kept.spans = {TRACE: [{"name": "GET /orders"}], OTHER_TRACE: [{"name": "other"}]}
    events = [kept.log(request_id=request_id, trace_id=TRACE) for request_id in ("r-1", "r-2")]
    kept.log(trace_id=OTHER_TRACE)

    assert await kept.ask(f"traces/{TRACE}") == {
        "trace_id": TRACE,
        "events": events,
        "spans": [{"name": "GET /orders"}],
        "trace_url": f"https://traces/{TRACE}",
    }


async def test_a_trace_of_which_only_spans_are_kept() -> None:
    """A service may trace what it does not log."""
    kept = Kept()
    kept.spans = {TRACE: [{"name": "GET /orders"}]}

    answer = await kept.ask(f"traces/{TRACE}")

    assert (answer["events"], answer["spans"], answer["trace_url"]) == ([], [{"name": "GET /orders"}], None)


@pytest.mark.parametrize("trace_id", ["javascript:alert(1)", "../x", TRACE.upper(), TRACE + "\n", TRACE[:-1]])
async def test_only_a_trace_id_gets_into_a_link(trace_id: str) -> None:
    """What else a client has made a trace id of is shown, and leads nowhere."""
    kept = Kept(trace_url="https://traces/{trace_id}")
    kept.log(request_id="r-1", trace_id=trace_id)

    assert (await kept.ask("requests/r-1"))["trace_urls"] == {}
    assert (await kept.ask(f"traces/{trace_id}"))["trace_url"] is None


async def test_an_id_that_is_sent_in_many_traces_costs_the_spans_of_a_few() -> None:
    """Whoever sends requests chooses the ids; looking up spans takes a while for each trace."""
    kept = Kept()
    traces = [f"{number:032x}" for number in range(1, 200)]
    for trace_id in traces:
        kept.complete(request_id="evil", trace_id=trace_id)
        kept.spans[trace_id] = [{"trace_id": trace_id}]

    found = await kept.ask("requests/evil")

    assert found["trace_ids"] == traces
    assert [span["trace_id"] for span in found["spans"]] == traces[: requests.MOST_TRACES]
