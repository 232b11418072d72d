"""What a browser is shown that may not read the console: a form for the token, and no word about what is behind it.

Plain HTML without a script. Its few lines of style are allowed by their hash (CSP Level 3, section 2.3.1), so that
nothing else on the page could ever run or be loaded.
"""

import base64
import hashlib
from collections.abc import Iterable
from html import escape

from fapilog.asgi.debug.answers import Answer

_STYLE = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 26rem; margin: 12vh auto; padding: 0 1rem }
h1 { font-size: 1.25rem }
label, input, button { display: block; box-sizing: border-box; width: 100%; font: inherit }
input, button { margin-top: .25rem; padding: .5rem }
button { margin-top: .75rem; cursor: pointer }
[role=alert] { border-left: .25rem solid #d33; padding-left: .75rem }
code { overflow-wrap: anywhere }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode("ascii")).digest()).decode("ascii")
_POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_FORM = """\
<form method="post" action="{action}">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="off" spellcheck="false" required autofocus>
<button>Open for reading</button>
</form>
<p>It is what the application gave to <code>with_debug_route(token=…)</code>, or the one on its standard error after
<code>fapilog: debug token</code>. A link that opens once does without it.</p>
"""
_OTHER = """\
<p>The application decides who may read this: sign in there, then load this page again.</p>
"""
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Logging console: sign in</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>Logging console</h1>
{said}{form}</main>
</body>
</html>
"""
_HTML, _JSON = b"text/html", b"application/json"


def page(status: int, action: str | None, said: str = "", headers: tuple[tuple[bytes, bytes], ...] = ()) -> Answer:
    """Return the page as an answer.

    Args:
        status: The status code.
        action: Where the form is sent; None where there is no token that could be typed.
        said: What went wrong, plain text.
        headers: More headers of the answer.
    """
    form = _OTHER if action is None else _FORM.format(action=escape(action))
    alert = f'<p role="alert">{escape(said)}</p>\n' if said else ""
    body = _PAGE.format(style=_STYLE, said=alert, form=form).encode("utf-8")
    # With no referrer at all browsers would send the form with ``Origin: null``, as a stranger's frame can.
    more = ((b"content-security-policy", _POLICY.encode()), (b"referrer-policy", b"same-origin"), *headers)
    return Answer(status, body, b"text/html; charset=utf-8", more)


def prefers_html(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell whether a request names ``text/html`` in ``Accept``, and JSON not before it; a browser's navigation does."""
    weights: dict[bytes, float] = {}
    for name, value in headers:
        if name.lower() == b"accept":
            for item in value.split(b","):
                kind, _, parameters = item.partition(b";")
                weights[kind.strip().lower()] = _weight(parameters)
    html = weights.get(_HTML, 0.0)
    return html > 0 and html >= weights.get(_JSON, 0.0)


def _weight(parameters: bytes) -> float:
    """Return the ``q`` of a media range; 1 if it has none, 0 if it is malformed (RFC 9110, section 12.4.2)."""
    for parameter in parameters.split(b";"):
        name, _, value = parameter.strip().partition(b"=")
        if name.strip().lower() == b"q":
            plain = value.strip().replace(b".", b"", 1)
            return float(value) if plain.isdigit() and plain.isascii() else 0.0
    return 1.0
