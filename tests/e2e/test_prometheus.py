"""Prometheus scrapes the example application and an ailing one, and answers every query of dashboards and rules."""

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from fapilog.metrics.catalogue import CATALOGUE, Metric
from fapilog.metrics.naming import series_names
from tests.dashboards.others import LogQuery, span_fields
from tests.dashboards.promql import filled_in
from tests.dashboards.reading import RULES, Query, name, queries, rules
from tests.e2e.server import PATIENCE_SECONDS, Server
from tests.services.otlp import OtlpServer
from tests.services.process import free_port
from tests.services.prometheus import Prometheus, Target

pytestmark = pytest.mark.requires_service("prometheus", command="prometheus")

ROOT = Path(__file__).parents[2]
TOKEN = "of-the-debug-route"
VARIABLES = {
    "$__rate_interval": "5m",
    "$__range": "5m",
    "{$__tags}": '{job="shop", http_request_method="GET", http_route="/api/products"}',
}
IN_LOKI = {"${__tags}": 'service="shop"', "${__trace.traceId}": "0af7651916cd43dd8448eb211c80319c"}
OF_EVERY_SPAN = {"kind", "status", "duration"}
EMPTY = {
    "prometheus-rules: FapilogQueueNearlyFull": "its queues are nearly empty",
    "prometheus-rules: FapilogWorkerLag": "its workers keep up",
    "prometheus-rules: RequestsSlow": "no request takes 2.5 s",
}
"""Queries that have no result here, and why that is right."""
VISITS = (
    ("GET", "/api/products", None),
    ("GET", "/api/products/1/stock", None),
    ("POST", "/api/orders", {"email": "ada@example.org", "items": [{"product_id": 3, "quantity": 1}]}),
    ("GET", "/api/products/99", None),
    ("GET", "/nowhere", None),
    ("GET", "/api/reports/average-order/1999-12-31", None),
)


class Observed(NamedTuple):
    """What runs: an application that is well, one that is not, and who watches both."""

    prometheus: Prometheus
    shop: Server
    ailing: Server
    collector: OtlpServer

    def traffic(self) -> None:
        """Ask for something of everything."""
        for method, path, body in VISITS:
            # The server closes the connection after an exception; no other request may be on its way.
            headers = {"Connection": "close"} if "average" in path else {}
            self.shop.client.request(method, path, json=body, headers=headers)
        self.ailing.client.get("/login/ada")

    def logged(self) -> list[dict[str, Any]]:
        """Return what the shop has logged so far, without a line that is not whole yet."""
        written = self.shop.printed()
        return [json.loads(line) for line in written[: written.rfind("\n") + 1].splitlines()]

    def completions(self) -> dict[tuple[str, str], str]:
        """Return the status of each request that the shop has logged, by its trace and its span."""
        return {
            (event["trace_id"], event["span_id"]): str(event["status_code"])
            for event in self.logged()
            if event["message"] in {"request_completed", "request_failed"}
        }


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """Start all, and make requests until every series that a query needs has been scraped more than once."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("shop", "ailing", "collector", "prometheus")}
    with OtlpServer(folders["collector"]) as collector:
        shop = {
            "SHOP_DEBUG_TOKEN": TOKEN,
            "SHOP_DATABASE": str(folders["shop"] / "shop.sqlite3"),
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.http_port}",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }
        ailing = {
            "AILING_TOKEN": TOKEN,
            "AILING_FOLDER": str(folders["ailing"] / "spool"),
            "AILING_URL": f"http://127.0.0.1:{free_port()}/",
        }
        with (
            Server(folders["shop"], "example_app.main:app", "--app-dir", str(ROOT), env=shop) as well,
            Server(folders["ailing"], "tests.e2e.ailing:app", "--app-dir", str(ROOT), env=ailing) as ill,
        ):
            targets = [Target("shop", well.port, TOKEN), Target("ailing", ill.port, TOKEN)]
            with Prometheus(folders["prometheus"], targets, RULES) as prometheus:
                found = Observed(prometheus, well, ill, collector)
                _wait_for_data(found)
                yield found


def _wait_for_data(observed: Observed) -> None:
    """Visit until both were scraped some times, rules have run, and requests have failed often enough for an alert."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    seen = "min(count_over_time(up[5m])) >= 5 and min(up) == 1"
    while True:
        observed.traffic()
        rules = _loaded(observed.prometheus)
        evaluated = all(not rule["lastEvaluation"].startswith("0001") for rule in rules)
        failing = any(rule["name"] == "RequestsFail" and rule["state"] != "inactive" for rule in rules)
        ready = observed.prometheus.ask(f"{seen} and count(job_method_route:http_server_duration:p99_5m) > 4")
        if ready and evaluated and failing:
            return
        assert time.monotonic() < deadline, observed.prometheus.api("targets")
        time.sleep(0.05)


def _loaded(prometheus: Prometheus) -> list[dict[str, Any]]:
    return [rule for group in prometheus.api("rules")["groups"] for rule in group["rules"]]


def test_both_are_scraped(observed: Observed) -> None:
    """With the token of the debug route, and without an error."""
    targets = observed.prometheus.api("targets")["activeTargets"]

    assert {row["metric"]["job"]: row["value"][1] for row in observed.prometheus.ask("up")} == {
        "shop": "1",
        "ailing": "1",
    }
    assert [target["lastError"] for target in targets] == ["", ""]


def test_without_the_token_there_are_no_figures(observed: Observed) -> None:
    """Who scrapes must be let in."""
    assert observed.shop.client.get("/debug/logging/metrics").status_code == 401


@pytest.mark.parametrize("query", [one for one in queries("prometheus") if not one.label], ids=name)
def test_a_query_is_answered(query: Query, observed: Observed) -> None:
    """Prometheus takes it, and gives a number for it wherever there is something to show by now."""
    text = filled_in(query.text, variables=VARIABLES)
    found = observed.prometheus.ask(text)

    if query.where in EMPTY:
        assert found == [], EMPTY[query.where]
    else:
        assert [row for row in found if math.isfinite(float(row["value"][1]))], f"nothing for {text}"


@pytest.mark.parametrize("query", [one for one in queries("prometheus") if one.label], ids=name)
def test_a_variable_has_values(query: Query, observed: Observed) -> None:
    """The list that a viewer chooses from is not empty."""
    series = filled_in(query.text, variables=VARIABLES)
    values = observed.prometheus.api(f"label/{query.label}/values", **{"match[]": series})

    assert [value for value in values if value]


def test_a_point_of_a_panel_leads_to_what_was_logged(observed: Observed) -> None:
    """An exemplar of a request has a trace id and a span id that the shop has logged, on the event of that request."""
    now = time.time()
    series = observed.prometheus.api(
        "query_exemplars",
        query='http_server_request_duration_seconds_bucket{job="shop"}',
        start=f"{now - 300}",
        end=f"{now + 5}",
    )
    found = {
        (exemplar["labels"]["trace_id"], exemplar["labels"]["span_id"]): one["seriesLabels"][
            "http_response_status_code"
        ]
        for one in series
        for exemplar in one["exemplars"]
    }

    assert {"200", "201", "404", "500"} <= set(found.values())
    observed.shop.wait_for(lambda: found.items() <= observed.completions().items(), f"it has not logged all of {found}")


@pytest.mark.parametrize("query", [one for one in queries("loki") if not one.label], ids=name)
def test_a_log_query_compares_what_the_shop_logs(query: Query, observed: Observed) -> None:
    """Each key that LogQL compares is in some event of the shop. There is no Loki here that could be asked."""
    keys = {key for key, _, _ in LogQuery(filled_in(query.text, variables=IN_LOKI)).keys}

    observed.shop.wait_for(
        lambda: keys <= {key for event in observed.logged() for key in event}, f"it logs no event with all of {keys}"
    )


@pytest.mark.parametrize("query", [one for one in queries("tempo") if one.text != "$trace_id"], ids=name)
def test_a_trace_query_compares_what_the_shops_spans_have(query: Query, observed: Observed) -> None:
    """Each attribute that TraceQL compares is on some span of the shop. There is no Tempo here that could be asked."""
    fields = {field for field, _, _ in span_fields(filled_in(query.text))}

    def there() -> set[str]:
        spans = observed.collector.spans()
        found = {f"span.{key}" for span in spans for key in span["attributes"]}
        found |= {f"resource.{key}" for span in spans for key in span["resource"]}
        return found | ({"link:traceID"} if any(span["links"] for span in spans) else set()) | OF_EVERY_SPAN

    observed.shop.wait_for(lambda: fields <= there(), f"it has no spans with all of {fields}")


def test_prometheus_counts_what_the_shop_has_logged(observed: Observed) -> None:
    """What it says to have delivered to standard output is what is there, or a little less: it was asked before."""
    [row] = observed.prometheus.ask('fapilog_sink_events_total{job="shop", sink="stdout", outcome="delivered"}')
    scraped = int(row["value"][1])

    assert scraped > 20
    observed.shop.wait_for(lambda: len(observed.logged()) >= scraped, f"it has not written {scraped} lines")


@pytest.mark.parametrize("metric", [one for one in CATALOGUE if one.kind != "gauge"], ids=lambda one: one.name)
def test_no_counter_ever_fell(metric: Metric, observed: Observed) -> None:
    """Prometheus takes a counter that becomes smaller for a new process, and counts all of it again."""
    for series in series_names(metric):
        falls = observed.prometheus.ask(f"resets({series}[5m])")

        assert falls
        assert {row["value"][1] for row in falls} == {"0"}


def test_every_rule_is_loaded_and_has_run(observed: Observed) -> None:
    """None is missing, none has an error."""
    loaded = _loaded(observed.prometheus)

    assert {rule["name"] for rule in loaded} == {rule.get("alert", rule.get("record")) for rule in rules()}
    assert len(loaded) == len(rules())
    assert [(rule["name"], rule.get("lastError")) for rule in loaded if rule["health"] != "ok"] == []


def test_the_ailing_one_raises_the_alarm(observed: Observed) -> None:
    """Its losses are an alert at once, its open circuit becomes one; the shop, which is well, raises none of these."""
    alerts = {
        (one["labels"]["alertname"], one["labels"]["job"]): one for one in observed.prometheus.api("alerts")["alerts"]
    }

    assert alerts["FapilogEventsLost", "ailing"]["state"] == "firing"
    assert "has lost log events" in alerts["FapilogEventsLost", "ailing"]["annotations"]["summary"]
    assert ("FapilogCircuitOpen", "ailing") in alerts
    # Of what the shop is visited for here, too much fails: that is its requests' fault, and true.
    assert {alert for alert, job in alerts if job == "shop"} <= {"FapilogManyErrors", "RequestsFail"}


def test_no_figure_is_a_secret(observed: Observed) -> None:
    """Neither the token nor what was logged is in any label."""
    authorization = {"Authorization": f"Bearer {TOKEN}"}
    text = httpx.get(
        f"http://127.0.0.1:{observed.ailing.port}/debug/logging/metrics", headers=authorization, trust_env=False
    ).text

    assert "fapilog_events_total" in text
    for secret in (TOKEN, "correct horse", "ada"):
        assert secret not in text
