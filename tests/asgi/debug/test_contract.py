"""What the console answers is what ``schema/console_v1.json`` says, whatever it is asked."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from opentelemetry.sdk.trace import TracerProvider

from fapilog import _runtime, get_logger
from fapilog.errors import SinkError
from fapilog.fastapi import FastAPIBuilder
from tests.asgi.debug.contract import BASE, TOKEN, Contract
from tests.e2e.server import Server
from tests.hosts.driver import Running, running

BEARER = {"Authorization": f"Bearer {TOKEN}"}
PAGE = {"Accept": "text/html"}
CONTRACT = Contract()
READ = [path for path, method, _ in CONTRACT.operations() if method == "get" and "{" not in path]
READ_NOW = [path for path in READ if not path.endswith("/tail")]
WAYS = [*CONTRACT.operations()]
IDS = [f"{method} {path.removeprefix(BASE) or '/'}" for path, method, _ in WAYS]


class Failing:
    """A sink that has never delivered anything."""

    name = "failing"

    async def open(self) -> None:
        """Do nothing."""

    async def write(self, batch: Any) -> None:
        """Fail."""
        raise SinkError("no", retryable=True)

    async def close(self) -> None:
        """Do nothing."""

    def health(self) -> dict[str, Any]:
        """Tell what the contract does not know."""
        return {"status": "so-so", "circuit": 7, "since": float("nan"), "url": "\ud800", "more": None}


def everything(folder: Path) -> FastAPI:
    """Return a shop with everything switched on that the console tells of."""
    builder = FastAPIBuilder().with_preset("fastapi").with_journal(folder / "journal").with_spool(folder / "spool")
    builder = builder.with_retry(budget_seconds=0.1).with_circuit_breaker().with_adaptive().add_sink(Failing())
    builder = builder.with_flight_recorder(slow_seconds=2.5).with_tracing(tracer_provider=TracerProvider())
    builder = builder.with_debug_route(token=TOKEN, trace_url="https://traces.example/{trace_id}").with_level("WARNING")
    app = FastAPI(lifespan=builder.with_shutdown_timeout(0.2).build())

    @app.get("/orders/{number}")
    async def order(number: int) -> int:
        get_logger("\ud800").warning("of a logger whose name is no text")
        get_logger("shop").warning("order shown", number=number, odd={"\ud800": float("nan")}, tags=("a", b"\xff"))
        if not number:
            raise RuntimeError("no such order")
        return number

    return app


def nothing(_: Path) -> FastAPI:
    """Return a shop of which there is as little to tell as can be."""
    builder = FastAPIBuilder().with_preset("minimal").with_debug_route(token=TOKEN, spans=0, max_tails=0)
    app = FastAPI(lifespan=builder.build())

    @app.get("/orders/{number}")
    async def order(number: int) -> int:
        if not number:
            raise RuntimeError("no such order")
        return number

    return app


@pytest.fixture(params=[everything, nothing], ids=["everything", "nothing"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> FastAPI:
    """Give an application."""
    return request.param(tmp_path)  # type: ignore[no-any-return]


async def asked(server: Running, method: str, path: str, **kwargs: Any) -> Any:
    """Send a request with the token, hold the answer to the contract, and return what it is."""
    headers = {**BEARER, **kwargs.pop("headers", {})}
    answer = await server.client.request(method, path, headers=headers, **kwargs)
    return CONTRACT.hold(answer)


async def arrived() -> None:
    """Wait until the worker has taken what was logged."""
    await asyncio.to_thread(_runtime.default_engine().flush, 5)


def test_the_document_is_whole() -> None:
    """OpenAPI 3.1, its schemas are JSON Schema 2020-12, all that is referred to is there and all there is used."""
    text = json.dumps(CONTRACT.document)
    components = CONTRACT.document["components"]
    assert CONTRACT.document["openapi"].startswith("3.1.")
    for kind in ("schemas", "responses"):
        for name, schema in components[kind].items():
            if kind == "schemas":
                Draft202012Validator.check_schema(schema)
            assert f'"#/components/{kind}/{name}"' in text or name in ("TailEnd", "TailLost"), name
    identifiers = [operation["operationId"] for _, _, operation in WAYS]
    assert len(set(identifiers)) == len(identifiers) == 15


def test_objects_are_closed() -> None:
    """What is not documented is not answered: a new key has to be written down, but for fields of the application."""
    open_ones = [
        name
        for name, schema in CONTRACT.document["components"]["schemas"].items()
        if schema.get("type") == "object" and schema.get("additionalProperties") is not False
    ]

    assert sorted(open_ones) == ["Counts", "CountsByLevel", "Event"]


@pytest.mark.asyncio
async def test_every_answer_is_as_documented(app: FastAPI) -> None:
    """Before anything has happened and after it, read by a program and by a browser."""
    async with running(app) as server:
        for path in READ_NOW:
            await asked(server, "GET", path)
        for number in (1, 2, 0):
            await server.get(f"/orders/{number}")
        await arrived()
        for path in READ_NOW:
            await asked(server, "GET", path)
            await asked(server, "HEAD", path)
            await asked(server, "GET", path, headers=PAGE)
        answer = await server.get(f"{BASE}/health", headers=BEARER)
        assert CONTRACT.hold(answer)["status"] == {200: "ok", 503: "failing"}[answer.status_code]
        found = await asked(server, "GET", f"{BASE}/requests?failed=1&order=slowest&limit=5&path=/orders")
        assert len(found["requests"]) == 1
        await asked(server, "GET", f"{BASE}/static/style.css")
        for path in ("/requests/none", "/traces/none", "/traces/" + "0" * 32, "/static/none"):
            await asked(server, "GET", BASE + path)
        detail = await asked(server, "GET", f"{BASE}/requests/{found['requests'][0]['request_id']}")
        for trace_id in detail["trace_ids"]:
            await asked(server, "GET", f"{BASE}/traces/{trace_id}")


@pytest.mark.asyncio
async def test_the_spans_of_a_request_are_among_what_is_answered(tmp_path: Path) -> None:
    """The server span, with the ids that the events have, and the link to the trace backend."""
    async with running(everything(tmp_path)) as server:
        await server.get("/orders/0", headers={"X-Request-ID": "r-1"})
        await arrived()
        detail = await asked(server, "GET", f"{BASE}/requests/r-1")
        (trace_id,) = detail["trace_ids"]
        trace = await asked(server, "GET", f"{BASE}/traces/{trace_id}")

    assert [span["kind"] for span in detail["spans"]].count("SERVER") == 1
    assert trace["spans"] == detail["spans"]
    assert trace["trace_url"] == detail["trace_urls"][trace_id] == f"https://traces.example/{trace_id}"


@pytest.mark.asyncio
async def test_changes_are_answered_as_documented(app: FastAPI) -> None:
    """Levels and louder requests: set, for a while or not, seen, and taken back."""
    async with running(app) as server:
        change = {"logger": "shop", "level": "debug", "ttl_seconds": 60}
        levels = await asked(server, "PUT", f"{BASE}/levels", json=change)
        await asked(server, "PUT", f"{BASE}/levels", json={"level": 30})
        await asked(server, "PUT", f"{BASE}/levels", json={"level": None, "logger": "shop"})
        louder = {"level": "DEBUG", "ttl_seconds": 60, "path": "/orders/*", "header": "X-Shop: 7", "user": 42}
        rules = await asked(server, "PUT", f"{BASE}/louder", json=louder)
        await asked(server, "GET", f"{BASE}/louder")
        await asked(server, "GET", BASE)
        left = await asked(server, "PUT", f"{BASE}/louder", json={"id": rules["rules"][0]["id"], "level": None})

    assert next(row for row in levels["loggers"] if row["logger"] == "shop")["effective"] == "DEBUG"
    assert rules["rules"][0]["header"] == "x-shop: 7"
    assert left == {"rules": []}


WRONG = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"DEBUG"',
    b"\xff\xfe",
    b'{"level": NaN}',
    b'{"level": 1e999}',
    b'{"level": "DEBUG", "ttl_seconds": 600, "more": 1}',
    b"[" * 16_000,
    b'{"a":' * 2_000,
    b'{"level": "' + b"x" * 1_000_000 + b'"}',
]


@pytest.mark.asyncio
async def test_what_is_malformed_is_refused_as_documented(app: FastAPI) -> None:
    """Bodies that are no JSON, another JSON, too deep, 1 MB, or of another type; queries that mean nothing."""
    async with running(app) as server:
        for path in ("/levels", "/louder", "/session"):
            method = "POST" if path == "/session" else "PUT"
            for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded", "", "a/b; c"):
                for content in WRONG:
                    headers = {"Content-Type": kind} if path != "/session" else {"Content-Type": "application/json"}
                    answer = await server.client.request(method, BASE + path, headers=BEARER | headers, content=content)
                    CONTRACT.hold(answer)
                    assert answer.status_code in (400, 413, 415), (path, kind, content[:40])
        huge = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await server.client.post(f"{BASE}/session", headers=huge, content=b"token=" + b"x" * 1_000_000)
        CONTRACT.hold(answer)
        assert answer.status_code == 413
        for query in ("requests?limit=0", "requests?limit=x", "requests?order=x", "requests?failed=x", "tail?level=x"):
            answer = await server.get(f"{BASE}/{query}", headers=BEARER)
            CONTRACT.hold(answer)
            assert answer.status_code == 400, query


@pytest.mark.asyncio
async def test_beyond_the_number_of_tails_is_a_503(tmp_path: Path) -> None:
    """With the header that says when to try again."""
    async with running(nothing(tmp_path)) as server:
        answer = await server.get(f"{BASE}/tail", headers=BEARER)

    assert CONTRACT.hold(answer)["max_clients"] == 0
    assert answer.status_code == 503


def path_of(template: str) -> str:
    """Return a path that there may be."""
    return template.replace("{file}", "style.css").replace("{request_id}", "r-1").replace("{trace_id}", "0" * 32)


@pytest.mark.asyncio
@pytest.mark.parametrize(("path", "method", "operation"), WAYS, ids=IDS)
async def test_without_a_token_nothing_is_answered(path: str, method: str, operation: Any, app: FastAPI) -> None:
    """401 for programs and browsers, 405 for no method that is there, 421 for another host; nothing is told."""
    signs_in = operation["security"] == []
    async with running(app) as server:
        for headers in ({}, PAGE, {"Authorization": "Bearer wrong"}, {"Cookie": "fapilog_console=1.2.3"}):
            answer = await server.client.request(method.upper(), path_of(path), headers=headers)
            CONTRACT.hold(answer)
            assert answer.status_code == (415 if signs_in else 401)
        rebound = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=rebound, base_url="http://evil.example:8000") as client:
            answer = await client.request(method.upper(), path_of(path), headers=BEARER)
            CONTRACT.hold(answer)
            assert answer.status_code == 421


@pytest.mark.asyncio
@pytest.mark.parametrize("path", sorted({path for path, _, _ in WAYS}), ids=lambda path: path.removeprefix(BASE) or "/")
async def test_other_methods_are_refused(path: str, app: FastAPI) -> None:
    """405 with the ones that there are; with the token, for without it nobody learns even that."""
    there = {method.upper() for method in CONTRACT.document["paths"][path]}
    async with running(app) as server:
        for method in sorted({"GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "QUERY"} - there):
            answer = await server.client.request(method, path_of(path), headers=BEARER)
            CONTRACT.hold(answer)
            assert answer.status_code == 405, method
            assert there <= set(answer.headers["allow"].split(", ")) <= there | {"HEAD"}


@pytest.mark.asyncio
async def test_who_guesses_is_kept_out_as_documented(app: FastAPI) -> None:
    """429 with the seconds, for a program and for a browser, also with the right token if that can be guessed."""
    async with running(app) as server:
        for _ in range(30):
            answer = await server.get(BASE, headers={"Authorization": "Bearer guess"})
            CONTRACT.hold(answer)
        assert answer.status_code == 429
        assert CONTRACT.hold(answer)["retry_after_seconds"] == int(answer.headers["retry-after"])
        for headers in (BEARER, BEARER | PAGE):
            answer = await server.get(BASE, headers=headers)
            CONTRACT.hold(answer)
            assert answer.status_code == 429


@pytest.mark.asyncio
async def test_a_session_reads_and_does_not_change(app: FastAPI) -> None:
    """The form's cookie opens everything that is read; a change with it is a 403; a wrong token is a 401."""
    async with running(app) as server:
        server.client.headers["Origin"] = "http://app"
        for token, status in (("wrong", 401), (TOKEN, 303)):
            answer = await server.client.post(f"{BASE}/session", data={"token": token})
            CONTRACT.hold(answer)
            assert answer.status_code == status
        assert answer.headers["location"] == BASE
        assert dict(server.client.cookies)
        for path in READ_NOW:
            answer = await server.get(path)
            CONTRACT.hold(answer)
            assert answer.status_code == 200, path
        for path in ("/levels", "/louder"):
            answer = await server.client.put(BASE + path, json={"level": "DEBUG"})
            CONTRACT.hold(answer)
            assert answer.status_code == 403


# --- what is generated, against a server in a process of its own


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Give the shop under uvicorn, after some requests."""
    folder = tmp_path / "server"
    folder.mkdir()
    source = Path(__file__).with_name("contract_app.py").read_text("utf-8")
    (folder / "contract_app.py").write_text(source, "utf-8")
    with Server(folder, "contract_app:app", env={"LOGGING_TOKEN": TOKEN}) as server:
        for number in (0, 1, 2):
            # Where an application raises uvicorn closes the connection without saying so.
            server.client.get(f"/orders/{number}", headers={"X-Request-ID": f"r-{number}", "Connection": "close"})
        yield server


def as_it_is_there(folder: Path) -> Path:
    """Write the document with what cannot be said in it in general, but is known of this application."""
    document = Contract().document
    schemas, paths = document["components"]["schemas"], document["paths"]
    schemas["LevelGiven"] = {"enum": ["DEBUG", "info", "Warning", "LEVEL_7", "CRITICAL", 0, 35, 1000]}
    schemas["LevelChange"]["properties"]["logger"]["pattern"] = "^[A-Za-z0-9_.]+$"
    del schemas["Louder"]["properties"]["rules"]["maxItems"]
    paths[f"{BASE}/requests/{{request_id}}"]["get"]["parameters"][0]["example"] = "r-0"
    file = folder / "console.json"
    file.write_text(json.dumps(document), "utf-8")
    return file


@pytest.mark.parametrize("headers", [BEARER, {}], ids=["with the token", "without"])
def test_whatever_is_generated_from_the_document_is_answered_by_it(
    headers: dict[str, str], server: Server, tmp_path: Path
) -> None:
    """schemathesis: what is valid is taken, what is not is refused, and each answer is as documented.

    Not asked for: the tail, which does not end, and the form, which lets nobody try as often as that.
    """
    said = [f"--header={name}: {value}" for name, value in headers.items()]
    options = ["--max-examples=15", "--generation-deterministic", "--generation-with-security-parameters=false"]
    options += ["--exclude-path-regex=(tail|session)$", "--exclude-checks=ignored_auth"]
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(as_it_is_there(tmp_path)), "--no-color"]
    run = subprocess.run(
        [*command, f"--url=http://127.0.0.1:{server.port}", *options, *said],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-5_000:]
    assert "Selected: 13/15" in run.stdout
    assert "Rate limited" not in run.stdout


def test_uvicorn_answers_the_same(server: Server) -> None:
    """A real server changes nothing about it, nor does a body of 1 MB, or one without a length."""
    for path in READ_NOW:
        CONTRACT.hold(server.client.get(path, headers=BEARER))
        CONTRACT.hold(server.client.head(path, headers=BEARER))
        CONTRACT.hold(server.client.get(path, headers=PAGE))
    for content in (b"x" * 1_000_000, iter([b"x" * 100_000] * 10)):
        headers = {**BEARER, "Content-Type": "application/json"}
        answer = server.client.put(f"{BASE}/levels", headers=headers, content=content)
        CONTRACT.hold(answer)
        assert answer.status_code == 413


def test_the_messages_of_a_tail_are_as_documented(server: Server) -> None:
    """Each line of data is an event; the answer has the content type and no end."""
    event = CONTRACT.validator({"$ref": "#/components/schemas/Event"})
    data: list[str] = []
    with server.client.stream("GET", f"{BASE}/tail?last=50", headers=BEARER) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        for line in answer.iter_lines():
            if line.startswith("data: "):
                data.append(line.removeprefix("data: "))
                event.validate(json.loads(data[-1]))
            if '"path":"/orders/2"' in line:
                break

    assert len(data) >= 6
