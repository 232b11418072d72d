"""The code blocks of the documentation, and how each says that it is to be run.

The line before a block's fence is a comment that no reader sees::

    <!-- example: script -->              a program: ends with status 0, says nothing on stderr
    <!-- example: server GET /orders/7 --> an ASGI application `app`: run by uvicorn, asked this, stopped by SIGTERM
    <!-- example: wsgi GET / -->           a WSGI application `app`: called once
    <!-- example: fragment -->            not a program by itself: only its syntax is checked
    <!-- example: output -->              JSON lines that the block before has written to stdout
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")))
_BLOCK = re.compile(
    r"^(?:<!-- example: (?P<kind>\w+) ?(?P<requests>[^\n]*?) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        requests: For a server: what it is asked, such as ``("GET", "/orders/7")``.
        kind: As above, or empty where the page does not say.
    """

    page: str
    line: int
    language: str
    kind: str
    requests: tuple[tuple[str, str], ...]
    text: str
    output: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return where it stands, for a test's name."""
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page that name a language, each with the output that is shown for it."""
    text = page.read_text("utf-8")
    found: list[Block] = []
    for match in _BLOCK.finditer(text):
        words = (match["requests"] or "").split()
        block = Block(
            page=page.relative_to(ROOT).as_posix(),
            line=text.count("\n", 0, match.start("text")),
            language=match["language"],
            kind=match["kind"] or "",
            requests=tuple(zip(words[::2], words[1::2], strict=True)),
            text=match["text"],
        )
        if block.kind == "output":
            before = found.pop()
            found.append(Block(**{**vars(before), "output": tuple(block.text.splitlines())}))
        else:
            found.append(block)
    return found
