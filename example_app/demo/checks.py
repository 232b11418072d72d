"""Counts: what the clients saw, what the file holds and what the drain says must be one story."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from example_app.demo.server import DemoFailedError
from example_app.demo.traffic import EMAIL, Answer
from example_app.supplier import PASSWORD, TOKEN

Event = dict[str, Any]
COMPLETIONS = ("request_completed", "request_failed")
WEBSOCKET_STATUS = 101
SERVER_ERROR = 500
SECRETS = (EMAIL, PASSWORD, TOKEN)
MASK = "***"


def read_events(log_file: Path) -> list[Event]:
    """Return the events of a JSON log file.

    Raises:
        DemoFailedError: If a line is not a JSON object.
    """
    events = []
    for number, line in enumerate(log_file.read_bytes().splitlines(), 1):
        try:
            event = json.loads(line)
        except ValueError as error:
            raise DemoFailedError(f"{log_file.name}:{number} is not JSON: {error}") from None
        events.append(event)
    return events


def by_request(events: Iterable[Event]) -> Mapping[str, list[Event]]:
    """Group events by their request id; those without one are left out."""
    found: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        if "request_id" in event:
            found[event["request_id"]].append(event)
    return found


def check_answers(answers: Sequence[Answer], events: Iterable[Event]) -> None:
    """Check that every answered request has exactly one completion event, with the status that the client saw.

    Raises:
        DemoFailedError: If one has none, several, or another status.
    """
    found = by_request(events)
    for answer in answers:
        if answer.status == WEBSOCKET_STATUS:
            _check_websocket(answer, found[answer.request_id])
            continue
        completions = [event for event in found[answer.request_id] if event["message"] in COMPLETIONS]
        if len(completions) != 1:
            raise DemoFailedError(f"{answer.request_id}: {len(completions)} completion events instead of one")
        seen = (completions[0].get("status_code"), completions[0].get("outcome"))
        if seen != (answer.status, _outcome(answer)):
            raise DemoFailedError(f"{answer.request_id}: the log says {seen}, the client saw {answer}")


def check_drain(drain: Mapping[str, Any], events: Sequence[Event]) -> None:
    """Check that every event that was submitted is a line in the file, or one of those that were summed up.

    Raises:
        DemoFailedError: If the figures differ.
    """
    figures = {
        key: drain[key] for key in ("submitted", "delivered", "filtered", "dropped", "failed", "in_flight", "timed_out")
    }
    repeated, lines = repetitions(events), len(events)
    expected = dict.fromkeys(figures, 0) | {
        "submitted": lines + repeated, "delivered": lines, "filtered": repeated, "timed_out": False,
    }  # fmt: skip
    if figures != expected:
        told = f"the file has {lines} lines, which tell of {repeated} repetitions"
        raise DemoFailedError(f"{told}, but the drain says {figures}")


def repetitions(events: Iterable[Event]) -> int:
    """Return how many events were held back as repetitions, by what the summaries say."""
    return sum(event["count"] for event in events if event["message"] == "events repeated")


def check_errors(events: Iterable[Event], errors: Sequence[Event]) -> None:
    """Check that the file of errors has those of the log, all and no others.

    Raises:
        DemoFailedError: If they differ.
    """
    expected = [event for event in events if event["level"] in ("ERROR", "CRITICAL")]
    if errors != expected:
        raise DemoFailedError(f"the file of errors has {len(errors)} lines; {len(expected)} of the log are errors")


def check_secrets(text: str) -> None:
    """Check that the customer's address, and the supplier's password and token, are nowhere, though all were logged.

    Raises:
        DemoFailedError: If one is (it is made up, and so may be shown), or if nothing was masked, which would prove
            nothing.
    """
    if MASK not in text:
        raise DemoFailedError("nothing in the log is masked")
    for secret in SECRETS:
        if secret in text:
            raise DemoFailedError(f"the log shows {secret!r}")


def _check_websocket(answer: Answer, events: Sequence[Event]) -> None:
    names = [event["message"] for event in events if event["message"].startswith("websocket_")]
    if len(names) != 2 or len(set(names)) != len(names):  # noqa: PLR2004 - one when it opens, one when it closes
        raise DemoFailedError(f"{answer.request_id}: websocket events {names} instead of one open and one close")


def _outcome(answer: Answer) -> str:
    if answer.left_early:
        return "client_disconnected"
    if answer.status >= SERVER_ERROR:
        return "server_error"
    return "client_error" if answer.status >= 400 else "ok"  # noqa: PLR2004 - HTTP's own border
