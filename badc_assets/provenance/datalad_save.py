"""The process in which DataLad saves: a request in JSON on standard input, the answer on the last line of standard output."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def saved(request: dict[str, Any]) -> dict[str, str]:
    """Save the files that are asked for. `commit` is empty where nothing had changed, `error` what went wrong."""
    import datalad.api
    from datalad.support.exceptions import IncompleteResultsError

    root = request["root"]
    before = _head(root)
    try:
        results = datalad.api.save(  # pyright: ignore[reportAttributeAccessIssue]  made at import
            dataset=root,
            path=[str(Path(root, path)) for path in request["paths"]],
            message=request["message"],
            recursive=True,
            result_renderer="disabled",
            on_failure="ignore",
            return_type="list",
        )
    except (IncompleteResultsError, ValueError, RuntimeError, OSError) as error:
        return {"commit": "", "error": str(error)}
    failures = [result for result in results if result["status"] in ("error", "impossible")]
    after = _head(root)
    return {"commit": after if after != before else "", "error": _in_words(failures)}


def _in_words(failures: list[dict[str, Any]]) -> str:
    if not failures:
        return ""
    message = failures[0].get("message") or failures[0].get("error_message") or "no reason given"
    text = message[0] % message[1:] if isinstance(message, tuple) else str(message)
    return f"{failures[0].get('path', '')}: {text}"


def _head(root: str) -> str:
    from datalad.support.gitrepo import GitRepo

    return GitRepo(root).get_hexsha() or ""


def main() -> None:
    """Answer one request."""
    print(json.dumps(saved(json.load(sys.stdin))))


if __name__ == "__main__":
    main()
