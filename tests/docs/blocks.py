"""Code blocks of the project's pages, and the commands within those of the shell."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(
    r"^(?: *<!-- not run: (?P<reason>[^\n]+) -->\n+)?(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$",
    flags=re.DOTALL | re.MULTILINE,
)
HERE_DOCUMENT = re.compile(
    r"<<-?\s*(['\"]?)(?P<end>\w+)\1(?P<rest>[^\n]*)\n.*?^\s*(?P=end)$\n?", flags=re.DOTALL | re.MULTILINE
)
"""What a script hands to a program's standard input, with the rest of the line that announces it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of code.

    Attributes:
        page: where it stands, relative to the repository.
        line: of its fence, counted from 1.
        language: what the fence says, such as `python`.
        text: the code without the page's indentation.
        reason: why it is not run, from a comment `<!-- not run: … -->` before it; empty where it is.
    """

    page: str
    line: int
    language: str
    text: str
    reason: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """README and its like at the top, everything in docs, and the model cards."""
    folders = (ROOT.glob("*.md"), (ROOT / "docs").rglob("*.md"), (ROOT / "predictors" / "pretrained").glob("*.md"))
    return [page for folder in folders for page in sorted(folder)]


def blocks(*languages: str) -> list[Block]:
    """Every block of the project's pages in these languages; in any where none is named."""
    found = [block for page in pages() for block in blocks_of(page)]
    return [block for block in found if not languages or block.language in languages]


def blocks_of(page: Path) -> Iterator[Block]:
    """The blocks of one page, from top to bottom."""
    text = page.read_text()
    for match in FENCE.finditer(text):
        yield Block(
            page=str(page.relative_to(ROOT)),
            line=text.count("\n", 0, match.start("indent")) + 1,
            language=match["language"],
            text=re.sub(f"^{match['indent']}", "", match["text"], flags=re.MULTILINE),
            reason=match["reason"] or "",
        )


def spans() -> list[tuple[str, str]]:
    """Each page with every command that it names in passing, as in `latcast targets --here`."""
    return [
        (str(page.relative_to(ROOT)), span)
        for page in pages()
        for span in re.findall(r"(?<!`)`(latcast [^`\n]+)`(?!`)", page.read_text())
    ]


def commands(text: str) -> Iterator[list[str]]:
    """The commands of a shell script: words, without comments, here-documents and assignments before them."""
    pending = ""
    for line in HERE_DOCUMENT.sub(r"\g<rest>\n", text.replace("\\\n", " ")).splitlines():
        pending += line
        try:
            words = shlex.split(pending, comments=True)
        except ValueError:  # a quotation that goes on
            pending += "\n"
            continue
        pending = ""
        yield from simple_commands(words)
    assert not pending, f"a quotation has no end: {pending}"


def without_redirections(words: list[str]) -> Iterator[str]:
    """The words without what says where output goes, as in `> log 2>&1`."""
    rest = iter(words)
    for word in rest:
        if re.fullmatch(r"[0-9]?>>?", word):
            next(rest, None)
        elif not re.fullmatch(r"[0-9]?>&[0-9]", word):
            yield word


def simple_commands(words: list[str]) -> Iterator[list[str]]:
    """The parts of one line between pipes, `&` and their like."""
    command: list[str] = []
    for word in [*without_redirections(words), ";"]:
        if word in {"|", "&", "&&", ";", "||"}:
            if command:
                yield command
            command = []
        elif command or not re.fullmatch(r"\w+=.*", word, flags=re.DOTALL):
            command.append(word)
