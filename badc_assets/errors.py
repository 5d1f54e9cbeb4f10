"""The error a user can cause: which file, what is wrong, what to do."""

from __future__ import annotations

from pathlib import Path


class BadcError(Exception):
    """A problem that a user can understand and mend. Shown as one line, never as a traceback.

    `subject` is the file or setting it is about, `problem` what is wrong, `remedy` what to do.
    """

    def __init__(self, subject: Path | str, problem: str, remedy: str) -> None:
        self.subject = str(subject)
        self.problem = printable(problem)
        self.remedy = remedy
        super().__init__(f"{printable(self.subject)}: {self.problem}; {remedy}")


def printable(text: str) -> str:
    """`text` on one line: control characters, newlines and undecodable bytes are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
