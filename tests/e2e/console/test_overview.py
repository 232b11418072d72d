"""The overview with the shop's real traffic."""

import re
from pathlib import Path

from playwright.sync_api import expect

from example_app.supplier import PASSWORD
from tests.e2e.console.conftest import Opened
from tests.e2e.console.places import TOKEN, Shop, shop
from tests.e2e.console.watched import PATH, Watched
from tests.services.otlp import OtlpServer

SINKS = ("stdout", "otlp", "file", "errors")
# How many of a chart's points have been given a colour.
PAINTED = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let painted = 0;
  for (let index = 3; index < data.length; index += 4) painted += data[index] > 0;
  return painted;
}"""

# An uneven but steady minute with half a minute of silence in it, as the server's history has it: seconds and rates.
REMEMBERED = """async (base) => {
  const { Series } = await import(`${base}/static/series.js`);
  const series = new Series();
  const samples = [];
  let count = 0;
  for (const second of [...Array(31).keys(), ...Array.from({ length: 31 }, (_, index) => 60 + index)]) {
    const time = new Date(second * 1000 + 1e12).toISOString();
    samples.push({ time, levels: { INFO: count }, depth: 0, dropped: 0, failed: 0 });
    count += second % 2 ? 30 : 10;
  }
  series.start(samples);
  return series.points.map((point) => [point.time - 1e9, point.rates.INFO]);
}"""


def figure(console: Watched, name: str) -> int:
    """Return a figure as the page has it."""
    text = console.at(f"figure-{name}").locator("dd").first.inner_text()
    return int(re.sub(r"\D", "", text))


def test_the_figures_follow_the_traffic(console: Watched, traced: Shop) -> None:
    """What customers do is seen in the figures, without a reload, and the figures are those of the JSON."""
    console.enter()
    expect(console.at("figure-submitted").locator("dd").first).to_have_text(re.compile(r"\d"))
    before = figure(console, "submitted"), figure(console, "delivered")
    traced.crowd(40)
    console.wait_for(lambda: figure(console, "submitted") > before[0] + 100, "the page did not follow")
    console.wait_for(lambda: figure(console, "delivered") > before[1] + 80, "the page did not follow")
    console.wait_for(lambda: figure(console, "delivered") == traced.ask()["delivered"], "the page has other figures")
    console.see("figure-dropped", "none failed")
    assert figure(console, "dropped") == 0
    expect(console.at("health")).to_have_attribute("data-status", "ok")


def test_the_picture_names_the_sinks(console: Watched, traced: Shop) -> None:
    """The picture of the pipeline and the table below it name every sink, with what each has delivered."""
    traced.order("pictured")
    console.enter()
    picture = console.at("pipeline").locator("svg")
    for sink in SINKS:
        expect(picture.get_by_text(sink, exact=True)).to_be_visible()
        expect(console.at(f"sink-{sink}")).to_contain_text("ok")
    delivered = traced.ask()["sinks"]["otlp"]["delivered"]
    assert delivered > 0
    expect(console.at("sink-otlp")).to_contain_text(re.compile(r"\d"))
    console.see("process", "this process only")
    console.see("process", str(traced.ask()["pid"]))


def test_the_charts_are_drawn(console: Watched, traced: Shop) -> None:
    """All four charts have lines with a legend, of the time before the page was opened, too."""
    traced.crowd(20)
    console.enter()
    charts = console.page.locator("canvas")
    expect(charts).to_have_count(4)
    for index in range(4):
        console.wait_for(lambda index=index: charts.nth(index).evaluate(PAINTED) > 500, f"chart {index} is blank")
    for words in ("ERROR", "WARNING", "INFO", "events waiting", "dropped", *SINKS):
        expect(console.page.locator(".charts")).to_contain_text(words)


def test_the_past_is_drawn_as_the_present(console: Watched, traced: Shop) -> None:
    """Rates from the server's history are over ten seconds, as those of the polls that follow: the line has no step."""
    console.enter()
    rates = dict(console.page.evaluate(REMEMBERED, traced.base + PATH))
    assert [rates[second] for second in (*range(10, 32), *range(70, 91))] == [20.0] * 43
    assert (rates[41], rates[59], rates[60], rates[61]) == (0.0, 0.0, 0.0, 1.0)


def test_what_filters_hold_back_is_of_no_level(opened: Opened, tmp_path: Path) -> None:
    """The chart of levels has the events that went on, and nothing in place of the nine of ten that did not."""
    env = {"FAPILOG_DEBUG_ROUTE__TOKEN": TOKEN, "FAPILOG_SAMPLING__RATE": "0.1"}
    with Shop(tmp_path, "hostile_app:app", "--app-dir", str(Path(__file__).parent), env=env) as sampled:
        sampled.client.get("/flood", params={"rate": 500, "seconds": 2})
        console = opened(sampled.base)
        console.enter()
        console.see("figure-submitted", "held back by filters")
        legend = console.at("chart-rates").locator(".legend li")
        expect(legend.filter(has_text="INFO")).to_be_visible()
        console.wait_for(lambda: sampled.ask()["rates"]["10s"]["filtered"] > 50, "nothing was held back")
        expect(legend).to_have_count(1)


def test_a_sick_sink_is_seen(opened: Opened, tmp_path: Path) -> None:
    """A collector that is gone makes the page say that logging fails, and where; when it is back all is well again."""
    with OtlpServer(tmp_path / "collector") as collector:
        endpoint = f"http://127.0.0.1:{collector.http_port}"
        with shop(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as ailing:
            console = opened(ailing.base)
            console.allowed.append("status of 503")
            console.enter()
            expect(console.at("health")).to_have_attribute("data-status", "ok")
            collector.kill()
            ailing.order("undelivered")
            expect(console.at("health")).to_have_attribute("data-status", "failing")
            console.see("health", "sink otlp")
            expect(console.at("sink-otlp")).to_contain_text("ConnectionRefusedError")
            expect(console.at("sink-stdout")).to_contain_text("ok")
            collector.start()
            expect(console.at("health")).to_have_attribute("data-status", "ok")
            expect(console.at("sink-otlp")).not_to_contain_text("failing")


def test_no_secret_is_shown(console: Watched, traced: Shop) -> None:
    """The configuration is there, its secrets are not; nor is what redaction hides in events."""
    console.enter()
    console.page.get_by_text("Configuration", exact=True).click()
    console.see("configuration", "***")
    assert TOKEN not in console.page.content()
    console.go("tail?logger=example_app.supplier")
    expect(console.at("tail-row").filter(has_text="Supplier does not answer").first).to_be_visible()
    assert PASSWORD not in console.page.content()
