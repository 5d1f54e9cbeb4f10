"""scikit-maad, which not everybody has installed."""

from __future__ import annotations

from importlib import metadata

from badc_assets.errors import BadcError

DISTRIBUTION = "scikit-maad"


def maad_version() -> str:
    """Its version. Raises BadcError when it is not installed."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError as error:
        remedy = "pip install 'badc-assets[indices]'"
        raise BadcError(DISTRIBUTION, "is not installed, and acoustic indices need it", remedy) from error
