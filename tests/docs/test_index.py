"""The pages hang together: each is in the index, and no link leads nowhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def test_every_page_is_in_the_index() -> None:
    """Whoever opens docs/README.md finds all of it."""
    index = (ROOT / "docs" / "README.md").read_text("utf-8")

    assert [
        page.name
        for page in sorted(ROOT.glob("docs/*.md"))
        if page.name != "README.md" and f"]({page.name})" not in index
    ] == []


def test_every_decision_is_in_the_list() -> None:
    """The same for the decisions."""
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text("utf-8")

    assert [page.name for page in sorted(folder.glob("0*.md")) if f"]({page.name})" not in index] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_leads_somewhere(page: Path) -> None:
    """A renamed page breaks no reader."""
    targets = [target for target in LINK.findall(page.read_text("utf-8")) if "://" not in target]

    assert [target for target in targets if not (page.parent / target).exists()] == []
