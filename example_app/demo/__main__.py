"""The demo: a tour that is shown, a crowd that is counted, a stop by SIGTERM, and the sum."""

import asyncio
import io
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from websockets.exceptions import WebSocketException

from example_app.demo import checks, collector, traces, traffic
from example_app.demo.server import DEBUG_TOKEN, DemoFailedError, ShopServer
from example_app.settings import error_file

CROWD_VISITS = 300
WHOLE_DEMO_SECONDS = 50.0
SHOWN_REQUEST = "order"
ACCOUNT = (
    "state",
    "queue",
    "submitted",
    "delivered",
    "filtered",
    "dropped",
    "failed",
    "in_flight",
    "sinks",
    "diagnostics",
)


def main() -> int:
    """Run the demo and return its exit status: 0 only if every event arrived."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a pipe too must show the log as it comes
    folder = Path(tempfile.mkdtemp(prefix="fapilog-demo-"))
    try:
        last_line = asyncio.run(asyncio.wait_for(run(folder), WHOLE_DEMO_SECONDS))
    except TimeoutError:
        say(f"demo: FAILED: not done after {WHOLE_DEMO_SECONDS} s; its files are in {folder}")
        return 1
    except (DemoFailedError, OSError, httpx.HTTPError, WebSocketException) as error:
        say(f"demo: FAILED: {error or repr(error)}; its files are in {folder}")
        return 1
    shutil.rmtree(folder)
    say(last_line)
    return 0


async def run(folder: Path) -> str:
    """Do all of it in ``folder`` and return the closing line."""
    missing = collector.why_not()
    if missing is not None:
        return await run_shop(folder, None, f"left out: {missing}")
    async with collector.Collector(folder) as rotel:
        return await run_shop(folder, rotel)


async def run_shop(folder: Path, rotel: collector.Collector | None, left_out: str = "") -> str:
    """Drive the shop, stop it, show and check what it left; with a collector that it exports to, or without."""
    heading("The shop under uvicorn: one request of each kind, and its log")
    async with ShopServer(folder, collector=rotel.endpoint if rotel else None) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=traffic.REQUEST_SECONDS, trust_env=False) as client:
            answers = await traffic.take_tour(client)
            await server.saw("websocket_closed")  # the last line of the tour
            server.showing = False
            heading(f"A crowd: {CROWD_VISITS} more requests, {traffic.CUSTOMERS_AT_ONCE} at a time (log not shown)")
            answers += await traffic.send_crowd(client, CROWD_VISITS)
            say(f"{CROWD_VISITS} answered; {server.lines_seen} lines of pretty log so far, JSON beside it")
            figures = await client.get("/debug/logging", headers=debug_headers())
            figures.raise_for_status()
        heading("SIGTERM")
        server.showing = True
        await server.stop()
        drain = json.loads(server.drain_report().read_text(encoding="utf-8"))
    if rotel is not None:
        await rotel.stop()
    events = checks.read_events(server.log_file)
    show_request(server.log_file)
    show_traces(events, rotel, left_out)
    show_figures(figures.json())
    heading("The drain result")
    show_mapping({key: value for key, value in drain.items() if key != "sinks"})
    checks.check_answers(answers, events)
    checks.check_drain(drain, events)
    show_stages(server.log_file, events)
    say("")
    lost = drain["submitted"] - drain["filtered"] - len(events)
    return (
        f"demo: {len(answers)} requests, {drain['submitted']} events submitted, {drain['delivered']} delivered, "
        f"{drain['filtered']} repetitions summed up, {lost} lost"
    )


def debug_headers() -> dict[str, str]:
    """Return what opens the debug route."""
    return {"Authorization": f"Bearer {DEBUG_TOKEN}", "Accept": "application/json"}


def show_request(log_file: Path) -> None:
    """Print the lines of one request, as they are in the file."""
    lines = log_file.read_text(encoding="utf-8").splitlines()
    found = [line for line in lines if json.loads(line).get("request_id") == SHOWN_REQUEST]
    heading(f"The {len(found)} JSON lines of request {SHOWN_REQUEST!r}")
    for line in found:
        say(line)


def show_traces(events: Sequence[checks.Event], rotel: collector.Collector | None, left_out: str) -> None:
    """Check and print what came out of the collector: everything is counted, one request is shown."""
    heading(f"Request {SHOWN_REQUEST!r} in the output of the collector")
    if rotel is None:
        say(f"  {left_out}")
        return
    records, spans = traces.check_collected(events, rotel.receiver)
    for line in traces.story(SHOWN_REQUEST, events, rotel.receiver):
        say(line)
    say("")
    say(f"  in all: {records} log records, the same as the log file's {len(events)}, and {spans} spans")


def show_stages(log_file: Path, events: Sequence[checks.Event]) -> None:
    """Check and print what was held back, hidden, and sent elsewhere."""
    text = log_file.read_text(encoding="utf-8")
    errors = checks.read_events(error_file(log_file))
    checks.check_errors(events, errors)
    checks.check_secrets(text)
    heading("Held back, hidden, sent elsewhere")
    say(f"  {checks.repetitions(events)} repeated warnings held back: one line and one summary tell of them")
    say(f"  {sum(checks.MASK in line for line in text.splitlines())} lines with something masked; no secret in any")
    say(f"  {len(errors)} errors are in a file of their own, too")


def show_figures(figures: dict[str, Any]) -> None:
    """Print what the debug route said just before the stop: the account, and the names of the rest."""
    heading("/debug/logging, before the stop")
    show_mapping({key: figures[key] for key in ACCOUNT})
    say(f"  and more: {', '.join(key for key in figures if key not in ACCOUNT)}")


def show_mapping(values: dict[str, Any], indent: int = 2) -> None:
    """Print one figure a line, nested ones indented; lists only by their length."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            say(f"{' ' * indent}{key}:")
            show_mapping(value, indent + 2)
        else:
            say(f"{' ' * indent}{key:<28} {len(value) if isinstance(value, list) else value}")


def heading(text: str) -> None:
    """Print a heading."""
    say(f"\n── {text} ──")


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
