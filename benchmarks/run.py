"""Run the scenarios, print the tables, write ``docs/benchmarks.md``.

``python -m benchmarks.run``            all of it, about ten minutes
``python -m benchmarks.run --quick``    fewer and shorter rounds, a minute or two; the page is not written
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

from benchmarks.budgets import Figures
from benchmarks.machine import facts
from benchmarks.progress import say
from benchmarks.report import budget_table, page, scenario_table
from benchmarks.scenarios import APPLICATIONS, CONTENDERS, SCENARIOS, Scenario
from benchmarks.venvs import ROOT, Pythons, prepare

PAGE = ROOT / "docs" / "benchmarks.md"
_TIMEOUT_SECONDS = 180
_MODULES = tuple(scenario.module for scenario in SCENARIOS)


def main() -> None:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of each")
    parser.add_argument("--only", action="append", choices=_MODULES, metavar="NAME", help=", ".join(_MODULES))
    parser.add_argument("--contender", action="append", metavar="NAME", help="only these contenders")
    options = parser.parse_args()
    began = time.monotonic()
    pythons = prepare()
    chosen = [scenario for scenario in SCENARIOS if not options.only or scenario.module in options.only]
    figures = {}
    failures: list[str] = []
    for scenario in chosen:
        names = [name for name in scenario.contenders if not options.contender or name in options.contender]
        figures[scenario.module] = _rounds(scenario, names, pythons, options.quick, failures)
        sys.stdout.write(f"\n{scenario.title}\n{scenario_table(scenario, figures)}\n")
        sys.stdout.flush()
    about = facts(pythons, ROOT)
    sys.stdout.write(f"\n{about.python} on {about.processor}, {about.cores} cores\n{budget_table(figures)}\n")
    say(f"{time.monotonic() - began:.0f} s")
    if not (options.quick or options.only or options.contender or failures):
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(figures, about, _setups()), encoding="utf-8")
        say(f"wrote {PAGE.relative_to(ROOT)}")
    if failures:
        raise SystemExit("failed: " + ", ".join(failures))


def _rounds(
    scenario: Scenario, names: list[str], pythons: Pythons, quick: bool, failures: list[str]
) -> dict[str, dict[str, float]]:
    """Let the contenders take turns, and return each one's medians."""
    results: dict[str, list[dict[str, float]]] = defaultdict(list)
    rounds = 1 if quick else scenario.rounds
    for turn in range(rounds):
        for name in names:
            say(f"{scenario.module} {turn + 1}/{rounds} {name}")
            result = _run(scenario.module, name, pythons, quick)
            if result is None:
                failures.append(f"{scenario.module} {name}")
            else:
                results[name].append(result)
    return {name: _medians(runs) for name, runs in results.items()}


def _run(module: str, name: str, pythons: Pythons, quick: bool) -> dict[str, float] | None:
    command = [str(pythons.of(name)), "-m", f"benchmarks.{module}", name, *(["quick"] if quick else [])]
    done = subprocess.run(  # noqa: S603 - our own modules
        command,
        cwd=ROOT,
        env=_environment(name),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode != 0 or not done.stdout.strip():
        say(done.stderr[-2_000:])
        return None
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _environment(name: str) -> dict[str, str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("FAPILOG_", "OTEL_", "PYTHON"))}
    if name.startswith("ours"):
        environment["PYTHONPATH"] = str(ROOT / "src")
    return environment


def _medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def _setups() -> list[tuple[str, str]]:
    """Read the ``SETUP`` of each contender without importing it: not all live in one environment."""
    rows = []
    for folder, names in (("contenders", (*CONTENDERS, "floor")), ("asgi_apps", ("bare", *APPLICATIONS))):
        for name in names:
            tree = ast.parse((ROOT / "benchmarks" / folder / f"{name}.py").read_text(encoding="utf-8"))
            for node in tree.body:
                if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "SETUP":
                    rows.append((name, str(ast.literal_eval(node.value))))
    return rows


if __name__ == "__main__":
    main()
