"""Options that several commands have."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]


def print_json(value: Any) -> None:
    """To standard output, which then holds nothing else."""
    print(json.dumps(value, indent=2))
