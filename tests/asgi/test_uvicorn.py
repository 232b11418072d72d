"""A plain ASGI application behind the middleware, under a real uvicorn, over real sockets."""

import json
import socket
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.e2e.server import Server

APP = textwrap.dedent("""
    import asyncio

    from fapilog import get_logger
    from fapilog.asgi import FapilogMiddleware, annotate

    log = get_logger("shop")


    async def lifespan(receive, send):
        await receive()
        log.info("starting")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        log.info("stopping")
        await send({"type": "lifespan.shutdown.complete"})


    async def stream(receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        asked = asyncio.create_task(receive())
        asked = asyncio.create_task(receive()) if (await asked)["type"] == "http.request" else asked
        while not asked.done():
            await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
            await asyncio.sleep(0.001)
        await asked
        log.info("stream is over")


    async def websocket(scope, receive, send):
        await receive()
        if scope["path"] == "/ws/no":
            await send({"type": "websocket.close", "code": 4003})
            return
        await send({"type": "websocket.accept"})
        annotate(room=7)
        while (message := await receive())["type"] == "websocket.receive":
            if message["text"] == "bye":
                await send({"type": "websocket.close", "code": 4001})
                return
            if message["text"] == "boom":
                raise LookupError("in the socket")
            await send({"type": "websocket.send", "text": message["text"]})


    async def http(scope, receive, send):
        path = scope["path"]
        if path == "/stream":
            await stream(receive, send)
            return
        if path == "/boom":
            raise LookupError("on the way")
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        log.info("inside", path_seen=path)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})


    async def plain(scope, receive, send):
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        elif scope["type"] == "websocket":
            await websocket(scope, receive, send)
        else:
            await http(scope, receive, send)


    async def ignorant(scope, receive, send):
        assert scope["type"] == "http", "what is a lifespan?"
        await http(scope, receive, send)


    async def broken(scope, receive, send):
        await receive()
        log.error("no database")
        raise RuntimeError("no database")


    async def refusing(scope, receive, send):
        await receive()
        log.error("no database")
        await send({"type": "lifespan.startup.failed", "message": "cannot start"})


    app = FapilogMiddleware(plain, preset="production")
    without_lifespan = FapilogMiddleware(ignorant, preset="production")
    fails_to_start = FapilogMiddleware(broken, preset="production")
    refuses_to_start = FapilogMiddleware(refusing, preset="production")
""")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "plain_app.py").write_text(APP)
    return tmp_path


def completions(stopped):
    return [event for event in stopped.events() if event["logger"] == "fapilog.request"]


@pytest.mark.parametrize("arguments", [[], ["--reset-contextvars"], ["--http", "h11", "--loop", "asyncio"]])
def test_keep_alive_connections_and_sigterm(folder, arguments):
    """Each request its own id on one connection, everything delivered, every line once and in one shape."""
    with Server(folder, "plain_app:app", *arguments) as server:
        answers = [server.client.post("/echo", content=b"b" * n) for n in range(20)]
        own = server.client.get("/echo", headers={"x-request-id": "mine-1"})
        stopped = server.stop()

    ids = [answer.headers["x-request-id"] for answer in answers]
    events = stopped.events()
    requests = completions(stopped)
    assert stopped.status in {0, -15}
    assert len(set(ids)) == 20
    assert [event["request_id"] for event in requests] == [*ids, "mine-1"]
    assert own.headers.get_list("x-request-id") == ["mine-1"]
    assert [event["request_bytes"] for event in requests[:-1]] == list(range(20))
    assert [event["response_bytes"] for event in requests[:-1]] == list(range(20))
    inside = [event for event in events if event["message"] == "inside"]
    assert [event["request_id"] for event in inside] == [*ids, "mine-1"]
    assert [event["message"] for event in events if event["logger"] == "shop" and "request_id" not in event] == [
        "starting", "stopping",
    ]  # fmt: skip
    assert not [event for event in events if event["logger"] == "uvicorn.access"]
    assert "Application startup complete." in {event["message"] for event in events}


def test_concurrent_connections_keep_apart(folder):
    """A hundred clients at once."""
    with Server(folder, "plain_app:app") as server:

        def ask(number):
            answer = server.client.get(f"/r{number}", headers={"x-request-id": f"r{number}"})
            return answer.headers["x-request-id"] == f"r{number}"

        with ThreadPoolExecutor(20) as pool:
            assert all(pool.map(ask, range(100)))
        stopped = server.stop()

    inside = [event for event in stopped.events() if event["message"] == "inside"]
    assert len(inside) == len(completions(stopped)) == 100
    assert all(event["path_seen"] == f"/{event['request_id']}" for event in inside)


def test_a_client_that_hangs_up_in_the_middle_of_a_stream(folder):
    """One event, no error, with the bytes so far."""
    with Server(folder, "plain_app:app") as server:
        with socket.create_connection(("127.0.0.1", server.port), 10) as client:
            client.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(3000)
        server.wait_for(lambda: "stream is over" in server.printed(), "did not notice")
        stopped = server.stop()

    (event,) = completions(stopped)
    assert (event["message"], event["level"], event["outcome"]) == ("request_completed", "INFO", "client_disconnected")
    assert event["status_code"] == 200
    assert event["response_bytes"] >= 1000


def test_an_unhandled_exception_has_one_traceback(folder):
    """That of our event; the server answers its 500, and its own line about it is left out."""
    with Server(folder, "plain_app:app") as server:
        assert server.client.get("/boom").status_code == 500
        stopped = server.stop()

    (event,) = completions(stopped)
    assert (event["message"], event["status_code"], event["level"]) == ("request_failed", 500, "ERROR")
    assert event["exception"]["message"] == "on the way"
    assert (stopped.stdout + stopped.stderr).count("Traceback (most recent call last)") == 1


def test_websockets(folder):
    """The codes that went over the wire; a refusal; a failure."""
    with Server(folder, "plain_app:app") as server:
        base = f"ws://127.0.0.1:{server.port}"
        with connect(f"{base}/ws", proxy=None) as socket_a:
            socket_a.send("hello")
            assert socket_a.recv() == "hello"
            assert len(socket_a.response.headers.get_all("x-request-id")) == 1
            socket_a.send("bye")
            with pytest.raises(ConnectionClosed) as closed:
                socket_a.recv()
            assert closed.value.rcvd.code == 4001
        with connect(f"{base}/ws", proxy=None) as socket_b:
            socket_b.close(4002)
        with pytest.raises(InvalidStatus) as refused:
            connect(f"{base}/ws/no", proxy=None)
        assert refused.value.response.status_code == 403
        with connect(f"{base}/ws", proxy=None) as socket_c:
            socket_c.send("boom")
            with pytest.raises(ConnectionClosed):
                socket_c.recv()
        server.wait_for(lambda: "websocket_failed" in server.printed(), "the failure did not arrive")
        stopped = server.stop()

    seen = [
        (event["message"], event.get("close_code"), event.get("closed_by"), event.get("status_code"), event.get("room"))
        for event in completions(stopped)
    ]
    assert sorted(seen, key=str) == sorted([
        ("websocket_opened", None, None, None, None), ("websocket_closed", 4001, "application", None, 7),
        ("websocket_opened", None, None, None, None), ("websocket_closed", 4002, "client", None, 7),
        ("websocket_refused", None, None, 403, None),
        ("websocket_opened", None, None, None, None), ("websocket_failed", 1006, "application", None, 7),
    ], key=str)  # fmt: skip
    assert (stopped.stdout + stopped.stderr).count("Traceback (most recent call last)") == 1


@pytest.mark.parametrize(
    ("target", "arguments"),
    [
        ("plain_app:app", ["--lifespan", "off"]),
        ("plain_app:without_lifespan", []),
        ("plain_app:without_lifespan", ["--lifespan", "off"]),
    ],
)
def test_without_a_lifespan_logging_works_and_is_delivered_at_exit(folder, target, arguments):
    """Switched off, or unknown to the application: the exit of the interpreter drains."""
    with Server(folder, target, *arguments) as server:
        answered = server.client.get("/echo").headers["x-request-id"]
        stopped = server.stop()

    events = [json.loads(line) for line in stopped.stdout.splitlines() if line.startswith("{")]
    named = [(event["message"], event["request_id"]) for event in events if "request_id" in event]
    assert named == [("inside", answered), ("request_completed", answered)]


@pytest.mark.parametrize(
    ("target", "arguments"),
    [("plain_app:fails_to_start", ["--lifespan", "on"]), ("plain_app:refuses_to_start", [])],
)
def test_a_failed_start_fails_as_without_us_and_loses_nothing(folder, target, arguments):
    """uvicorn's exit status for it is 3, and what was logged before is delivered."""
    server = Server(folder, target, *arguments)
    with pytest.raises(AssertionError, match="ended with 3"), server:
        pass

    assert '"message":"no database"' in (folder / "stdout").read_text()
