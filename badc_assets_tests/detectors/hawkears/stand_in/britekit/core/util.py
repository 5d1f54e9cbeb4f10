"""Which device there is."""

import os


def get_device() -> str:
    return "cuda" if os.environ.get("CUDA_VISIBLE_DEVICES") else "cpu"
