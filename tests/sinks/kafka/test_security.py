"""KafkaSink and brokers that want a login or have to prove who they are.

The mock cluster has neither, so a peer here speaks as much of the protocol as it takes to refuse a login:
https://kafka.apache.org/protocol#protocol_messages.
"""

import asyncio
import struct
from contextlib import asynccontextmanager

import pytest

from fapilog.errors import SinkError
from tests.sinks.http.peers import Authority, server_context
from tests.sinks.kafka.support import opened

pytestmark = pytest.mark.requires_service("librdkafka", module="confluent_kafka")
SECRET = "canary-sesame"
LOGIN = {"sasl_mechanism": "PLAIN", "sasl_username": "shop", "sasl_password": SECRET}
_METADATA, _HANDSHAKE, _VERSIONS, _AUTHENTICATE = 3, 17, 18, 36
_UNSUPPORTED_VERSION, _UNSUPPORTED_MECHANISM, _FAILED = 35, 33, 58


def _text(value):
    return struct.pack(">h", len(value)) + value


def _answer(api, version, mechanisms):
    """Return the body of an answer of a broker that refuses every login."""
    if api == _VERSIONS:
        supported = [(_METADATA, 1), (_HANDSHAKE, 1), (_VERSIONS, 0), (_AUTHENTICATE, 0)]
        body = struct.pack(">i", len(supported)) + b"".join(
            struct.pack(">hhh", key, 0, most) for key, most in supported
        )
        return struct.pack(">h", _UNSUPPORTED_VERSION if version else 0) + body
    if api == _HANDSHAKE:
        known = struct.pack(">i", len(mechanisms)) + b"".join(map(_text, mechanisms))
        return struct.pack(">h", 0 if b"PLAIN" in mechanisms else _UNSUPPORTED_MECHANISM) + known
    assert api == _AUTHENTICATE
    return struct.pack(">h", _FAILED) + _text(b"no such user: " + SECRET.encode()) + struct.pack(">i", 0)


@asynccontextmanager
async def broker(mechanisms=(b"PLAIN",), context=None):
    """Serve a broker that refuses; return its address and what it was sent."""
    sent, writers = [], []

    async def serve(reader, writer):
        writers.append(writer)
        try:
            while True:
                size = struct.unpack(">i", await reader.readexactly(4))[0]
                request = await reader.readexactly(size)
                sent.append(request)
                api, version, number = struct.unpack(">hhi", request[:8])
                answer = struct.pack(">i", number) + _answer(api, version, mechanisms)
                writer.write(struct.pack(">i", len(answer)) + answer)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", sent
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)


async def _refused(servers, **options):
    """Return the error of an open."""
    with pytest.raises(SinkError) as caught:
        async with opened(servers, **options):
            pass
    assert SECRET not in str(caught.value)
    return caught.value


@pytest.mark.asyncio
async def test_a_refused_login_is_a_mistake():
    """A wrong password is said at once, in words of our own: the broker's may quote it."""
    async with broker() as (address, sent):
        error = await _refused(address, **LOGIN)

    assert not error.retryable
    assert "refuses the user name or password (_AUTHENTICATION)" in str(error)
    assert any(SECRET.encode() in request for request in sent)


@pytest.mark.asyncio
async def test_a_mechanism_that_the_broker_does_not_know_is_a_mistake():
    """The password is not sent where it is not understood."""
    async with broker([b"SCRAM-SHA-256"]) as (address, sent):
        error = await _refused(address, **LOGIN)

    assert not error.retryable
    assert not any(SECRET.encode() in request for request in sent)


@pytest.mark.asyncio
async def test_nothing_is_sent_to_a_broker_with_an_unknown_certificate(tmp_path):
    """With an authority that did not sign it, the broker's certificate is a mistake, and the login is not sent."""
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    async with broker(context=server_context(authority.issue("kafka"))) as (address, sent):
        error = await _refused(address, tls=True, ca_file=str(other.file), **LOGIN)
        assert sent == []
        trusted = await _refused(address, tls=True, ca_file=str(authority.file), **LOGIN)

    assert not error.retryable
    assert "TLS" in str(error)
    assert "refuses the user name or password" in str(trusted)


@pytest.mark.asyncio
async def test_nothing_is_sent_to_a_broker_of_another_name(tmp_path):
    """A certificate for another host is refused although its authority is known."""
    authority = Authority(tmp_path)
    async with broker(context=server_context(authority.issue("kafka", ["kafka.example.com"]))) as (address, sent):
        error = await _refused(address, tls=True, ca_file=str(authority.file), **LOGIN)

    assert sent == []
    assert not error.retryable


@pytest.mark.asyncio
async def test_tls_never_falls_back():
    """A port that does not speak TLS is not spoken to in the clear instead."""
    async with broker() as (address, sent):
        error = await _refused(address, tls=True, timeout="1s", **LOGIN)

    assert error.retryable
    assert sent == []
