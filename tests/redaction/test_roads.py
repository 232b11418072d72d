"""No secret reaches any sink, whatever road it takes: every road, every preset, every format, the diagnostics too."""

import contextlib
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request

import fapilog
from fapilog import Sensitive, bind_context, context_scope, get_logger
from fapilog.asgi import annotate
from fapilog.builders import LoggerBuilder
from fapilog.errors import SinkError
from fapilog.fastapi import FastAPIBuilder
from fapilog.sinks.memory import MemorySink
from fapilog.stdlib import capture_stdlib
from tests.hosts.driver import running
from tests.redaction.canaries import AWS, BEARER, GITHUB, PASSWORD, PEM, SECRETS, SIGNED_URL, URL, found_in

PRESETS = ["minimal", "dev", "production", "fastapi", "serverless"]


class Talkative:
    """A sink that fails and says what it was given."""

    name = "talkative"

    async def open(self) -> None:
        """Do nothing."""

    def write(self, batch: Any) -> None:
        raise SinkError(f"503 from {URL}: Authorization: {BEARER}")

    async def close(self) -> None:
        """Do nothing."""


@pytest.fixture(params=PRESETS)
def sinks(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[LoggerBuilder, MemorySink, Path]:
    """Give a builder with every kind of sink: the preset's own standard output, a file, memory, one that fails."""
    memory = MemorySink()
    builder = LoggerBuilder().with_preset(request.param).add_file(tmp_path / "app.log")
    return builder.add_sink(memory).add_sink(Talkative()), memory, tmp_path / "app.log"


def whole(logger: Any, memory: MemorySink, file: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """Drain, and return everything that came out anywhere."""
    result = logger.drain()
    assert result.delivered + result.failed == result.submitted > 0
    out = capfd.readouterr()
    return "\n".join([repr(memory.events), file.read_text(), out.out, out.err, repr(result)])


def log_everywhere(logger: Any) -> int:
    """Log each secret on each road; return how many events."""
    with context_scope(session_token=PASSWORD, via=f"key {AWS}"):
        bind_context(dsn=URL)
        logger.info("by context")
    bound = logger.bind(api_key=PASSWORD, note=GITHUB)
    bound.info("by bound logger")
    logger.info(f"message with {BEARER} and {GITHUB} and {URL}")
    logger.info("args %s %s", {"password": PASSWORD}, GITHUB)
    logger.info("args password=%(password)s", {"password": PASSWORD, "x": 1}, secret=PASSWORD)
    logger.info("bad args %d", GITHUB)
    logger.info("fields", password=PASSWORD, nested={"deep": [{"Api-Key": PASSWORD}, GITHUB]}, url=SIGNED_URL)
    logger.info("keys", clients={GITHUB: 1})
    logger.info(
        "headers",
        headers={"Authorization": BEARER, "Cookie": f"sid={PASSWORD}"},
        raw_headers=[f"Authorization: {BEARER}"],
    )
    logger.info("text", dump=json.dumps({"password": PASSWORD, "inner": json.dumps({"api_key": PASSWORD})}))
    logger.info("pem", pem=PEM)
    logger.info("marked", card=Sensitive(PASSWORD))
    logger.info("bytes", blob=BEARER.encode(), path=Path(f"/tmp/{GITHUB}"))
    try:
        raise ValueError(f"cannot reach {URL} with {BEARER}") from KeyError(GITHUB)
    except ValueError as error:
        error.add_note(f"password={PASSWORD}")
        logger.exception("by exception")
    logger.warning("stack", stack_info=True, token=GITHUB)
    return 15


def test_no_secret_reaches_a_sink_by_any_road_of_a_log_call(sinks, capfd) -> None:
    """Fields, message, arguments, exception text and frames, context, headers, URLs; memory, file, stdout, stderr."""
    builder, memory, file = sinks
    logger = builder.build()

    count = log_everywhere(logger)
    text = whole(logger, memory, file, capfd)

    assert len(memory.events) == count
    assert found_in(text) == []


def test_none_by_the_standard_library(sinks, capfd) -> None:
    """Message, arguments, ``extra`` and exceptions of ``logging``."""
    builder, memory, file = sinks
    logger = builder.build()
    fapilog.configure(builder)
    with capture_stdlib():
        root = logging.getLogger("shop.db")
        root.warning("connecting to %s with %s", URL, {"password": PASSWORD})
        root.warning("extra", extra={"api_key": PASSWORD, "note": GITHUB})
        try:
            raise RuntimeError(BEARER)
        except RuntimeError:
            root.exception("failed for %s", AWS)
    text = whole(get_logger(), memory, file, capfd)
    logger.drain()

    assert len(memory.events) == 3
    assert found_in(text) == []


@pytest.mark.asyncio
async def test_none_by_a_request(tmp_path: Path, capfd) -> None:
    """Headers, path, user agent, request id, annotations, an exception of the application; and the debug route."""
    memory = MemorySink()
    builder = FastAPIBuilder().with_preset("fastapi").add_sink(memory).add_file(tmp_path / "app.log")
    builder = builder.include_headers("authorization", "x-note", "cookie").with_debug_route(token="reader-token")
    app = FastAPI(lifespan=builder.build())

    @app.get("/reset/{token}")
    async def reset(token: str, request: Request) -> dict[str, str]:
        annotate(card_token=PASSWORD, callback=SIGNED_URL)
        get_logger("shop").info("asked for %s", str(request.url))
        raise RuntimeError(f"no such token {token}")

    headers = {
        "Authorization": BEARER, "Cookie": f"sid={PASSWORD}", "X-Note": GITHUB, "User-Agent": f"curl {BEARER}",
        "X-Request-ID": AWS,
    }  # fmt: skip
    async with running(app) as server:
        await server.get(f"/reset/{GITHUB}?access_token={PASSWORD}", headers=headers)
        page = await server.get("/debug/logging", headers={"Authorization": "Bearer reader-token"})
    out = capfd.readouterr()
    text = "\n".join([repr(memory.events), (tmp_path / "app.log").read_text(), out.out, out.err, page.text])

    assert page.status_code == 200
    assert [event["message"] for event in memory.events][-1] == "request_failed"
    assert found_in(text) == []


@pytest.mark.parametrize("kind", ["filter", "enricher", "redactor"])
def test_a_stage_that_raises_with_a_secret_does_not_tell_it(kind: str, capfd) -> None:
    """These see what is not redacted yet: only the type of what they raise is said."""

    def careless(event: dict[str, Any]) -> Any:
        raise ValueError(f"cannot handle {event['password']}")

    memory = MemorySink()
    logger = getattr(LoggerBuilder().add_sink(memory), f"with_{kind}")(careless).build()
    logger.info("event", password=PASSWORD)
    result = logger.drain()
    err = capfd.readouterr().err

    assert "ValueError" in err
    assert found_in(err + repr(memory.events) + repr(result)) == []


def test_the_canaries_would_be_seen(capfd) -> None:
    """With redaction off every one of them arrives: the tests above can fail."""
    memory = MemorySink()
    logger = LoggerBuilder().with_redaction(enabled=False).add_sink(memory).build()
    with contextlib.suppress(AssertionError):
        log_everywhere(logger)
    logger.drain()

    assert set(found_in(repr(memory.events))) == set(SECRETS)
