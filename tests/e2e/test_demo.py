"""`make demo` is the main job: it must end by itself, say so, and notice a loss."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from example_app.demo import checks
from example_app.demo.server import DemoFailedError
from example_app.demo.traffic import Answer

ROOT = Path(__file__).parents[2]
DRAIN = dict.fromkeys(("filtered", "dropped", "failed", "in_flight"), 0) | {"timed_out": False}


def test_the_demo_loses_nothing() -> None:
    """It ends with status 0 and its closing line; what it prints before is for a person."""
    done = subprocess.run(
        [sys.executable, "-m", "example_app.demo"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    closing = re.fullmatch(
        r"demo: (\d+) requests, (\d+) events submitted, (\d+) delivered, (\d+) repetitions summed up, 0 lost", lines[-1]
    )
    assert closing is not None, lines[-1]
    requests, submitted, delivered, repeated = map(int, closing.groups())
    assert requests > 300
    assert repeated > 0
    assert submitted == delivered + repeated
    assert not [secret for secret in checks.SECRETS if secret in done.stdout]
    assert len(lines) < 350


def test_a_lost_event_is_noticed() -> None:
    """The demo compares the drain's figures with the lines in the file."""
    nine = [{"message": "Order placed"}] * 9
    with pytest.raises(DemoFailedError, match="the file has 9 lines"):
        checks.check_drain({**DRAIN, "submitted": 10, "delivered": 10}, nine)
    with pytest.raises(DemoFailedError, match="'dropped': 1"):
        checks.check_drain({**DRAIN, "submitted": 10, "delivered": 9, "dropped": 1}, nine)


def test_what_is_held_back_has_to_be_told() -> None:
    """Every event that was filtered is in the count of a summary; one that is not is a loss."""
    lines = [{"message": "Supplier does not answer"}, {"message": "events repeated", "count": 4}]
    drain = {**DRAIN, "submitted": 6, "delivered": 2, "filtered": 4}

    checks.check_drain(drain, lines)
    with pytest.raises(DemoFailedError, match="which tell of 4 repetitions"):
        checks.check_drain({**drain, "submitted": 7, "filtered": 5}, lines)


def test_a_secret_is_noticed() -> None:
    """A log that shows one fails the demo, and so does a log in which nothing had to be hidden."""
    with pytest.raises(DemoFailedError, match="shows"):
        checks.check_secrets(f"*** and {checks.SECRETS[0]}")
    with pytest.raises(DemoFailedError, match="nothing in the log is masked"):
        checks.check_secrets("Shop opened")


def test_a_misrouted_error_is_noticed() -> None:
    """The file of errors has all errors and nothing else."""
    log = [{"message": "a", "level": "INFO"}, {"message": "b", "level": "ERROR"}]

    checks.check_errors(log, log[1:])
    for wrong in ([], log):
        with pytest.raises(DemoFailedError, match="1 of the log are errors"):
            checks.check_errors(log, wrong)


@pytest.mark.parametrize(
    "events",
    [
        [],
        [{"message": "request_completed", "request_id": "a", "status_code": 500, "outcome": "server_error"}],
        [{"message": "request_completed", "request_id": "a", "status_code": 200, "outcome": "ok"}] * 2,
    ],
    ids=["none", "another status", "two"],
)
def test_a_wrong_completion_is_noticed(events: list[checks.Event]) -> None:
    """An answer without its one right completion event fails the demo."""
    with pytest.raises(DemoFailedError, match=r"^a: "):
        checks.check_answers([Answer("a", 200)], events)


def test_a_broken_line_is_noticed(tmp_path: Path) -> None:
    """A line that is not JSON fails the demo, by file and number."""
    file = tmp_path / "shop.jsonl"
    file.write_text('{"message": "whole"}\n{"message": "hal', "utf-8")

    with pytest.raises(DemoFailedError, match=r"shop\.jsonl:2"):
        checks.read_events(file)
