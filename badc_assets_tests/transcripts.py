"""The commands that our pages show."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
ENDS = {"&&", "||", "|", ";", ">", ">>", "2>"}


def transcript(page: Path, kinds: str = "bash|console") -> list[list[str]]:
    """The arguments of each `badc ...` of the blocks of these kinds, in order."""
    blocks = re.findall(rf"^```(?:{kinds})\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [found for line in lines for found in _in_line(line.removeprefix("$ "))]


def mentions(page: Path) -> list[list[str]]:
    """The same for what stands between backticks in the text, such as `badc run --bundles`. Lines that say what there is not yet
    are left out."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    lines = [line for line in text.splitlines() if not line.startswith("Not here yet")]
    return [shlex.split(found) for found in re.findall(r"`(?:\.venv/bin/)?badc ([^`]+)`", "\n".join(lines))]


def _in_line(line: str) -> list[list[str]]:
    """A line of a shell may hold several commands, and what is not ours."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;>")
    lexer.whitespace_split, lexer.commenters = True, "#"
    found: list[list[str]] = []
    is_ours, starts = False, True
    for word in lexer:
        if word in ENDS:
            is_ours, starts = False, True
        elif starts:
            is_ours, starts = Path(word).name == "badc", False
            if is_ours:
                found.append([])
        elif is_ours:
            found[-1].append(word)
    return found
