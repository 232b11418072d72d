"""The alerts: promtool accepts them, they fire when they should and only then, and say what to do."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.dashboards.alerts import CASES, Case
from tests.dashboards.reading import FOLDER, RULES, rules

ROOT = FOLDER.parents[1]
ALERTS = [rule for rule in rules() if "alert" in rule]
PROMTOOL = pytest.mark.requires_service("prometheus", command="promtool")


def promtool(*arguments: str) -> None:
    run = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def firing(case: Case, folder: Path) -> list[str]:
    """Return what promtool says against "nothing fires": the alerts that do, as it prints them."""
    test = {**case.as_test(), "alert_rule_test": [{"eval_time": f"{case.at}m", "alertname": case.alert}]}
    file = folder / "test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}))
    run = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    said = run.stdout + run.stderr
    assert (run.returncode == 0) == ("SUCCESS" in said)
    return [] if run.returncode == 0 else re.findall(r"Annotations:(\{.*\})", said) or pytest.fail(said)


@PROMTOOL
def test_promtool_accepts_the_rules() -> None:
    """Also what it only warns of, such as a rule that is there twice."""
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))


@PROMTOOL
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}: {case.title}")
def test_an_alert_fires_when_it_should(case: Case, tmp_path: Path) -> None:
    """After these minutes of these series it is up, with every gap of its summary filled in, or it is not."""
    found = firing(case, tmp_path)

    assert bool(found) is case.fires
    for annotations in found:
        assert "shop" in annotations
        assert "no value" not in annotations
        assert "error expanding" not in annotations


def test_every_alert_has_both_cases() -> None:
    """One in which it fires, and one in which it does not."""
    assert {(case.alert, case.fires) for case in CASES} == {(a["alert"], fires) for a in ALERTS for fires in (0, 1)}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_tells_the_one_on_call_what_is_wrong(alert: dict[str, dict[str, str]]) -> None:
    """A sentence without a metric's name, how urgent it is, and a place in the docs that exists."""
    notes = alert["annotations"]
    page, _, anchor = notes["runbook"].partition("#")
    titles = re.findall(r"^#+ (.+)$", (ROOT / page).read_text("utf-8"), re.MULTILINE)

    assert notes["summary"].endswith(".")
    assert "_total" not in notes["summary"]
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert anchor in {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_every_alert_is_in_the_page() -> None:
    """docs/dashboards.md names each with its limit, and none that is gone."""
    page = (ROOT / "docs" / "dashboards.md").read_text("utf-8")

    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == {alert["alert"] for alert in ALERTS}
