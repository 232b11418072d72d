"""A receiver of events over HTTP as a process of its own: `python -m tests.services.http_app <port> <folder>`.

Appends what it is sent to `events.jsonl`, and a line about each request to `requests.jsonl`, before it answers 204.
"""

import gzip
import os
import sys
from pathlib import Path
from typing import Any

import orjson
import uvicorn
import zstandard

_UNPACK = {"gzip": gzip.decompress, "zstd": lambda body: zstandard.ZstdDecompressor().decompress(body)}


class Receiver:
    """An ASGI application that keeps events in files which survive a kill."""

    def __init__(self, folder: Path) -> None:
        self._events = _appending(folder / "events.jsonl")
        self._requests = _appending(folder / "requests.jsonl")

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if scope["method"] != "GET":
            self._keep(scope, bytes(body))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def _keep(self, scope: dict[str, Any], body: bytes) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        content = _UNPACK.get(headers.get("content-encoding", ""), bytes)(body)
        if content.startswith((b"[", b"{")) and not content.endswith(b"\n"):
            parsed = orjson.loads(content)
            content = b"".join(orjson.dumps(event) + b"\n" for event in (parsed if type(parsed) is list else [parsed]))
        os.write(self._events, content)
        told = {"method": scope["method"], "path": scope["path"], "headers": headers, "events": content.count(b"\n")}
        os.write(self._requests, orjson.dumps(told) + b"\n")


def _appending(path: Path) -> int:
    """Return a descriptor at the end of the last whole line: a kill may have torn the one behind it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    os.ftruncate(descriptor, path.read_bytes().rfind(b"\n") + 1)
    return descriptor


if __name__ == "__main__":
    uvicorn.run(
        Receiver(Path(sys.argv[2])),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        access_log=False,
        lifespan="off",
    )
