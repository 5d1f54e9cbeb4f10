"""How Dagster is shown the columns of a table."""

from typing import Any, get_args, get_type_hints

import dagster as dg


def columns_of(row: type) -> dict[str, str]:
    """Column -> type for a table whose rows are this dataclass; the columns that it inherits come last."""
    hints, own = get_type_hints(row), set(row.__annotations__)
    return {name: _type_name(hints[name]) for name in sorted(hints, key=lambda name: name not in own)}


def _type_name(hint: Any) -> str:
    kinds = (hint, *get_args(hint))
    return "int64" if int in kinds else "float64" if float in kinds else "string"


def table_schema(columns: dict[str, str], descriptions: dict[str, str] | None = None) -> dg.TableSchema:
    """`columns` (name -> type) as Dagster shows them."""
    texts = descriptions or {}
    return dg.TableSchema([dg.TableColumn(name, kind, description=texts.get(name)) for name, kind in columns.items()])


def column_schema(columns: dict[str, str], descriptions: dict[str, str] | None = None) -> dict[str, dg.TableSchema]:
    """Asset metadata that shows the columns of its table."""
    return {"dagster/column_schema": table_schema(columns, descriptions)}
