"""What a browser is shown that may not read the console."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fapilog.asgi.debug.login import page, prefers_html


class Elements(HTMLParser):
    """The elements of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_the_form_can_be_used_without_a_mouse_and_by_a_screen_reader() -> None:
    """A label, the focus where one types, and the token not on the screen nor in the browser's memory."""
    elements = Elements(page(401, "/debug/logging/session").body.decode())

    [form], [field], [label], [document] = (elements.of(tag) for tag in ("form", "input", "label", "html"))
    assert (form["method"], form["action"]) == ("post", "/debug/logging/session")
    assert (field["type"], field["name"], field["autocomplete"], field["id"]) == (
        "password",
        "token",
        "off",
        label["for"],
    )
    assert "autofocus" in field
    assert document["lang"] == "en"
    assert len(elements.of("button")) == len(elements.of("h1")) == len(elements.of("title")) == 1


def test_nothing_can_run_on_it() -> None:
    """No script, and a policy that allows its own style by hash, its own form, and nothing else."""
    answer = page(401, "/debug/logging/session", "no")
    html = answer.body.decode()
    policy = dict(answer.headers)[b"content-security-policy"].decode()

    [style] = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert "script" not in html
    assert not re.search(r"\bon\w+=|style=|https?:|src=|href=", html)
    assert answer.content_type == b"text/html; charset=utf-8"


@example('"><script>alert(1)</script>', "</p><script>alert(1)</script><input>")
@given(st.text(), st.text())
def test_what_is_put_in_stays_text(action: str, said: str) -> None:
    """Whatever the root path of an application is."""
    action, said = (re.sub("[\ud800-\udfff\r\x00]", "", text) for text in (action, said))
    elements = Elements(page(401, action, said).body.decode())

    assert [tag for tag, _ in elements.found if tag not in ("p", "code")].count("script") == 0
    assert elements.of("form")[0]["action"] == action
    assert len(elements.of("input")) == 1


def test_without_a_token_there_is_no_form() -> None:
    """The application's own authentication decides."""
    assert Elements(page(401, None).body.decode()).of("form") == []


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ([b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], True), ([b"text/html"], True),
        ([b"TEXT/HTML;q=0.1"], True), ([b"application/json", b"text/html"], True),
        ([b"application/json, text/html;q=0.9"], False), ([b"text/html;q=0.8, application/json;q=0.7"], True),
        ([b"text/html;q=0"], False), ([b"text/html;q=x"], False), ([b"text/html; q=1."], True), ([b"*/*"], False),
        ([b"text/*"], False), ([], False), ([b""], False), ([b"text/html;level=1;q=0.5"], True),
        ([b"text/htmlx"], False), ([b"text/html;q=\xb2"], False),
    ],
)  # fmt: skip
def test_a_page_for_browsers_and_json_for_everything_else(accept: list[bytes], html: bool) -> None:
    """Whoever names neither gets JSON."""
    assert prefers_html([(b"Accept", value) for value in accept]) == html


@given(st.binary(max_size=200))
def test_no_accept_raises(accept: bytes) -> None:
    """Whatever a client sends."""
    assert prefers_html([(b"accept", accept)]) in (True, False)
