"""Every link between the project's pages leads to a file, and to a heading where it names one."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)\s]+)\)")
NOTES = ROOT / "benchmarks" / "results" / "README.md"
"""Notes that `latcast bench report` puts into the page of benchmarks: their links count from there."""


def pages() -> list[Path]:
    """All Markdown files that git knows or would add, those of test data aside."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in filter(None, listed.split("\0")) if not name.startswith("tests/")]
    return [path for path in paths if path.is_file() and path != NOTES]


def without_code(text: str) -> str:
    """The text with neither fenced blocks nor code spans: a link in those is none."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def anchors(page: Path) -> set[str]:
    """What a page's headings are called in links: lower case, punctuation gone, blanks as hyphens."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.M), flags=re.M
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(without_code(page.read_text())) if "://" not in link]
    broken = [link for link in links if not leads_somewhere(page, link)]
    assert broken == []


def leads_somewhere(page: Path, link: str) -> bool:
    """Whether a relative link names a file or folder of the project, and a heading that it has."""
    target, _, anchor = link.partition("#")
    path = (page.parent / target).resolve() if target else page
    return path.exists() and path.is_relative_to(ROOT) and (not anchor or anchor in anchors(path))


def test_every_page_is_reached_from_the_index() -> None:
    reached: set[Path] = set()
    todo = [ROOT / "docs" / "README.md"]
    while todo:
        page = todo.pop()
        if page not in reached:
            reached.add(page)
            todo += linked(page)
    assert {page for page in pages() if page.is_relative_to(ROOT / "docs")} - reached == set()


def linked(page: Path) -> list[Path]:
    """The project's pages that a page links to; a link to a folder leads to all pages in it."""
    links = LINK.findall(without_code(page.read_text()))
    targets = [(page.parent / link.partition("#")[0]).resolve() for link in links if "://" not in link]
    inside = [path for target in targets if target.is_dir() for path in target.glob("*.md")]
    return inside + [target for target in targets if target.suffix == ".md" and target.is_file()]
