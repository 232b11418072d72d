"""`GET` and `PUT /debug/logging/levels`: what is taken, what is answered, what is refused."""

from typing import Any

import orjson
import pytest

from fapilog.asgi.debug.answers import BadRequestError
from fapilog.asgi.debug.auth import Access
from fapilog.asgi.debug.levels import TemporaryLevels, get_levels, put_levels
from fapilog.asgi.debug.request import Request
from tests.asgi.conftest import Log
from tests.asgi.debug.later import Loop

ME = "203.0.113.7"
DEBUG = 10


@pytest.fixture
def levels(log: Log) -> TemporaryLevels:
    loop = Loop()
    return TemporaryLevels(lambda: log.engine, loop.clock, loop.call_later)


def told(log: Log) -> list[dict[str, Any]]:
    return log.of("fapilog.console")


class Shared:
    """As much of a console as the handlers use."""

    def __init__(self, levels: TemporaryLevels) -> None:
        self.levels = levels


def asked(levels: TemporaryLevels, body: bytes = b"") -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(_: Any) -> None:
        raise AssertionError("an answer is returned, not sent")

    scope = {"type": "http", "method": "PUT", "headers": [(b"content-type", b"application/json")]}
    console: Any = Shared(levels)
    return Request(console, scope, receive, send, "levels", {}, Access.CHANGE, ME)


@pytest.mark.asyncio
async def test_put_answers_what_get_answers(log: Log, levels: TemporaryLevels) -> None:
    """200 with all levels, the change among them; by name in any case, by number, for the default without a name."""
    answer = await put_levels(asked(levels, b'{"logger": "app.db", "level": "warn", "ttl_seconds": 60}'))
    assert (answer.status, answer.content_type) == (200, b"application/json")
    assert answer == await get_levels(asked(levels))
    assert orjson.loads(answer.body)["loggers"][0]["effective"] == "WARNING"

    await put_levels(asked(levels, b'{"level": 35, "ttl_seconds": 0.5}'))
    assert log.engine.levels.default == 35
    assert told(log)[-1]["client_ip"] == ME
    await put_levels(asked(levels, b'{"level": null}'))
    assert log.engine.levels.default == DEBUG
    levels.close()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "JSON"),
        (b"[]", "object"),
        (b"{}", "level is missing"),
        (b'{"logger": "app"}', "level is missing"),
        (b'{"level": "DEBUG", "loger": "app", "x": 1}', "'loger', 'x'; allowed: logger, level, ttl_seconds"),
        (b'{"level": "DEBGU"}', "Did you mean 'DEBUG'"),
        (b'{"level": 1001}', "1000"),
        (b'{"level": -1}', "1000"),
        (b'{"level": true}', "level must be"),
        (b'{"level": 10.0}', "level must be"),
        (b'{"level": ["DEBUG"]}', "level must be"),
        (b'{"level": "DEBUG", "logger": 5}', "200 printable"),
        (b'{"level": "DEBUG", "logger": ""}', "200 printable"),
        (b'{"level": "DEBUG", "logger": " "}', "200 printable"),
        (b'{"level": "DEBUG", "logger": "a\\u0000b"}', "200 printable"),
        (b'{"level": "DEBUG", "logger": "a\\u202eb"}', "200 printable"),
        (b'{"level": "DEBUG", "logger": "' + b"a" * 201 + b'"}', "200 printable"),
        (b'{"level": "DEBUG", "ttl_seconds": 0}', "86400"),
        (b'{"level": "DEBUG", "ttl_seconds": -1}', "86400"),
        (b'{"level": "DEBUG", "ttl_seconds": 86401}', "86400"),
        (b'{"level": "DEBUG", "ttl_seconds": 1e400}', "JSON"),
        (b'{"level": "DEBUG", "ttl_seconds": "60"}', "86400"),
        (b'{"level": "DEBUG", "ttl_seconds": true}', "86400"),
        (b'{"level": null, "ttl_seconds": 60}', "leave it out"),
    ],
)
@pytest.mark.asyncio
async def test_wrong_body_is_refused(log: Log, levels: TemporaryLevels, body: bytes, said: str) -> None:
    """400, with what is allowed; nothing is changed and nothing told."""
    with pytest.raises(BadRequestError) as raised:
        await put_levels(asked(levels, body))

    assert raised.value.answer.status == 400
    assert said in orjson.loads(raised.value.answer.body)["error"]
    assert (log.engine.levels.default, log.engine.levels.overrides) == (DEBUG, {})
    assert told(log) == []
