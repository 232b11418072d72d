"""``add_otlp()`` with nothing but the variables of OpenTelemetry, to receivers that look at what they say."""

import asyncio
import gzip
import ssl
from pathlib import Path

import pytest

from fapilog import LoggerBuilder
from tests.sinks.http.peers import Authority, answer, answering, peer, server_context
from tests.sinks.otlp.support import SECRET, grpc_peer, taken

OK = answer(200, content_type="application/x-protobuf")


def log_one(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """Log one event to where the variables say, and nowhere else."""
    for name, value in variables.items():
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)
    logger = LoggerBuilder().add_otlp().build()
    logger.info("Order placed")
    result = logger.drain(10)
    assert (result.delivered, result.failed, result.dropped) == (1, 0, 0)


def tls(authority: Authority) -> dict[str, str]:
    """Return what a client needs where certificates of clients are asked for; certificate and key in two files."""
    both = authority.issue("client", ["client.example.com"])
    key = both.with_name("client.key")
    certificate, begin, rest = both.read_text().partition("-----BEGIN PRIVATE KEY-----")
    both.write_text(certificate)
    key.write_text(begin + rest)
    return {"CERTIFICATE": str(authority.file), "CLIENT_CERTIFICATE": str(both), "CLIENT_KEY": str(key)}


@pytest.mark.asyncio
async def test_http_as_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Base URL with the path of logs appended, headers, gzip, authority, certificate and key of the client."""
    authority = Authority(tmp_path)
    context = server_context(authority.issue("server"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    async with peer(answering(OK), context=context, path="/base") as told:
        variables = {"ENDPOINT": told.url, "HEADERS": f"api-key={SECRET}", "COMPRESSION": "gzip", **tls(authority)}
        await asyncio.to_thread(lambda: log_one(monkeypatch, **variables))
    [request] = told.requests
    assert request.line == "POST /base/v1/logs HTTP/1.1"
    assert (request.headers["api-key"], request.headers["content-encoding"]) == (SECRET, "gzip")
    assert b"Order placed" in gzip.decompress(request.body)


def test_grpc_as_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same over gRPC, its endpoint without a scheme, which means TLS."""
    authority = Authority(tmp_path)
    with grpc_peer(taken, certificate=authority.issue("server"), clients=authority.file) as told:
        endpoint = told.url.removeprefix("https://")
        variables = {"PROTOCOL": "grpc", "HEADERS": f"api-key={SECRET}", "COMPRESSION": "gzip", **tls(authority)}
        log_one(monkeypatch, ENDPOINT=endpoint, **variables)
    assert len(told.requests) == 1
    assert told.metadata[0]["api-key"] == SECRET


def test_grpc_without_tls_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """`…_INSECURE` speaks to an endpoint without a scheme in the clear."""
    with grpc_peer(taken) as told:
        log_one(monkeypatch, PROTOCOL="grpc", ENDPOINT=told.url.removeprefix("http://"), INSECURE="true")
    assert len(told.requests) == 1


@pytest.mark.asyncio
async def test_the_variables_for_logs_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """With both kinds set, what is sent is what the variables for logs say, to the very URL."""
    general = {"ENDPOINT": "http://127.0.0.1:1", "PROTOCOL": "grpc", "HEADERS": "a=1", "COMPRESSION": "gzip"}
    async with peer(answering(OK), path="/logs") as told:
        logs = {"LOGS_ENDPOINT": told.url, "LOGS_PROTOCOL": "http/protobuf", "LOGS_HEADERS": "b=2"}
        variables = {**general, **logs, "LOGS_COMPRESSION": "none", "TIMEOUT": "1", "LOGS_TIMEOUT": "9000"}
        await asyncio.to_thread(lambda: log_one(monkeypatch, **variables))
    [request] = told.requests
    assert request.line == "POST /logs HTTP/1.1"
    assert request.headers["b"] == "2"
    assert not {"a", "content-encoding"} & request.headers.keys()
    assert b"Order placed" in request.body
