"""Run the scenarios, print the tables, write ``docs/benchmarks.md``.

``python -m benchmarks.run``            all of it, about a quarter of an hour
``python -m benchmarks.run --quick``    one short round, three or four minutes; writes the page only with ``--write``
``python -m benchmarks.run --only asgi --only memory``   some scenarios; the page is not written
"""

import argparse
import ast
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from typing import Any, NamedTuple

from benchmarks.machine import facts
from benchmarks.progress import say
from benchmarks.remote import KINDS
from benchmarks.report import budget_table, page, scenario_table
from benchmarks.scenarios import APPLICATIONS, CONTENDERS, SCENARIOS, Scenario
from benchmarks.venvs import ROOT, Pythons, prepare

PAGE = ROOT / "docs" / "benchmarks.md"
_TIMEOUT_SECONDS = 180
_MODULES = tuple(scenario.module for scenario in SCENARIOS)


class Session(NamedTuple):
    """How this run is done, and what went wrong in it."""

    pythons: Pythons
    mode: list[str]
    contenders: list[str]
    failures: list[str]


def main() -> None:
    """Read the command line and do it."""
    options = _options()
    began = time.monotonic()
    session = Session(prepare(), ["quick"] if options.quick else [], options.contender, [])
    figures = {}
    for scenario in SCENARIOS:
        if not options.only or scenario.module in options.only:
            figures[scenario.module] = _take_turns(scenario, session)
            sys.stdout.write(f"\n{scenario.title}\n{scenario_table(scenario, figures)}\n")
            sys.stdout.flush()
        if session.failures:
            # At once: the page needs all of them, and the rest takes a quarter of an hour.
            raise SystemExit("failed: " + ", ".join(session.failures))
    about = facts(session.pythons, ROOT, "quick: one short round" if options.quick else "full: medians of some rounds")
    sys.stdout.write(f"\n{about.python} on {about.processor}, {about.cores} cores\n{budget_table(figures)}\n")
    say(f"{time.monotonic() - began:.0f} s")
    whole = not (options.only or options.contender)
    if whole and (options.write or not options.quick):
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(figures, about, _setups()), encoding="utf-8")
        say(f"wrote {PAGE.relative_to(ROOT)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of each")
    parser.add_argument("--write", action="store_true", help="write the page although the run is quick")
    parser.add_argument("--only", action="append", choices=_MODULES, metavar="NAME", help=", ".join(_MODULES))
    parser.add_argument("--contender", action="append", default=[], metavar="NAME", help="only these contenders")
    return parser.parse_args()


def _take_turns(scenario: Scenario, session: Session) -> dict[str, dict[str, float]]:
    """Run the contenders by turns, and return each one's medians."""
    names = [name for name in scenario.contenders if not session.contenders or name in session.contenders]
    results: dict[str, list[dict[str, float]]] = defaultdict(list)
    rounds = 1 if session.mode else scenario.rounds
    for turn in range(rounds):
        for name in names:
            say(f"{scenario.module} {turn + 1}/{rounds} {name}")
            result = _run(scenario, name, session)
            if "skipped" in result:
                say(f"skipped: {result['skipped']}")
            elif result:
                results[name].append(result)
            else:
                session.failures.append(f"{scenario.module} {name}")
    if scenario.picture[0] and results:
        _draw(scenario, session)
    return {name: _medians(runs) for name, runs in results.items()}


def _draw(scenario: Scenario, session: Session) -> None:
    """Let the scenario's picture be drawn, where the page shows it."""
    module, place = scenario.picture
    command = [str(session.pythons.sinks), "-m", f"benchmarks.{module}", str(PAGE.parent / place)]
    environment = _environment(ours=True)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode != 0:
        say(done.stderr[-2_000:])
        session.failures.append(module)


def _run(scenario: Scenario, name: str, session: Session) -> dict[str, float]:
    """Run one contender once; what it reported, or nothing if it failed; ``skipped`` if it cannot run here."""
    python = session.pythons.of(name, sinks=scenario.sinks)
    command = [str(python), "-m", f"benchmarks.{scenario.module}", name, *session.mode]
    done = subprocess.run(  # noqa: S603 - our own modules
        command,
        cwd=ROOT,
        env=_environment(ours=scenario.sinks or name.startswith("ours")),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode != 0 or not done.stdout.strip():
        say(done.stderr[-2_000:])
        return {}
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _environment(*, ours: bool) -> dict[str, str]:
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("FAPILOG_", "OTEL_", "PYTHON"))
    }
    if ours:
        environment["PYTHONPATH"] = str(ROOT / "src")
    return environment


def _medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def _setups() -> list[tuple[str, str]]:
    """Read what each contender says of its set-up."""
    rows = [
        (name, _setup("contenders", name)) for name in (*CONTENDERS, "floor", "ours_production", "structlog_redacting")
    ]
    rows += [(f"asgi: {name}", _setup("asgi_apps", name)) for name in ("bare", *APPLICATIONS)]
    rows += [(f"tracing: {name}", text) for name, text in _setup("asgi_apps", "traced").items()]
    return rows + [(f"sinks: {name}", text) for kind in KINDS for name, text in _setup("remote", kind).items()]


def _setup(folder: str, name: str) -> Any:
    # Read, not imported: the contenders do not all live in one environment.
    tree = ast.parse((ROOT / "benchmarks" / folder / f"{name}.py").read_text(encoding="utf-8"))
    assigned = (node for node in tree.body if isinstance(node, ast.Assign))
    return next(ast.literal_eval(node.value) for node in assigned if getattr(node.targets[0], "id", "") == "SETUP")


if __name__ == "__main__":
    main()
