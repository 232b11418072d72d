"""What answers are made of."""

import orjson
import pytest

from fapilog import get_logger
from fapilog.asgi.debug.answers import as_json
from fapilog.fastapi import FastAPIBuilder
from fapilog.sinks.memory import MemorySink
from tests.asgi.debug.front import BEARER, PATH, MakeFront, ask


class Odd(MemorySink):
    """A sink that counts further than JSON does."""

    figures = {"atoms": 10**30}  # noqa: RUF012 - read only

    def health(self) -> dict[str, object]:
        """Return texts and numbers that are no JSON."""
        return {"status": "ok", "told": "\ud800", "much": -(10**30)}


def test_what_orjson_does_not_take_is_said_as_events_say_it() -> None:
    """Lines that are JSON already stay as they are."""
    answer = as_json({"\ud800": [10**30, "\ud801"], "line": orjson.Fragment(b'{"a":1}')})

    assert orjson.loads(answer.body) == {"\\ud800": [str(10**30), "\\ud801"], "line": {"a": 1}}


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["", "/levels"])
async def test_an_odd_name_or_number_costs_no_answer(front: MakeFront, path: str) -> None:
    """Names of loggers and figures of sinks are whatever the application has made them."""
    app = front(builder=FastAPIBuilder().add_sink(Odd(name="odd")))
    get_logger("lone.\ud800").info("said")

    answer = await ask(app, "GET", PATH + path, headers=BEARER)

    assert answer.status_code == 200
    assert r"lone.\\ud800" in answer.text


@pytest.mark.asyncio
async def test_a_body_of_another_type_is_refused(front: MakeFront) -> None:
    """What a form of another site's page can send without asking is not JSON."""
    answer = await ask(
        front(),
        "PUT",
        f"{PATH}/levels",
        headers={**BEARER, "content-type": "text/plain"},
        content=b'{"level": "DEBUG"}',
    )

    assert answer.status_code == 415
