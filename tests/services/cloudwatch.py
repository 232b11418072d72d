"""CloudWatch Logs for the tests: moto's server in a process of its own, held to the limits that moto does not check.

moto keeps everything in memory, so a killed one forgets. What it has acknowledged is therefore written down: the
process runs moto's own WSGI application (what ``moto_server`` runs) behind a wrapper that

- refuses a PutLogEvents that breaks a documented limit (10 000 events, 1 048 576 bytes with 26 for each event, 24 hours
  between valid events, chronological), as the service does and moto does not,
- answers ``rejectedLogEventsInfo`` as documented (moto's ends are inclusive, and its start is the last event's),
- appends the events of each call that moto answered with 200, those that were not rejected, to a file before
  the answer goes out. One ``os.write`` each, so a SIGKILL tears nothing that was acknowledged,
- gives answers that a test has ordered (``POST /order``): throttling, refusals, 500, an older token protocol.

After a restart the groups and streams are gone, and a sink that creates them goes on; ``received()`` reads the file.
A call that was recorded and killed before its answer went out is in the file once more when it is sent again, as it
would be in the real stream.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import orjson

from fapilog.sinks.cloudwatch.options import CloudwatchOptions

REGION = "eu-central-1"
ACCESS_KEY_ID = "AKIDEXAMPLEEXAMPLE00"
SECRET_ACCESS_KEY = "wJalrXUtnFEMIexampleexampleexample000000"
DEADLINE_SECONDS = 20.0
_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
_TARGET = "Logs_20140328."


class CloudwatchServer:
    """The server, on a loopback port that stays the same over restarts.

    Args:
        folder: Where it writes down what it acknowledged, and what it says.
        now_ms: The time that it takes for now, in milliseconds since 1970; default the real one.
    """

    def __init__(self, folder: Path, now_ms: int | None = None) -> None:
        """Choose a port."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.file = folder / "acknowledged.jsonl"
        self.port = _free_port()
        self.endpoint_url = f"http://127.0.0.1:{self.port}"
        self._now_ms = now_ms
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        # What the machine has of AWS is nobody's business here.
        environ = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        environ |= {
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        # -P: the modules beside this file are named like those of the standard library and of clients.
        command = [sys.executable, "-P", __file__, str(self.port), str(self.file), str(self._now_ms or "")]
        with (self.folder / "server.log").open("ab") as log:
            process = self._process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not self._answers():
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"moto did not start: {(self.folder / 'server.log').read_text()[-2000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it at once, as a machine that fails; what was acknowledged stays in the file."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it."""
        self.kill()

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()

    def options(self, group: str = "/fapilog/test", **options: Any) -> CloudwatchOptions:
        """Return options of a sink that sends here."""
        given = {
            "region": REGION,
            "endpoint_url": self.endpoint_url,
            "access_key_id": ACCESS_KEY_ID,
            "secret_access_key": SECRET_ACCESS_KEY,
        }
        return CloudwatchOptions(group, **{**given, **options})

    def calls(self, group: str | None = None) -> list[dict[str, Any]]:
        """Return the PutLogEvents that were acknowledged, in order: group, stream, token, events taken."""
        lines = self.file.read_bytes().splitlines() if self.file.exists() else []
        return [call for call in map(orjson.loads, lines) if group in (None, call["group"])]

    def received(self, group: str | None = None) -> list[dict[str, Any]]:
        """Return the events that were acknowledged, in order."""
        return [json.loads(event["message"]) for call in self.calls(group) for event in call["events"]]

    def messages(self, group: str | None = None) -> list[bytes]:
        """Return the messages that were acknowledged, in order, each with a newline."""
        return [event["message"].encode() + b"\n" for call in self.calls(group) for event in call["events"]]

    def order(self, *answers: dict[str, Any]) -> None:
        """Order what is answered instead of the next calls of an operation, one answer for each.

        Args:
            answers: Each with ``operation``, ``status`` and ``body``; ``body`` may be a text. ``headers`` if need be.
                One without ``status`` is left to moto.
        """
        self._post("/order", json.dumps(answers).encode())

    def forget(self) -> None:
        """Remove all groups and streams, as a restart does."""
        self._post("/moto-api/reset", b"")

    def _post(self, path: str, body: bytes) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_SECONDS)
        try:
            connection.request("POST", path, body)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status}")
        finally:
            connection.close()

    def _answers(self) -> bool:
        try:
            self._post("/order", b"[]")
        except (OSError, http.client.HTTPException):
            return False
        return True


class Recorder:
    """The wrapper around moto's application.

    Args:
        application: moto's.
        file: Where acknowledged calls are written.
        now_ms: Returns what is now.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]], file: str, now_ms: Callable[[], int]) -> None:
        """Open the file."""
        self._application = application
        self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._now_ms = now_ms
        self._ordered: dict[str, deque[dict[str, Any]]] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        if environ["PATH_INFO"] == "/order":
            for answer in json.loads(body):
                self._ordered.setdefault(answer["operation"], deque()).append(answer)
            return _answer(start_response, 200, {})
        operation = environ.get("HTTP_X_AMZ_TARGET", "").removeprefix(_TARGET)
        ordered = self._ordered[operation].popleft() if self._ordered.get(operation) else {}
        if "status" in ordered:
            return _answer(start_response, ordered["status"], ordered["body"], ordered.get("headers"))
        if operation == "PutLogEvents":
            return self._put(environ, start_response, orjson.loads(body))
        return self._application(environ, start_response)

    def _put(
        self, environ: dict[str, Any], start_response: Callable[..., Any], request: dict[str, Any]
    ) -> Iterable[bytes]:
        events, now = request["logEvents"], self._now_ms()
        valid = [event for event in events if now - 14 * _DAY_MS <= event["timestamp"] <= now + 2 * _HOUR_MS]
        problem = _problem(events, valid)
        if problem:
            return _answer(start_response, 400, {"__type": "InvalidParameterException", "message": problem})
        said: list[Any] = []
        # moto is given what it is to keep, and has nothing to reject.
        body = orjson.dumps({**request, "logEvents": valid})
        environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        answered = b"".join(self._application(environ, lambda status, headers, *_: said.extend((status, headers))))
        if not said[0].startswith("200"):
            start_response(*said)
            return [answered]
        record = {
            "group": request["logGroupName"],
            "stream": request["logStreamName"],
            "token": request.get("sequenceToken"),
            "events": valid,
        }
        line = orjson.dumps(record) + b"\n"
        if os.write(self._descriptor, line) != len(line):
            raise OSError("a short write to the file of what was acknowledged")
        answer = json.dumps({**json.loads(answered), **_rejected(events, now)}).encode()
        kept = [(name, value) for name, value in said[1] if name.lower() != "content-length"]
        start_response(said[0], [*kept, ("Content-Length", str(len(answer)))])
        return [answer]


def _problem(events: list[dict[str, Any]], valid: list[dict[str, Any]]) -> str:
    times = [event["timestamp"] for event in events]
    size = sum(len(event["message"].encode()) + 26 for event in events)
    if not 1 <= len(events) <= 10_000:
        return f"{len(events)} events"
    if size > 1_048_576:
        return f"Upload too large: {size} bytes exceeds limit of 1048576"
    if times != sorted(times):
        return "Log events in a single PutLogEvents request must be in chronological order."
    if valid and valid[-1]["timestamp"] - valid[0]["timestamp"] > _DAY_MS:
        return "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
    return "" if all(event["message"] for event in events) else "an empty message"


def _rejected(events: list[dict[str, Any]], now: int) -> dict[str, Any]:
    old = sum(event["timestamp"] < now - 14 * _DAY_MS for event in events)
    new = sum(event["timestamp"] > now + 2 * _HOUR_MS for event in events)
    info = ({"tooOldLogEventEndIndex": old} if old else {}) | (
        {"tooNewLogEventStartIndex": len(events) - new} if new else {}
    )
    return {"rejectedLogEventsInfo": info} if info else {}


def _answer(
    start_response: Callable[..., Any], status: int, body: Any, headers: dict[str, str] | None = None
) -> Iterable[bytes]:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    given = {"Content-Type": "application/x-amz-json-1.1", "Content-Length": str(len(raw)), **(headers or {})}
    start_response(f"{status} -", list(given.items()))
    return [raw]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _serve(port: str, file: str, now_ms: str) -> None:
    # Only here: a test that is skipped for want of moto must be able to import this module.
    from datetime import UTC, datetime

    from moto.logs import models
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import run_simple

    if now_ms:
        models.utcnow = lambda: datetime.fromtimestamp(int(now_ms) / 1000, UTC).replace(tzinfo=None)
    application = Recorder(
        DomainDispatcherApplication(create_backend_app), file, lambda: int(now_ms or time.time_ns() // 1_000_000)
    )
    run_simple("127.0.0.1", int(port), application, threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
