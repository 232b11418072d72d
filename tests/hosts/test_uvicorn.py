"""The hosts under a real uvicorn: nothing is lost at SIGTERM, and the ready link opens what it says."""

import re
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.server import Server

FASTAPI = """
from fastapi import FastAPI
from fapilog import get_logger
from fapilog.fastapi import FastAPIBuilder

app = FastAPI(lifespan=FastAPIBuilder().with_preset("fastapi"){said}.build())
logger = get_logger("app")

@app.get("/pages/{{number}}")
async def page(number: int) -> int:
    logger.info("page", number=number)
    return number
"""
LITESTAR = """
from litestar import Litestar, get
from litestar.params import FromPath
from fapilog import get_logger
from fapilog.litestar import FapilogPlugin

logger = get_logger("app")

@get("/pages/{{number:int}}")
async def page(number: FromPath[int]) -> int:
    logger.info("page", number=number)
    return number

app = Litestar([page], plugins=[FapilogPlugin(preset="fastapi"){said}], logging_config=None)
"""
STARLETTE = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from fapilog import get_logger
from fapilog.starlette import StarletteBuilder

logger = get_logger("app")

async def page(request):
    logger.info("page", number=request.path_params["number"])
    return PlainTextResponse("")

routes = [Route("/pages/{{number:int}}", page)]
app = Starlette(routes=routes, lifespan=StarletteBuilder().with_preset("fastapi"){said}.build())
"""
HOSTS = {"fastapi": FASTAPI, "litestar": LITESTAR, "starlette": STARLETTE}
REQUESTS = 200
BROWSER = {"Accept": "text/html,*/*;q=0.8"}


def serve(folder: Path, host: str, said: str = "", *arguments: str) -> Server:
    (folder / "served.py").write_text(HOSTS[host].format(said=said), "utf-8")
    return Server(folder, "served:app", "--app-dir", str(folder), *arguments)


@pytest.mark.parametrize("host", HOSTS)
def test_sigterm_loses_nothing(host: str, tmp_path: Path) -> None:
    """Every answered request has its event and the event of its endpoint, with one id, on a line of its own."""
    with serve(tmp_path, host) as server:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda number: server.client.get(f"/pages/{number}"), range(REQUESTS)))
        stopped = server.stop()

    assert stopped.status in (0, -signal.SIGTERM)
    events = stopped.events()
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == REQUESTS
    for name in ("app", "fapilog.request"):
        of_name = [event for event in events if event["logger"] == name]
        assert len(of_name) == REQUESTS
        assert {event["request_id"] for event in of_name} == ids
    assert {event["http_route"] for event in events if "http_route" in event} == {"/pages/{number}"}
    assert not [event for event in events if event["logger"] == "uvicorn.access"]


@pytest.mark.parametrize("said", ["", ".with_access_log(enabled=False)"])
def test_the_link_opens_the_console_once_and_the_token_stays_out_of_the_log(said: str, tmp_path: Path) -> None:
    """Printed once, with host and port; what it opens may read, and change nothing. Also with the server's lines."""
    with serve(tmp_path, "fastapi", said) as server:
        server.client.get("/pages/1")
        stderr = (tmp_path / "stderr").read_text("utf-8")
        (link,) = re.findall(r"http://127\.0\.0\.1:\d+/debug/logging\?once=\S+", stderr)
        (token,) = re.findall(r"^fapilog: debug token: (\S+)$", stderr, re.MULTILINE)
        assert str(server.port) in link
        page = server.client.get(link, headers=BROWSER)
        figures = server.client.get("/debug/logging")
        refused = server.client.put("/debug/logging/levels", json={"level": "DEBUG"})
        foreign = server.client.get("/debug/logging", headers={"Host": "evil.example"})
        server.client.cookies.clear()
        again = server.client.get(link, headers=BROWSER)
        form = server.client.post("/debug/logging/session", data={"token": token})
        signed_in = server.client.get("/debug/logging", headers=BROWSER)
        server.client.cookies.clear()
        bearer = {"Authorization": f"Bearer {token}"}
        changed = server.client.put("/debug/logging/levels", json={"level": "DEBUG", "ttl_seconds": 60}, headers=bearer)
        stopped = server.stop()

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (figures.status_code, figures.json()["submitted"] > 0) == (200, True)
    assert (refused.status_code, foreign.status_code, again.status_code) == (403, 421, 401)
    assert (form.status_code, form.headers["location"], signed_in.status_code) == (303, "/debug/logging", 200)
    assert changed.status_code == 200
    (told,) = [event for event in stopped.events() if event["message"] == "debug_access_refused"]
    assert (told["level"], told["logger"], told["reason"]) == ("WARNING", "fapilog.console", "used_ticket")
    assert (told["client_ip"], told["count"]) == ("127.0.0.1", 1)
    assert token not in stopped.stdout
    assert stopped.stderr.count(token) == 1
    access = [event for event in stopped.events() if event["logger"] == "uvicorn.access"]
    assert bool(access) == bool(said)


def test_a_root_path_is_in_the_template_once(tmp_path: Path) -> None:
    """P22: under uvicorn's ``--root-path`` path and template both begin with it; the debug route is below it."""
    with serve(tmp_path, "fastapi", ".with_debug_route(token='s3cret')", "--root-path", "/api") as server:
        server.client.get("/pages/1")
        debug = server.client.get("/debug/logging", headers={"Authorization": "Bearer s3cret"})
        stopped = server.stop()

    (request,) = [event for event in stopped.events() if event["logger"] == "fapilog.request"]
    assert (request["path"], request["http_route"]) == ("/api/pages/1", "/api/pages/{number}")
    assert debug.status_code == 200


def test_without_a_lifespan_the_application_runs_as_if_we_were_not_there(tmp_path: Path) -> None:
    """P25: ``--lifespan off``: the default engine takes the application's events, and nothing is installed."""
    with serve(tmp_path, "fastapi", "", "--lifespan", "off", "--no-access-log") as server:
        answer = server.client.get("/pages/1")
        debug = server.client.get("/debug/logging")
        stopped = server.stop()

    assert (answer.status_code, debug.status_code) == (200, 404)
    assert "x-request-id" not in answer.headers
    assert [event["logger"] for event in stopped.events()] == ["app"]
