"""libsndfile as soundfile wraps it, without a seek after every read."""

from __future__ import annotations

import os
from pathlib import Path

import soundfile


class ForwardSound(soundfile.SoundFile):
    """A sound file that is read forwards, with `seek` where it is wanted.

    soundfile 0.14 seeks to where it is after each read of a seekable file. In an MP3 file that makes the last bit of
    the samples depend on the block size, in a FLAC file without its end it turns a good read into an error, and it
    costs time. A file that calls itself not seekable is spared that; `seek` and `tell` work all the same.
    """

    def seekable(self) -> bool:
        return False


def open_forward(path: Path) -> ForwardSound:
    """Raises soundfile.LibsndfileError when it is no sound file."""
    # As bytes: soundfile cannot encode a name that is not UTF-8, and its annotations forget that it takes bytes.
    return ForwardSound(os.fsencode(path))  # pyright: ignore[reportArgumentType]
