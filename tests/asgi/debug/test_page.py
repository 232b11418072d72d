"""The console's page and its files."""

import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.asgi.debug import page
from fapilog.asgi.debug.answers import Answer
from fapilog.asgi.debug.turns import Turns

STATIC = Path(page.__file__).with_name("static")
NEVER_SERVED = {"index.html", "vendor/README.md"}
OWN = sorted(path for path in STATIC.iterdir() if path.is_file())
SCRIPTS = [path for path in OWN if path.suffix == ".js"]
SVG_NAMESPACE = "http://www.w3.org/2000/svg"  # a name, which nobody loads


def request_for(rest: str, root_path: str = "", path: str = "/debug/logging") -> Any:
    options = SimpleNamespace(path=path, allow=None, takes_token=True)
    console = SimpleNamespace(options=options, turns=Turns())
    return SimpleNamespace(rest=rest, scope={"root_path": root_path}, console=console)


async def file(name: str) -> Answer:
    return await page.static(request_for(f"static/{name}"))


class Tags(HTMLParser):
    """Collects the elements, and the text inside scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inline: list[str] = []
        self._inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag in {"script", "style"}

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.inline.append(data)


async def html(root_path: str = "", path: str = "/debug/logging") -> str:
    answer = await page.page(request_for("", root_path, path))
    assert answer.status == 200
    assert answer.content_type == b"text/html; charset=utf-8"
    return answer.body.decode("utf-8")


# ---- what is served ------------------------------------------------------------------------------------------------


def test_the_table_and_the_folder_have_the_same_files() -> None:
    """A file that is not in the table is not served, and one that is not there cannot be."""
    there = {path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file()}

    assert set(page.FILES) == there - NEVER_SERVED


@pytest.mark.asyncio
@pytest.mark.parametrize("name", sorted(page.FILES))
async def test_a_file_is_answered_as_it_lies_there(name: str) -> None:
    """Its bytes, and the type that a browser told not to guess will take."""
    answer = await file(name)

    assert answer.status == 200
    assert answer.body == (STATIC / name).read_bytes()
    kinds = {".js": b"text/javascript; charset=utf-8", ".css": b"text/css; charset=utf-8"}
    assert answer.content_type == kinds.get(Path(name).suffix, b"text/plain; charset=utf-8")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "name",
    [
        *NEVER_SERVED,
        "",
        "/etc/passwd",
        "../page.py",
        "vendor/../app.js",
        "./app.js",
        "app.js/",
        "APP.JS",
        "app.js\0",
        "vendor",
        "..%2fpage.py",
        "vendor\\LICENSE",
    ],
)
async def test_no_other_name_reaches_the_file_system(name: str) -> None:
    """A name is looked up in a table, not in a folder."""
    answer = await file(name)

    assert answer.status == 404


@pytest.mark.asyncio
@given(name=st.text(max_size=40))
async def test_no_name_at_all_breaks_it(name: str) -> None:
    """Whatever is asked for is a file of the page or a 404."""
    answer = await file(name)

    assert answer.status == (200 if name in page.FILES else 404)


# ---- where it stands -----------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("root_path", "path", "base"),
    [
        ("", "/debug/logging", "/debug/logging"),
        ("/shop", "/debug/logging", "/shop/debug/logging"),
        ("/shop/", "/console", "/shop/console"),
        ("//evil.example", "/console", "/evil.example/console"),
        ('/a"b<c>&d', "/x", "/a%22b%3Cc%3E%26d/x"),
        ("/t@x:1/(a)!$*+=", "/x", "/t@x:1/(a)!$*+=/x"),
        ("/a;b,c'd", "/x", "/a%3Bb%2Cc%27d/x"),
        ("/grüße", "/x", "/gr%C3%BC%C3%9Fe/x"),
    ],
)
async def test_the_files_are_looked_for_below_the_path_of_the_console(root_path: str, path: str, base: str) -> None:
    """Below the root path, encoded; a root path cannot become another host or markup."""
    tags = Tags(await html(root_path, path)).tags

    assert next(attributes for tag, attributes in tags if tag == "html")["data-base"] == base
    sources = [attributes["src"] for tag, attributes in tags if tag == "script"]
    assert sources == [f"{base}/static/app.js"]


@pytest.mark.asyncio
@given(root_path=st.text(max_size=30))
async def test_no_root_path_breaks_the_page(root_path: str) -> None:
    """Property: the same elements whatever it is, and addresses that stay on this host."""
    tags = Tags(await html(root_path)).tags
    plain = Tags(await html()).tags

    assert [tag for tag, _ in tags] == [tag for tag, _ in plain]
    base = tags[0][1]["data-base"]
    assert base is not None
    assert re.fullmatch(r"(/[^/]|/$)[!-~]*", base)
    assert unquote(base, errors="replace").endswith("/debug/logging")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("allow", "takes_token", "asks"),
    [(None, True, "first"), (bool, True, "later"), (bool, False, "never")],
)
async def test_the_page_knows_whether_a_change_needs_the_token(allow: Any, takes_token: bool, asks: str) -> None:
    """With an authentication of the application's nobody is asked for a token that is not needed or does not exist."""
    request = request_for("")
    request.console.options.allow, request.console.options.takes_token = allow, takes_token

    answer = await page.page(request)

    assert Tags(answer.body.decode()).tags[0] == (
        "html",
        {"lang": "en", "data-base": "/debug/logging", "data-asks": asks},
    )


# ---- what it may do ------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_the_policy_lets_the_page_load_and_ask_only_its_own_server() -> None:
    """No inline script or style, no other host, no frame around it."""
    answer = await page.page(request_for(""))
    policy = dict(answer.headers)[b"content-security-policy"].decode()
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))

    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == rules["form-action"] == "'self'"
    assert rules["base-uri"] == rules["frame-ancestors"] == "'none'"
    assert not re.search(r"unsafe|https?:|\*", policy)


@pytest.mark.asyncio
async def test_the_page_has_no_script_and_no_style_of_its_own() -> None:
    """Everything that runs or paints is a file, so that the policy need allow nothing else."""
    parsed = Tags(await html())

    assert "".join(parsed.inline).strip() == ""
    for tag, attributes in parsed.tags:
        assert tag != "style"
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


@pytest.mark.asyncio
async def test_what_the_page_names_is_served() -> None:
    """No link of the page leads nowhere or away."""
    for tag, attributes in Tags(await html()).tags:
        address = attributes.get("href") or attributes.get("src")
        if tag in {"link", "script"} and address != "data:,":
            assert address is not None
            assert address.removeprefix("/debug/logging/static/") in page.FILES


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_imports_only_files_that_are_served(script: Path) -> None:
    """There is no package and no other host in the page."""
    imported = re.findall(r'(?:from|import)\s*\(?\s*"([^"]+)"', script.read_text("utf-8"))

    for name in imported:
        assert name.startswith("./"), name
        assert name[2:] in page.FILES, name


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_our_files_name_no_other_host(path: Path) -> None:
    """The page works without a network, and tells nobody that it was opened."""
    text = path.read_text("utf-8").replace(SVG_NAMESPACE, "")

    assert not re.search(r"(?:https?|wss?):?//[a-zA-Z0-9]|[\"'(]//[a-zA-Z0-9]", text)
    if path.suffix == ".css":
        assert not re.search(r"url\(|@import|@font-face", text)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_our_scripts_never_make_markup_or_code_from_text(script: Path) -> None:
    """A hostile event can only ever be text: nothing in the page turns a string into HTML, a script or a style."""
    text = script.read_text("utf-8")

    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|setHTML"
        r"|\beval\s*\(|new Function|\bsrcdoc\b(?!\")|set(?:Timeout|Interval)\(\s*[\"'`]|\.cssText|javascript:",
        text,
    )


def test_the_token_is_stored_nowhere() -> None:
    """Only the choice of light or dark is kept by the browser."""
    keepers = [
        path.name
        for path in SCRIPTS
        if re.search(r"localStorage|sessionStorage|indexedDB|document\.cookie", path.read_text("utf-8"))
    ]

    assert keepers == ["theme.js"]


def test_what_is_not_ours_is_unchanged() -> None:
    """The vendored files are those that their author published; the licence is with them."""
    vendor = STATIC / "vendor"
    told = dict(re.findall(r"^([0-9a-f]{64})  (\S+)$", (vendor / "README.md").read_text("utf-8"), re.MULTILINE))

    assert {name: digest for digest, name in told.items()} == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vendor.iterdir()
        if path.name not in {"README.md", "LICENSE"}
    }
    assert "The MIT License" in (vendor / "LICENSE").read_text("utf-8")
