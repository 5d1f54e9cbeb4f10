"""A DuckDB file that appears whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from badc_assets.errors import BadcError
from badc_assets.files import atomic_path


@contextmanager
def new_database(target: Path) -> Iterator[Path]:
    """Where to make the database that replaces `target` when the block ends well; its log goes with it when it fails.

    The caller connects inside the block. Raises BadcError when the disk is full or the folder cannot be written.
    """
    with atomic_path(target) as temporary:
        try:
            yield temporary
        except duckdb.Error as error:
            reason = (str(error).splitlines() or ["unknown error"])[0]
            raise BadcError(target, f"cannot be written ({reason})", "free space and run it again") from error
        finally:
            temporary.with_name(f"{temporary.name}.wal").unlink(missing_ok=True)
