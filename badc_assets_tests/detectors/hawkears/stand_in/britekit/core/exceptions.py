"""Errors by their real names."""


class InferenceError(Exception):
    """Something about a recording or a model cannot be used."""
