"""What a receiver refuses for good is kept in a file with the reason."""

import json
from pathlib import Path

import pytest

from fapilog.delivery.dead_letters import DeadLetterOptions, DeadLetters
from fapilog.errors import ConfigError, RejectedError, SinkError
from fapilog.testing.fakes import FakeClock
from tests.delivery.receivers import Receiver, batch_of

pytestmark = pytest.mark.asyncio


def keeping(path: Path, receiver: Receiver, **options: object) -> tuple[DeadLetters, list[str]]:
    said: list[str] = []
    return DeadLetters(receiver, DeadLetterOptions(path, **options), FakeClock(), said.append), said  # type: ignore[arg-type]


async def test_each_refused_event_is_a_line(tmp_path: Path) -> None:
    """With time, sink and reason; the error goes on, because the event was not delivered."""
    path = tmp_path / "made" / "dead.jsonl"
    letters, _ = keeping(
        path, Receiver(RejectedError("2 refused", rejected={1: "too old", 3: "bad"}, failed_indexes=()))
    )

    with pytest.raises(RejectedError):
        await letters.write(batch_of(range(4)))
    await letters.close()

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["sink"], line["reason"], line["event"]["number"]) for line in lines] == [
        ("receiver", "too old", 1), ("receiver", "bad", 3)
    ]  # fmt: skip
    assert all(line["time"].endswith("Z") for line in lines)
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert letters.figures == {"dead_letters": 2, "dead_letters_lost": 0}


async def test_what_may_succeed_later_is_no_dead_letter(tmp_path: Path) -> None:
    """Only what is refused is written."""
    letters, _ = keeping(tmp_path / "dead", Receiver(SinkError("down", retryable=True)))

    with pytest.raises(SinkError):
        await letters.write(batch_of([1]))
    await letters.close()

    assert not (tmp_path / "dead").exists()


async def test_a_full_file_is_counted_and_said(tmp_path: Path) -> None:
    """Over its bound nothing is written any more, and nothing else happens."""
    path = tmp_path / "dead"
    refused = [RejectedError("no", rejected={0: "no"}, failed_indexes=()) for _ in range(3)]
    letters, said = keeping(path, Receiver(*refused), max_bytes=200)

    for _ in refused:
        with pytest.raises(RejectedError):
            await letters.write(batch_of([7]))
    await letters.close()

    assert letters.figures["dead_letters"] == len(path.read_text().splitlines())
    assert sum(letters.figures.values()) == 3
    assert letters.figures["dead_letters_lost"] == len(said) > 0


async def test_a_hostile_value_is_written_all_the_same(tmp_path: Path) -> None:
    """Numbers and texts that JSON cannot hold have a form that it can."""
    batch = batch_of([1])
    batch.events[0] |= {"huge": 1 << 100, "nan": float("nan"), "text": "\ud800"}
    letters, _ = keeping(tmp_path / "dead", Receiver(RejectedError("no", rejected={0: "no"}, failed_indexes=())))

    with pytest.raises(RejectedError):
        await letters.write(batch)
    await letters.close()

    assert json.loads((tmp_path / "dead").read_text())["event"]["huge"] == str(1 << 100)


async def test_the_reason_is_redacted_and_short(tmp_path: Path) -> None:
    """A receiver's answer may quote the request, credentials included."""
    error = RejectedError("no", rejected={0: "token=abc " * 200}, failed_indexes=())
    path = tmp_path / "dead"
    letters = DeadLetters(
        Receiver(error), DeadLetterOptions(path), FakeClock(), scrub=lambda text: text.replace("abc", "***")
    )

    with pytest.raises(RejectedError):
        await letters.write(batch_of([1]))
    await letters.close()

    assert b"abc" not in path.read_bytes()
    assert len(json.loads(path.read_text())["reason"]) <= 500


@pytest.mark.parametrize("path", ["", "a\0b", 3, None])
async def test_a_wrong_path_is_refused(path: object) -> None:
    """The error names the method."""
    with pytest.raises(ConfigError, match="with_dead_letters"):
        DeadLetterOptions(path)  # type: ignore[arg-type]
