"""Counts: what the clients saw, what the file holds and what the drain says must be one story."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from example_app.demo.server import DemoFailedError
from example_app.demo.traffic import Answer

Event = dict[str, Any]
COMPLETIONS = ("request_completed", "request_failed")
WEBSOCKET_STATUS = 101
SERVER_ERROR = 500


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


def check_drain(drain: Mapping[str, Any], lines: int) -> None:
    """Check that every event that was submitted was delivered and is a line in the file.

    Raises:
        DemoFailedError: If the figures differ.
    """
    figures = {
        key: drain[key] for key in ("submitted", "delivered", "filtered", "dropped", "failed", "in_flight", "timed_out")
    }
    expected = dict.fromkeys(figures, 0) | {"submitted": lines, "delivered": lines, "timed_out": False}
    if figures != expected:
        raise DemoFailedError(f"the file has {lines} lines, but the drain says {figures}")


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
