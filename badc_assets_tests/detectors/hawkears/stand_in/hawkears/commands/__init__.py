"""The API."""

from ._analyze import analyze

__all__ = ["analyze"]
