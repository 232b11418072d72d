"""TLS: nothing goes to a receiver that cannot prove who it is, and events wait until that is put right."""

import asyncio
import ssl

import pytest

from fapilog.errors import SinkError
from fapilog.sinks.http.options import HttpOptions
from fapilog.sinks.http.sink import HttpSink
from tests.sinks.http.peers import (
    NO_CONTENT,
    Authority,
    answering,
    events_batch,
    opened,
    peer,
    read_request,
    refused,
    server_context,
)

WAIT_SECONDS = 30.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Return a certificate authority."""
    return Authority(tmp_path_factory.mktemp("ca"))


def secure(url):
    """Return the URL with https."""
    return url.replace("http:", "https:")


async def _refused_by_client(context, words, **options):
    """Require that a client sends nothing to a receiver, that it is told why, and that the events wait."""
    async with peer(answering(NO_CONTENT), context=context) as receiver, opened(receiver.url, **options) as sink:
        error = await refused(sink, events_batch(1))
        assert receiver.requests == []

    assert (error.retryable, error.retry_after, error.failed_indexes) == (True, WAIT_SECONDS, None)
    assert words in str(error)


@pytest.mark.asyncio
async def test_a_receiver_with_a_good_certificate_is_sent_to(authority):
    """With its authority known, a receiver gets the events, all batches over one connection."""
    context = server_context(authority.issue("good"))
    options = {"ca_file": str(authority.file), "bearer": "canary"}
    async with peer(answering(NO_CONTENT), context=context) as receiver, opened(receiver.url, **options) as sink:
        await sink.write(events_batch(1))
        await sink.write(events_batch(1000))

    assert (receiver.connections, len(receiver.requests)) == (1, 2)


@pytest.mark.asyncio
async def test_an_unknown_authority_is_refused(authority):
    """The system's authorities are the only ones trusted by default."""
    await _refused_by_client(server_context(authority.issue("unknown")), "unable to get local issuer certificate")


@pytest.mark.asyncio
async def test_only_the_given_authority_is_trusted(authority, tmp_path):
    """With a file of authorities nobody else's word counts."""
    other = Authority(tmp_path, "other")
    context = server_context(other.issue("others"))
    await _refused_by_client(context, "certificate", ca_file=str(authority.file))


@pytest.mark.asyncio
async def test_another_hosts_certificate_is_refused(authority):
    """A certificate proves the host it was made for, and no other."""
    context = server_context(authority.issue("elsewhere", ["logs.example.com", "127.0.0.2"]))
    await _refused_by_client(context, "not valid for '127.0.0.1'", ca_file=str(authority.file))


@pytest.mark.asyncio
async def test_an_expired_certificate_is_refused(authority):
    """What has expired proves nothing."""
    context = server_context(authority.issue("expired", days=-1))
    await _refused_by_client(context, "expired", ca_file=str(authority.file))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.asyncio
async def test_an_old_version_is_refused(authority):
    """TLS 1.1 and below are not spoken: nothing is sent, and the events wait."""
    context = server_context(authority.issue("old"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    options = {"ca_file": str(authority.file)}
    async with peer(answering(NO_CONTENT), context=context) as receiver, opened(receiver.url, **options) as sink:
        error = await refused(sink, events_batch(1))

    assert error.retryable
    assert receiver.requests == []


@pytest.mark.asyncio
async def test_plain_http_on_a_tls_port_is_refused(authority):
    """There is no falling back to what everyone can read."""

    async def plain(told, reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        told.requests.append(await reader.read(3))

    async with peer(plain) as receiver, opened(secure(receiver.url), ca_file=str(authority.file)) as sink:
        error = await refused(sink, events_batch(1))

    assert (error.retryable, error.retry_after) == (True, WAIT_SECONDS)
    assert receiver.requests == [b"\x16\x03\x01"]  # a TLS handshake, no request


@pytest.mark.asyncio
async def test_a_handshake_that_hangs_ends_with_the_deadline(authority):
    """A port that accepts and says nothing holds a batch no longer than its deadline, and keeps no descriptor."""
    ended = asyncio.Semaphore(0)

    async def silent(told, reader, writer):
        await reader.read()
        ended.release()

    async with peer(silent) as receiver, opened(secure(receiver.url), timeout="200ms") as sink:
        for _ in range(3):
            assert (await refused(sink, events_batch(1))).retryable
        for _ in range(3):
            async with asyncio.timeout(20):
                await ended.acquire()


@pytest.mark.asyncio
async def test_a_clients_certificate_is_shown_where_it_is_asked_for(authority):
    """With one the receiver takes the events; without one they wait, and the error says that TLS is why."""
    context = server_context(authority.issue("strict"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    client = authority.issue("client", ["client.example.com"])
    options = {"ca_file": str(authority.file)}
    async with peer(answering(NO_CONTENT), context=context) as receiver:
        async with opened(receiver.url, client_cert=str(client), **options) as sink:
            await sink.write(events_batch(1))
        async with opened(receiver.url, client_cert=str(client), client_key=str(client), **options) as sink:
            await sink.write(events_batch(1))
        async with opened(receiver.url, **options) as sink:
            error = await refused(sink, events_batch(1))
            assert error.retryable

    assert len(receiver.requests) == 2


@pytest.mark.asyncio
async def test_any_certificate_is_taken_where_that_was_chosen(authority):
    """`verify=False` is the only way to a receiver that proves nothing."""
    context = server_context(authority.issue("whatever", ["logs.example.com"]))
    async with peer(answering(NO_CONTENT), context=context) as receiver, opened(receiver.url, verify=False) as sink:
        await sink.write(events_batch(1))

    assert len(receiver.requests) == 1


@pytest.mark.asyncio
async def test_a_connection_that_ends_within_tls_may_be_made_again(authority):
    """A receiver that goes away without a word is an ordinary loss of the connection: no half minute of waiting."""

    async def cut(told, reader, writer):
        await read_request(reader)
        writer.get_extra_info("socket").shutdown(2)

    context = server_context(authority.issue("cutting"))
    async with peer(cut, context=context) as receiver, opened(receiver.url, ca_file=str(authority.file)) as sink:
        error = await refused(sink, events_batch(1))

    assert (error.retryable, error.retry_after) == (True, None)


@pytest.mark.asyncio
async def test_a_handshake_that_is_cut_off_may_be_made_again():
    """A receiver that is just starting, or a balancer without one: an ordinary loss of the connection."""

    async def cut(told, reader, writer):
        await reader.read(100)

    async with peer(cut) as receiver, opened(secure(receiver.url)) as sink:
        error = await refused(sink, events_batch(1))

    assert (error.retryable, error.retry_after) == (True, None)


@pytest.mark.asyncio
async def test_a_key_log_that_cannot_be_written_is_said(monkeypatch):
    """Python writes one where a variable says so; an operator who forgot it finds out why nothing is sent."""
    monkeypatch.setenv("SSLKEYLOGFILE", "/no/such/folder/keys")
    sink = HttpSink(HttpOptions("https://logs.example.com/"))

    with pytest.raises(SinkError, match=r"SSLKEYLOGFILE.*No such file") as caught:
        await sink.open()
    assert not caught.value.retryable


@pytest.mark.asyncio
async def test_a_locked_key_is_said_and_not_asked_for(authority, tmp_path):
    """No password is asked for on a terminal at which nobody sits."""
    locked = tmp_path / "locked.pem"
    locked.write_bytes(authority.issue("locked", password=b"canary").read_bytes())
    sink = HttpSink(HttpOptions("https://logs.example.com/", client_cert=str(locked)))

    with pytest.raises(SinkError, match=r"add_http\(client_cert\)") as caught:
        await sink.open()
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ca_file": "/no/such/canary.pem"}, r"add_http\(ca_file\).*No such file"),
        ({"ca_file": __file__}, r"add_http\(ca_file\)"),
        ({"client_cert": __file__}, r"add_http\(client_cert\)"),
    ],
)
@pytest.mark.asyncio
async def test_files_that_cannot_be_used_are_said_when_the_sink_is_opened(options, words):
    """It is a wrong configuration, not a receiver that may come back; open says which option it is."""
    sink = HttpSink(HttpOptions("https://logs.example.com/", **options))

    with pytest.raises(SinkError, match=words) as caught:
        await sink.open()
    assert not caught.value.retryable
    assert "canary" not in str(caught.value)
