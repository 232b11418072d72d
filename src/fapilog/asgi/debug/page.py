"""The console's page and the files that it is made of: HTML, style sheets and ES modules, as they lie in ``static/``.

No build step, no script or style inside the HTML, and nothing is loaded from anywhere else, which the page's
Content-Security-Policy holds the browser to. The files are served by a table of their names: no part of a request's
path ever reaches the file system. Each is read when it is asked for, on a thread, and held nowhere: a page is opened
now and then, and nobody pays for it before.
"""

from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType

from fapilog.asgi.debug.answers import Answer, refuse
from fapilog.asgi.debug.link import base_of
from fapilog.asgi.debug.request import Request

_HTML, _SCRIPT, _STYLE = b"text/html; charset=utf-8", b"text/javascript; charset=utf-8", b"text/css; charset=utf-8"
_TEXT = b"text/plain; charset=utf-8"
_INDEX = "index.html"
_BASE, _ASKS = b"{{base}}", b"{{asks}}"
_PREFIX = "static/"
_SCRIPTS = (
    "app charts events json levels lib overview panel pipeline requests ring series stream tail theme token trace "
    "waterfall window"
)
FILES: Mapping[str, bytes] = MappingProxyType(
    {
        **{f"{name}.js": _SCRIPT for name in _SCRIPTS.split()},
        "style.css": _STYLE,
        "views.css": _STYLE,
        "vendor/LICENSE": _TEXT,
        "vendor/uPlot.esm.js": _SCRIPT,
        "vendor/uPlot.min.css": _STYLE,
    }
)
"""What is served below ``static/``: the name, and its content type."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = ((b"content-security-policy", POLICY.encode("ascii")), (b"cross-origin-opener-policy", b"same-origin"))


async def page(request: Request) -> Answer:
    """Answer the page, with the addresses of its files below the path that the console is reached by.

    It is also told whether a change needs the token at once (``first``), after it was refused without one (``later``,
    where the application has an authentication of its own), or not at all because nobody knows one (``never``).
    """
    html: bytes = await request.console.turns.call(_read, _INDEX)
    options = request.console.options
    base = base_of(request.scope.get("root_path", ""), options.path)
    later = b"later" if options.takes_token else b"never"
    asks = b"first" if options.allow is None else later
    return Answer(200, html.replace(_BASE, base.encode("ascii")).replace(_ASKS, asks), _HTML, PAGE_HEADERS)


async def static(request: Request) -> Answer:
    """Answer one file of the page; 404 for every name that is not in :data:`FILES`."""
    name = request.rest.removeprefix(_PREFIX)
    content_type = FILES.get(name)
    if content_type is None:
        return refuse(404, "the page has no such file")
    return Answer(200, await request.console.turns.call(_read, name), content_type)


def _read(name: str) -> bytes:
    return files(__package__).joinpath("static", *name.split("/")).read_bytes()
