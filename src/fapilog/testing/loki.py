"""A strict stand-in for Grafana Loki: it takes what Loki takes, refuses what Loki refuses, and shows what it has.

    with StrictLoki() as loki:                       # in a thread, on a port of its own
        builder.add_loki(loki.url, {"app": "shop"})
        ...
        assert loki.entries()[0].line == ...

    python -m fapilog.testing.loki --port 3100 --file entries.jsonl     # as a process

It checks the push API's two forms (JSON, also gzip; protobuf in snappy, for which cramjam has to be there), labels,
sizes, ages, the order of a stream and the tenant, and answers as Loki does: the valid entries of a push are kept also
where others are refused. An entry of the time and line of one that its stream has is dropped, as Loki does when it
stores or reads. With a file, entries are in it before a push is answered, and are there again after a restart, also
after SIGKILL. There are no queries.
"""

import argparse
import json
import os
import socket
import threading
from collections import Counter, deque
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.testing.loki_bodies import LokiEntry, Push, PushError, read_push
from fapilog.testing.loki_push import LokiLimits, check_entry, check_labels, ignored_text, label_text, rfc3339

__all__ = ["LokiEntry", "LokiLimits", "StoredEntry", "StrictLoki"]

PUSH_PATH = "/loki/api/v1/push"
_SECOND = 1_000_000_000
_NO_TENANT = "fake"
_LARGEST_BODY = 104_857_600


class StoredEntry(NamedTuple):
    """An entry that was kept.

    Attributes:
        tenant: Whose it is; ``"fake"``, as in Loki, without tenants.
        labels: Its stream.
        time_ns: Nanoseconds since the epoch.
        line: The line.
        metadata: Structured metadata by name.
    """

    tenant: str
    labels: Mapping[str, str]
    time_ns: int
    line: str
    metadata: Mapping[str, str]


class _Reply(NamedTuple):
    status: int
    text: str = ""
    headers: Mapping[str, str] = {}


class _Stream:
    """What a stream has, to know what it has already and what is too far behind."""

    def __init__(self) -> None:
        """Begin empty."""
        self.newest = 0
        self.known: set[tuple[int, str]] = set()


class StrictLoki:
    """The stand-in. Its methods may be called by any thread, also while it answers.

    Args:
        port: Where it listens on 127.0.0.1; 0 for one that is free.
        file: Where entries are kept, as JSON lines; default in memory alone.
        limits: What it takes.
        auth_enabled: Require a tenant (``X-Scope-OrgID``).
        authorization: The value of ``Authorization`` that is required; default none.
        clock: What is too old and too new.

    Attributes:
        url: Its base URL, once it is started.
        duplicates: Entries that were there already, and dropped.
        statuses: How often each status was answered.
    """

    def __init__(
        self,
        port: int = 0,
        file: Path | None = None,
        *,
        limits: LokiLimits | None = None,
        auth_enabled: bool = False,
        authorization: str | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Read the file, if there is one; listen nowhere yet."""
        self.url = ""
        self.duplicates = 0
        self.statuses: Counter[int] = Counter()
        self._port = port
        self._file = file
        self._limits = limits or LokiLimits()
        self._auth_enabled = auth_enabled
        self._authorization = authorization
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: list[StoredEntry] = []
        self._streams: dict[tuple[str, str], _Stream] = {}
        self._replies: deque[_Reply] = deque()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._descriptor: int | None = None
        self._load()

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    def start(self) -> None:
        """Listen, and answer in threads."""
        self._server = server = _Server(self, self._port)
        self._port = server.server_port
        self.url = f"http://127.0.0.1:{self._port}"
        self._thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="strict-loki")
        self._thread.start()

    def stop(self) -> None:
        """End all connections and threads; what was kept stays readable, and ``start`` listens on the same port."""
        server, self._server = self._server, None
        if server is not None and self._thread is not None:
            server.shutdown()
            self._thread.join()
            server.end_connections()
            server.server_close()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def wait(self) -> None:
        """Wait until it is stopped."""
        if self._thread is not None:
            self._thread.join()

    def entries(self, **labels: str) -> list[StoredEntry]:
        """Return what was kept, in the order it came; with labels only of streams that have these."""
        with self._lock:
            return [it for it in self._entries if labels.items() <= it.labels.items()]

    def answer_next(self, status: int, text: str = "", times: int = 1, **headers: str) -> None:
        """Answer the next pushes with this, and keep nothing of them: ``answer_next(429, Retry_After="2")``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with self._lock:
            self._replies.extend([_Reply(status, text, named)] * times)

    def reply(self, path: str, headers: Mapping[str, str], body: bytes) -> _Reply:
        """Return the answer to a POST; keep what it brings."""
        with self._lock:
            found = self._reply(path, headers, body)
            self.statuses[found.status] += 1
            return found

    def _reply(self, path: str, headers: Mapping[str, str], body: bytes) -> _Reply:
        if path != PUSH_PATH:
            return _Reply(404, "404 page not found")
        if self._replies:
            return self._replies.popleft()
        if self._authorization is not None and headers.get("authorization") != self._authorization:
            return _Reply(401, "Unauthorized")
        tenant = headers.get("x-scope-orgid", "") if self._auth_enabled else _NO_TENANT
        if not tenant:
            return _Reply(401, "no org id")
        try:
            pushes = read_push(body, headers.get("content-type", ""), headers.get("content-encoding", ""))
        except PushError as error:
            return _Reply(error.status, str(error))
        return self._take(tenant, pushes)

    def _take(self, tenant: str, pushes: list[Push]) -> _Reply:
        """Keep what is valid; say what is not: of what streams ignored the last one, else all else by its kind."""
        now = self._clock.time_ns()
        wrong: Counter[str] = Counter()
        said = ""
        kept: list[StoredEntry] = []
        for push in pushes:
            problem = check_labels(push, self._limits)
            if problem:
                wrong[problem] += 1
                continue
            labels = label_text(push.labels)
            problems = [check_entry(labels, entry, self._limits, now) for entry in push.entries]
            wrong.update(filter(None, problems))
            valid = [entry for entry, its in zip(push.entries, problems, strict=True) if not its]
            said = self._append(tenant, push, valid, kept) or said
        self._keep(kept)
        if said or wrong:
            return _Reply(400, said or "; ".join(f"{count} errors like: {text}" for text, count in wrong.items()))
        return _Reply(204)

    def _append(self, tenant: str, push: Push, entries: list[LokiEntry], kept: list[StoredEntry]) -> str:
        labels = label_text(push.labels)
        stream = self._streams.setdefault((tenant, labels), _Stream())
        by_name = dict(push.labels)
        ignored = []
        for entry in entries:
            cutoff = stream.newest - int(self._limits.window_seconds * _SECOND)
            if entry.time_ns < cutoff:
                told = (
                    f"entry timestamp is: {rfc3339(entry.time_ns)}, oldest acceptable timestamp is: {rfc3339(cutoff)}"
                )
                ignored.append((entry, f"entry too far behind, {told}"))
            elif (entry.time_ns, entry.line) in stream.known:
                self.duplicates += 1
            else:
                stream.known.add((entry.time_ns, entry.line))
                stream.newest = max(stream.newest, entry.time_ns)
                kept.append(StoredEntry(tenant, by_name, *entry))
        return ignored_text(tenant, labels, ignored, len(entries)) if ignored else ""

    def _keep(self, kept: list[StoredEntry]) -> None:
        if self._file is not None and kept:
            if self._descriptor is None:
                self._descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            left = memoryview(b"".join(json.dumps(entry).encode() + b"\n" for entry in kept))
            while left:
                left = left[os.write(self._descriptor, left) :]
        self._entries += kept

    def _load(self) -> None:
        """Read what was kept; an entry that SIGKILL has torn was never answered, and goes."""
        if self._file is None or not self._file.exists():
            return
        content = self._file.read_bytes()
        whole = content.rfind(b"\n") + 1
        os.truncate(self._file, whole)
        for line in content[:whole].splitlines():
            entry = StoredEntry(*json.loads(line))
            stream = self._streams.setdefault((entry.tenant, label_text(tuple(entry.labels.items()))), _Stream())
            stream.known.add((entry.time_ns, entry.line))
            stream.newest = max(stream.newest, entry.time_ns)
            self._entries.append(entry)


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, loki: StrictLoki, port: int) -> None:
        self.loki = loki
        self._connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def close_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().close_request(request)

    def end_connections(self) -> None:
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._send(_Reply(200, "ready") if self.path == "/ready" else _Reply(404, "404 page not found"))

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _LARGEST_BODY:
            self.close_connection = True
            self._send(_Reply(413, f"request body too large, limit: {_LARGEST_BODY} bytes"))
            return
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if len(body) == int(length):
            self._send(self.server.loki.reply(self.path, headers, body))

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""

    def _send(self, reply: _Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        text = reply.text.encode()
        if reply.status != 204:  # noqa: PLR2004
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text if reply.status != 204 else b"")  # noqa: PLR2004
        self.wfile.flush()


def main() -> None:
    """Run as a process until it is ended."""
    parser = argparse.ArgumentParser(prog="python -m fapilog.testing.loki", description="A strict stand-in for Loki.")
    parser.add_argument("--port", type=int, default=3100)
    parser.add_argument("--file", type=Path, help="where entries are kept, as JSON lines")
    parser.add_argument("--auth-enabled", action="store_true", help="require a tenant")
    given = parser.parse_args()
    loki = StrictLoki(given.port, given.file, auth_enabled=given.auth_enabled)
    loki.start()
    loki.wait()


if __name__ == "__main__":
    main()
