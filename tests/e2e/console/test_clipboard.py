"""An event on its way out of the page, into a ticket or an editor."""

import json
from typing import Any

from playwright.sync_api import Locator, expect

from tests.e2e.console.places import Shop
from tests.e2e.console.watched import Watched

# As in a page that came over http from another machine: browsers keep the clipboard from it.
WITHHELD = 'Object.defineProperty(Navigator.prototype, "clipboard", { value: undefined });'
REFUSED = """Clipboard.prototype.writeText = async () => {
  throw new DOMException("not allowed", "NotAllowedError");
};
document.execCommand = () => false;"""
EDITOR = """() => {
  const editor = document.createElement("textarea");
  editor.dataset.testid = "editor";
  document.body.append(editor);
  editor.focus();
}"""


def opened_event(console: Watched, request_id: str, text: str) -> Locator:
    """Open an event of a request in the tail and return its button."""
    console.enter(f"tail?request_id={request_id}&text={text}")
    console.at("tail-row").filter(has_text=text, visible=True).click()
    return console.at("copy-json")


def said(shop: Shop, request_id: str, message: str) -> dict[str, Any]:
    """Return the event as the console's JSON has it."""
    [event] = [event for event in shop.ask(f"/requests/{request_id}")["events"] if event["message"] == message]
    return event


def pasted(console: Watched) -> str:
    """Paste as a reader does, into an editor of the test's own."""
    console.page.evaluate(EDITOR)
    console.page.keyboard.press("Control+V")
    return console.at("editor").input_value()


def test_an_event_is_copied_to_the_letter(console: Watched, traced: Shop) -> None:
    """From the tail the clipboard gets the line as it was written, exception and all; the button says so."""
    console.context.grant_permissions(["clipboard-read", "clipboard-write"])
    traced.fail("to-be-copied")
    button = opened_event(console, "to-be-copied", "request_failed")
    button.click()
    expect(button).to_have_text("Copied")
    copied = console.page.evaluate("navigator.clipboard.readText()")
    expected = said(traced, "to-be-copied", "request_failed")
    assert "\n" not in copied
    assert list(json.loads(copied).items()) == list(expected.items())
    assert "ZeroDivisionError" in copied
    expect(button).to_have_text("Copy as JSON")


def test_an_event_of_a_request_is_copied(console: Watched, traced: Shop) -> None:
    """From the view of a request the clipboard gets all that the event has, in lines for reading."""
    console.context.grant_permissions(["clipboard-read", "clipboard-write"])
    traced.order("copied-too")
    console.enter("requests/copied-too")
    console.at("event-line").filter(has_text="Receipt sent").click()
    console.at("copy-json").click()
    expect(console.at("copy-json")).to_have_text("Copied")
    copied = console.page.evaluate("navigator.clipboard.readText()")
    assert json.loads(copied) == said(traced, "copied-too", "Receipt sent")
    assert copied.startswith('{\n  "timestamp"')


def test_an_event_is_copied_without_a_clipboard(console: Watched, traced: Shop) -> None:
    """Where the browser has no clipboard for the page the old way serves, and leaves focus and page as they were."""
    console.context.add_init_script(WITHHELD)
    traced.order("copied-plainly")
    button = opened_event(console, "copied-plainly", "Receipt sent")
    button.focus()
    console.page.keyboard.press("Enter")
    expect(button).to_have_text("Copied")
    expect(button).to_be_focused()
    assert console.page.locator("textarea").count() == 0
    assert json.loads(pasted(console)) == said(traced, "copied-plainly", "Receipt sent")


def test_a_copy_that_failed_says_so(console: Watched, traced: Shop) -> None:
    """If neither way is allowed, the button does not claim that something was copied."""
    console.context.add_init_script(REFUSED)
    traced.order("not-copied")
    button = opened_event(console, "not-copied", "Receipt sent")
    button.click()
    expect(button).to_have_text("Could not be copied")
    expect(button).to_have_text("Copy as JSON")
