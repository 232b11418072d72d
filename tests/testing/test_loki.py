"""The stand-in is strict: each thing that Loki refuses is refused, in its words; what it takes is there again."""

import gzip
import http.client
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cramjam
import pytest

from fapilog.sinks.loki.protobuf_body import push_request
from fapilog.testing.fakes import EPOCH_NS, FakeClock
from fapilog.testing.loki import LokiLimits, StrictLoki
from tests.services.loki import LokiServer

JSON = "application/json"
PROTOBUF = "application/x-protobuf"
HOUR = 3_600 * 1_000_000_000


@pytest.fixture
def loki() -> Iterator[StrictLoki]:
    with StrictLoki(clock=FakeClock()) as server:
        yield server


def post(url: str, body: bytes, kind: str = JSON, path: str = "/loki/api/v1/push", **headers: str) -> tuple[int, str]:
    """Post and return status and text."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(url).port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request("POST", path, body, {"Content-Type": kind, **named})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def body_of(*values: Any, labels: Any = None) -> bytes:
    """Return the body of a push of one stream."""
    return json.dumps({"streams": [{"stream": {"app": "a"} if labels is None else labels, "values": values}]}).encode()


def at(offset_ns: int = 0) -> str:
    return str(EPOCH_NS + offset_ns)


def protobuf(labels: str, *entries: tuple[int, str, Mapping[str, str]]) -> bytes:
    """Return the body of a push, by google's library."""
    request = push_request()()
    stream = request.streams.add(labels=labels)
    for time_ns, line, metadata in entries:
        entry = stream.entries.add(line=line)
        entry.timestamp.seconds, entry.timestamp.nanos = divmod(time_ns, 1_000_000_000)
        for name, value in metadata.items():
            entry.structuredMetadata.add(name=name, value=value)
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


def test_json_is_kept_with_all_its_parts(loki) -> None:
    """Labels, time, line and metadata, and the answer is 204."""
    assert post(loki.url, body_of([at(1), "one", {"id": "7"}], [at(1), "two"])) == (204, "")
    assert [tuple(it) for it in loki.entries()] == [
        ("fake", {"app": "a"}, EPOCH_NS + 1, "one", {"id": "7"}),
        ("fake", {"app": "a"}, EPOCH_NS + 1, "two", {}),
    ]


def test_protobuf_is_read_as_google_writes_it(loki) -> None:
    """The wire format is decoded by another hand than the one that encodes."""
    body = protobuf('{app="a \\"b\\"", level="info"}', (EPOCH_NS + 5, "zażółć", {"id": "7", "x": ""}))

    assert post(loki.url, body, PROTOBUF) == (204, "")
    (entry,) = loki.entries(level="info")
    assert entry[1:] == ({"app": 'a "b"', "level": "info"}, EPOCH_NS + 5, "zażółć", {"id": "7", "x": ""})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "loghttp.PushRequest"),
        (b"\xff", "loghttp.PushRequest"),
        (b"[]", "loghttp.PushRequest"),
        (b'{"streams": [{}]}', "loghttp.PushRequest"),
        (b'{"streams": [{"stream": {"a": "1", "a": "2"}, "values": []}]}', "twice"),
        (body_of([EPOCH_NS, "a number"]), "a text of nanoseconds"),
        (body_of(["2026-01-01T00:00:00Z", "a date"]), "a text of nanoseconds"),
        (body_of(["-5", "before 1970"]), "a text of nanoseconds"),
        (body_of([str(2**63), "over 64 bit"]), "a text of nanoseconds"),
        (body_of([at()]), "a value is"),
        (body_of([at(), 7]), "a line is a text"),
        (body_of([at(), "metadata", {"n": 7}]), "metadata are texts"),
        (body_of(), "without entries"),
        (body_of([at(), "x"], labels={"a": 1}), "labels are texts"),
        (body_of([at(), "x"], labels={}), "at least one label pair"),
        (body_of([at(), "x"], labels={"my-app": "a"}), "Error parsing labels"),
        (body_of([at(), "x"], labels={f"l{n}": "x" for n in range(16)}), "has 16 label names; limit 15"),
        (body_of([at(), "x"], labels={"a": "x" * 2_049}), "label value too long"),
        (body_of([at(), "x"], labels={"a" * 1_025: "x"}), "label name too long"),
        (body_of([at(), "x" * 262_145]), "Max entry size '262144' bytes exceeded"),
        (body_of([at(), "ü" * 131_073]), "with length '262146' bytes"),
        (body_of([at(), "x", {"a": "x" * 65_536}]), "structured metadata too large"),
        (body_of([at(), "x", {f"a{n}": "x" for n in range(129)}]), "too many structured metadata labels: '129'"),
        (body_of([at(-8 * 24 * HOUR), "x"]), "has timestamp too old"),
        (body_of([at(HOUR), "x"]), "has timestamp too new"),
    ],
)
def test_what_loki_refuses_is_refused(body, said, loki) -> None:
    """With 400 and its words; nothing is kept."""
    status, text = post(loki.url, body)

    assert (status, loki.entries()) == (400, [])
    assert said in text


@pytest.mark.parametrize(
    ("body", "kind", "encoding", "status"),
    [
        (b'{"streams": []}', JSON, "", 422),
        (b"x", "text/plain", "", 415),
        (body_of([at(), "x"]), JSON, "br", 400),
        (b"no gzip", JSON, "gzip", 400),
        (b"no snappy", PROTOBUF, "", 400),
        (bytes(cramjam.snappy.compress_raw(b"\x0a\x05ab")), PROTOBUF, "", 400),
        (bytes(cramjam.snappy.compress_raw(b"\x0d\x01\x02\x03\x04")), PROTOBUF, "", 400),
        (bytes(cramjam.snappy.compress_raw(b"")), PROTOBUF, "", 422),
        (protobuf("app=1", (EPOCH_NS, "x", {})), PROTOBUF, "", 400),
        (protobuf('{app="a"', (EPOCH_NS, "x", {})), PROTOBUF, "", 400),
        (protobuf('{app="a" level="b"}', (EPOCH_NS, "x", {})), PROTOBUF, "", 400),
        (protobuf('{app="a", app="b"}', (EPOCH_NS, "x", {})), PROTOBUF, "", 400),
        (protobuf("{}", (EPOCH_NS, "x", {})), PROTOBUF, "", 400),
        (protobuf('{app="a"}'), PROTOBUF, "", 400),
    ],
)
def test_bodies_of_another_form_are_refused(body, kind, encoding, status, loki) -> None:
    """Wrong media types, encodings, wire formats and label texts."""
    headers = {"Content_Encoding": encoding} if encoding else {}

    assert post(loki.url, body, kind, **headers)[0] == status
    assert loki.entries() == []


def test_gzip_and_other_paths(loki) -> None:
    """JSON may be compressed; only the push API is there."""
    assert post(loki.url, gzip.compress(body_of([at(), "x"])), Content_Encoding="gzip")[0] == 204
    assert post(loki.url, body_of([at(), "y"]), path="/loki/api/v1/query")[0] == 404
    assert len(loki.entries()) == 1


def test_valid_entries_are_kept_beside_refused_ones(loki) -> None:
    """The answer is 400, and the other entries are there."""
    status, text = post(loki.url, body_of([at(), "good"], [at(HOUR), "new"], [at(1), "good too"]))

    assert (status, text) == (
        400,
        "1 errors like: entry for stream '{app=\"a\"}' has timestamp too new: 2026-01-01T01:00:00Z",
    )
    assert [it.line for it in loki.entries()] == ["good", "good too"]


def test_out_of_order_is_taken_within_the_window_and_refused_behind_it(loki) -> None:
    """An hour behind the newest entry of the stream; other streams have their own window."""
    assert post(loki.url, body_of([at(), "newest"], [at(-HOUR), "just within"]))[0] == 204
    status, text = post(loki.url, body_of([at(-HOUR - 1_500), "behind"], [at(1), "fine"]))
    assert post(loki.url, body_of([at(-2 * HOUR), "elsewhere"], labels={"app": "b"}))[0] == 204

    assert (status, text) == (
        400,
        (
            "entry with timestamp 2025-12-31 22:59:59.9999985 +0000 UTC ignored, reason: 'entry too far behind, entry "
            "timestamp is: 2025-12-31T22:59:59Z, oldest acceptable timestamp is: 2025-12-31T23:00:00Z',\n"
            "user 'fake', total ignored: 1 out of 2 for stream: {app=\"a\"}"
        ),
    )
    assert [it.line for it in loki.entries()] == ["newest", "just within", "fine", "elsewhere"]


def test_at_most_ten_ignored_entries_are_listed(loki) -> None:
    """As Loki does by default; the total counts all."""
    post(loki.url, body_of([at(), "newest"]))
    text = post(loki.url, body_of(*[[at(-2 * HOUR + n), "behind"] for n in range(25)]))[1]

    assert text.count("entry with timestamp") == 10
    assert "total ignored: 25 out of 25" in text


def test_an_entry_that_is_there_is_dropped(loki) -> None:
    """The same time and line in the same stream; another line or stream is another entry."""
    for labels in ({"app": "a"}, {"app": "a"}, {"app": "b"}):
        post(loki.url, body_of([at(), "x"], [at(), "y"], labels=labels))

    assert (len(loki.entries()), loki.duplicates) == (4, 2)


def test_tenants_and_credentials() -> None:
    """Without them 401; entries of tenants are apart."""
    with StrictLoki(clock=FakeClock(), auth_enabled=True, authorization="Bearer right") as loki:
        login = {"Authorization": "Bearer right"}
        assert post(loki.url, body_of([at(), "x"]), X_Scope_OrgID="a") == (401, "Unauthorized")
        assert post(loki.url, body_of([at(), "x"]), **login) == (401, "no org id")
        for tenant in ("a", "b"):
            assert post(loki.url, body_of([at(), "x"]), X_Scope_OrgID=tenant, **login)[0] == 204

        assert [it.tenant for it in loki.entries()] == ["a", "b"]


def test_answers_on_demand_keep_nothing(loki) -> None:
    """Twice 429 with a header, then as always."""
    loki.answer_next(429, "slow down", times=2, Retry_After="3")

    assert [post(loki.url, body_of([at(), "x"])) for _ in range(3)] == [(429, "slow down")] * 2 + [(204, "")]
    assert len(loki.entries()) == 1
    assert loki.statuses == {429: 2, 204: 1}


def test_limits_can_be_chosen() -> None:
    """A shorter line and no metadata."""
    limits = LokiLimits(max_line_bytes=3, allow_metadata=False)
    with StrictLoki(clock=FakeClock(), limits=limits) as loki:
        text = post(loki.url, body_of([at(), "abcd"], [at(), "abc"], [at(), "x", {"a": "b"}]))[1]

        assert "Max entry size '3' bytes" in text
        assert "includes structured metadata" in text
        assert [it.line for it in loki.entries()] == ["abc"]


def test_a_file_is_read_again_without_its_torn_end(tmp_path: Path) -> None:
    """A restart knows its entries, also to drop those that come again; half a record at the end is cut off."""
    file = tmp_path / "entries.jsonl"
    with StrictLoki(file=file, clock=FakeClock()) as loki:
        post(loki.url, body_of([at(), "x"], [at(1), "y"]))
    with file.open("ab") as torn:
        torn.write(b'["fake", {"app')
    with StrictLoki(file=file, clock=FakeClock()) as loki:
        post(loki.url, body_of([at(1), "y"], [at(2), "z"]))

        assert [it.line for it in loki.entries()] == ["x", "y", "z"]
    assert [json.loads(line)[3] for line in file.read_bytes().splitlines()] == ["x", "y", "z"]


def test_it_can_be_stopped_and_started_again_on_its_port() -> None:
    """With what it has; an idle connection does not hold it up."""
    loki = StrictLoki(clock=FakeClock())
    with loki:
        url = loki.url
        idle = http.client.HTTPConnection("127.0.0.1", urlsplit(url).port, timeout=10)
        idle.request("GET", "/ready")
        assert idle.getresponse().read() == b"ready"
        post(url, body_of([at(), "x"]))
    idle.close()
    with loki:
        post(url, body_of([at(), "y"]))

    assert [it.line for it in loki.entries()] == ["x", "y"]


def test_the_process_keeps_what_it_has_answered_over_a_kill(tmp_path: Path) -> None:
    """Killed and started twice, everything with a 204 is there once and in order."""
    with LokiServer(tmp_path) as server:
        for number in range(9):
            if number % 3 == 2:
                server.kill()
                server.start()
            line = json.dumps({"message": f"m{number}", "n": number})
            status, text = post(server.url, body_of([str(time.time_ns()), line]))
            assert (status, text) == (204, "")

        assert [it["n"] for it in server.received()] == list(range(9))
