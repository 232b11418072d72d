"""A level raised from the page: seen to take effect, and to fall back."""

import re

from playwright.sync_api import Locator, expect

from tests.e2e.console.places import TOKEN, Shop
from tests.e2e.console.watched import Watched

# The page offers half a minute and more. A choice of the test's own, so that nobody has to wait for it: 3 seconds.
SHORT = """select => {
  const option = new Option("a moment", "3");
  select.append(option);
  select.value = option.value;
}"""
RESERVED = re.compile("DEBUG.*Reserved 1 of Cup")
RECEIVED = re.compile("DEBUG.*Order received")


def rows(console: Watched, text: str | re.Pattern[str]) -> Locator:
    return console.at("tail-row").filter(has_text=text, visible=True)


def give_token(console: Watched, token: str = TOKEN) -> None:
    console.at("token-input").fill(token)
    console.at("token-submit").click()


def test_a_level_is_raised_for_a_while(console: Watched, traced: Shop) -> None:
    """Set to DEBUG from the page, a logger and those of `logging` below say more; when the time is over, no more."""
    tail = console.context.new_page()
    console.enter("levels")
    tail.goto(console.page.url.replace("levels", "tail?logger=example_app"))
    seen = tail.get_by_test_id("tail-row")
    expect(tail.get_by_test_id("tail-state")).to_contain_text("live")
    traced.order("quiet")
    expect(seen.filter(has_text="Receipt sent").first).to_be_visible()
    expect(seen.filter(has_text="DEBUG")).to_have_count(0)

    console.at("new-logger").fill("example_app")
    console.at("level-of-logger").select_option("DEBUG")
    console.at("new-ttl").evaluate(SHORT)
    console.at("level-submit").click()
    give_token(console)
    changed = (
        console.at("levels").get_by_role("row").filter(has=console.at("change-example_app")).filter(has_text="DEBUG")
    )
    expect(changed).to_contain_text(re.compile(r"0:0[0-3]"))
    traced.order("loud")
    expect(seen.filter(has_text=RECEIVED).first).to_be_visible()
    expect(seen.filter(has_text=RESERVED).first).to_be_visible()

    expect(changed).to_have_count(0)
    assert traced.ask("/levels")["default"]["effective"] == "INFO"
    loud = seen.filter(has_text="DEBUG").count()
    traced.order("quiet-again", customer="after-it")
    expect(seen.filter(has_text="Receipt sent").filter(has_text="customer=after-it")).to_be_visible()
    expect(seen.filter(has_text="DEBUG")).to_have_count(loud)

    console.go("tail?logger=fapilog.console")
    expect(rows(console, "log_level_changed").last).to_contain_text("target_logger=example_app")
    expect(rows(console, "log_level_restored").last).to_contain_text("reason=expired")


def test_a_change_needs_the_token(console: Watched, traced: Shop) -> None:
    """The cookie alone changes nothing: a wrong token is asked for again, and who would rather not changes nothing."""
    console.allowed.append("status of 40[13]")
    console.enter("levels")
    console.at("new-logger").fill("example_app.store")
    console.at("level-submit").click()
    give_token(console, "wrong")
    expect(console.at("token-dialog")).to_contain_text("not accepted")
    console.at("token-cancel").click()
    console.see("levels-error", "Nothing was changed")
    assert "DEBUG" not in {entry["effective"] for entry in traced.ask("/levels")["loggers"]}

    console.at("level-submit").click()
    give_token(console)
    changed = (
        console.at("levels")
        .get_by_role("row")
        .filter(has=console.at("change-example_app.store"))
        .filter(has_text="DEBUG")
    )
    expect(changed).to_contain_text(re.compile("10:00|9:5"))
    assert TOKEN not in console.page.content()
    console.at("reset-example_app.store").click()
    expect(changed).to_have_count(0)


def test_louder_requests(console: Watched, traced: Shop) -> None:
    """A rule for a path takes the DEBUG events of the requests that match it, counts them, and can be taken back."""
    console.enter("levels")
    console.at("rule-path").fill("/api/orders")
    console.at("level-of-rule").select_option("DEBUG")
    console.at("rule-submit").click()
    give_token(console)
    louder = console.at("louder")
    expect(louder).to_contain_text("/api/orders")
    traced.order("matched")
    traced.get("/api/products/1", "not-matched")
    expect(louder.get_by_role("row").filter(has_text="/api/orders").locator("td.num")).to_have_text("1")

    louder.get_by_role("button", name="Take back").click()
    expect(louder).to_contain_text("No rule")
    traced.order("as-before")
    console.go("tail?request_id=matched")
    expect(rows(console, RECEIVED)).to_have_count(1)
    console.go("tail?request_id=as-before")
    expect(rows(console, "request_completed")).to_have_count(1)
    expect(rows(console, "DEBUG")).to_have_count(0)


def test_every_time_that_is_offered_is_taken(console: Watched, traced: Shop) -> None:
    """The shortest and the longest choice of the form of levels, and of that of rules, which may not run as long."""
    console.enter("levels")
    console.see("level-form", "Set level")
    needs_token = True
    forms = ("new", "new-logger", "level-submit", "levels"), ("rule", "rule-user", "rule-submit", "louder")
    for form, fill, submit, table in forms:
        choices = console.at(f"{form}-ttl").locator("option:not([value=''])")
        for choice, left in ((choices.first, r"0:(30|[12]\d)"), (choices.last, r"(4:00|3:59|1:00|59):")):
            console.at(f"{form}-ttl").select_option(choice.get_attribute("value"))
            console.at(fill).fill("offered")
            console.at(submit).click()
            if needs_token:
                give_token(console)
                needs_token = False
            expect(console.at(fill)).to_have_value("")
            changed = console.at(table).get_by_role("row").filter(has_text="offered")
            expect(changed).to_contain_text(re.compile(left))
            changed.get_by_role("button", name=re.compile("Reset|Take back")).click()
            expect(changed.get_by_role("button", name=re.compile("Reset|Take back"))).to_have_count(0)
    console.see("louder", "No rule")
