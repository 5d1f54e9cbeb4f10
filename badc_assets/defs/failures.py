"""How a problem that a user can mend ends a step: with its one line, not with our stack trace."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from badc_assets.errors import BadcError


@contextmanager
def problems_as_failures() -> Iterator[None]:
    """Turn a BadcError into a Dagster failure that shows its sentence."""
    try:
        yield
    except BadcError as error:
        raise dg.Failure(str(error), metadata={"what to do": error.remedy}, allow_retries=False) from error
