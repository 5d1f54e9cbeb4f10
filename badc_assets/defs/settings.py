"""What all asset definitions share: owners, the project as a resource, code versions."""

from typing import get_args, get_type_hints

import dagster as dg

from badc_assets.project import Project

OWNERS = ["team:bioacoustics"]

ProjectResource = dg.ResourceParam[Project]
"""The project, given to assets and checks as the resource `project`."""


def columns_of(row: type) -> dict[str, str]:
    """Column -> type for a table whose rows are this dataclass."""
    return {name: "int64" if int in (hint, *get_args(hint)) else "string" for name, hint in get_type_hints(row).items()}


def table_schema(columns: dict[str, str], descriptions: dict[str, str] | None = None) -> dg.TableSchema:
    """`columns` (name -> type) as Dagster shows them."""
    texts = descriptions or {}
    return dg.TableSchema([dg.TableColumn(name, kind, description=texts.get(name)) for name, kind in columns.items()])


def column_schema(columns: dict[str, str], descriptions: dict[str, str] | None = None) -> dict[str, dg.TableSchema]:
    """Asset metadata that shows the columns of its table."""
    return {"dagster/column_schema": table_schema(columns, descriptions)}
