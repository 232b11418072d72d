"""What answers mean: all status codes, and all forms of Retry-After."""

import time

import pytest

from fapilog.sinks.http.answers import Answer, is_taken, parse_retry_after, refusal
from fapilog.testing.fakes import FakeClock
from tests.sinks.http.peers import NO_CONTENT, answer, answering, events_batch, opened, peer, refused

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z
LATER = {408, 425, 429, *range(500, 600)}
LOGIN = {401, 402, 403, 407}
SPLIT = {400, 413, 422}


def _kind(status: int) -> tuple[bool, float | None, set[int] | None]:
    if status in LATER:
        return True, None, None
    if status in LOGIN:
        return True, 30.0, None
    return False, None, None if status in SPLIT else {0, 1, 2}


def test_every_status_has_its_meaning():
    """Taken, later, later after the credentials are put right, split, or refused as a whole: none is left to chance."""
    for status in range(100, 1000):
        answered = Answer(status, {}, "why")
        assert is_taken(answered) == (200 <= status < 300), status
        error = refusal(answered, "https://host", NOW, 3)
        assert (status, error.retryable, error.retry_after, error.failed_indexes) == (status, *_kind(status))
        assert "https://host" in str(error)
        assert str(status) in str(error)


@pytest.mark.asyncio
async def test_every_status_of_a_real_answer():
    """The same over a socket, where the library has a say in it, too: 2xx and nothing else is taken."""
    codes = [code for code in range(200, 600) if code not in (204, 205, 304)]
    async with peer(answering(*(answer(code) for code in codes))) as receiver, opened(receiver.url) as sink:
        for code in codes:
            if code < 300:
                await sink.write(events_batch(3))
            else:
                error = await refused(sink, events_batch(3))
                assert (error.retryable, error.retry_after, error.failed_indexes) == _kind(code)


@pytest.mark.parametrize("status", [204, 205, 304])
@pytest.mark.asyncio
async def test_answers_without_a_body(status):
    """They leave nothing on the connection that would be taken for the next answer."""
    empty = f"HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n".encode()
    async with peer(answering(empty, NO_CONTENT)) as receiver, opened(receiver.url) as sink:
        if status == 304:
            await refused(sink, events_batch(1))
        else:
            await sink.write(events_batch(1))
        await sink.write(events_batch(1))

        assert len(receiver.requests) == 2


@pytest.mark.asyncio
async def test_informational_answers_are_passed_over():
    """100, 102 and 103 come before the answer, and are none."""
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    async with peer(answering(early + NO_CONTENT)) as receiver, opened(receiver.url) as sink:
        await sink.write(events_batch(1))
        await sink.write(events_batch(1))

        assert receiver.connections == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2", 2.0),
        (" 2 ", 2.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("1000000000", 300.0),
        ("9" * 300, 300.0),
        ("9" * 100_000, None),
        ("2, 5, 3", 5.0),
        ("Thu, 01 Jan 2026 00:00:10 GMT", 10.0),
        ("Thursday, 01-Jan-26 00:00:10 GMT", 10.0),
        ("Thu Jan  1 00:00:10 2026", 10.0),
        ("Thu, 01 Jan 2026 00:00:10 -0000", 10.0),
        ("Thu, 01 Jan 2025 00:00:00 GMT", 0.0),
        ("Thu, 01 Jan 9999 00:00:00 GMT", 300.0),
        ("Thu, 41 Jan 2026 00:00:10 GMT", None),
        ("Thu, 01 Jan 99999999999999999999 00:00:10 GMT", None),
        ("1e9", None),
        ("٣", None),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("2; 3", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(value, seconds):
    """Seconds and dates count up to five minutes, the longest of several; the past is now, garbage is nothing."""
    assert parse_retry_after(value, NOW) == seconds


def test_a_date_without_a_zone_is_utc(monkeypatch):
    """Wherever this machine thinks it is."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert parse_retry_after("Thu, 01 Jan 2026 00:00:10 -0000", NOW) == 10.0
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("status", [429, 503, 401])
@pytest.mark.asyncio
async def test_retry_after_of_a_real_answer(status):
    """The receiver's wish gets to the delivery, also from a header that was sent twice, and as a date."""
    twice = f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\nRetry-After: 2\r\nRetry-After: 7\r\n\r\n".encode()
    date = answer(status, Retry_After="Thu, 01 Jan 2026 00:00:09 GMT")
    clock = FakeClock()
    async with peer(answering(twice, date)) as receiver, opened(receiver.url, clock) as sink:
        assert (await refused(sink, events_batch(1))).retry_after == 7.0
        assert (await refused(sink, events_batch(1))).retry_after == 9.0


def test_the_receivers_words_are_told_short_and_on_one_line():
    """What a receiver says is worth reading, and no way to write into a terminal."""
    error = refusal(Answer(400, {}, "field \x1b]0;x\x07 'a'\r\nfake line" + "é" * 100_000), "https://host", NOW, 1)

    assert str(error).startswith("https://host answered 400: field ]0;x 'a' fake line")
    assert len(str(error)) < 300
