"""scikit-maad's region finder with 48 settings, in a process of its own: `python energy_maad.py FOLDER OUTPUT.json`.

FOLDER holds mono WAV files. The output gives, for each setting, its CPU seconds and, for each file, boxes as
[start s, end s, low Hz, high Hz]. It imports nothing from this project: scikit-maad may live in another environment.

The steps are those of scikit-maad's own examples: spectrogram, background removal, smoothing, relative (double threshold)
mask, regions. The 48 settings were chosen in its favour: a first round over 576 settings on six recordings showed in
which range its best lie.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from itertools import product
from pathlib import Path

BACKGROUNDS = ("spectral subtraction", "median per band", "median equalizer")
SMOOTHINGS = (2.0, 3.0)
SEEDS_STD = (3.0, 6.0)
GROW_SHARES = (0.25, 0.5)
LEAST_PIXELS = (100, 300)


def main() -> None:
    """Run all settings on all files."""
    import soundfile
    from maad import sound, util

    warnings.simplefilter("ignore")
    folder, output = Path(sys.argv[1]), Path(sys.argv[2])
    results: dict[str, dict] = {}
    for path in sorted(folder.glob("*.wav")):
        samples, rate = soundfile.read(path)
        started = time.process_time()
        power, times, frequencies, _ = sound.spectrogram(samples, rate, nperseg=512, noverlap=256)
        spectrogram_s = time.process_time() - started
        for background, smoothing in product(BACKGROUNDS, SMOOTHINGS):
            started = time.process_time()
            image = sound.smooth(_without_background(sound, util, power, background), std=smoothing)
            image_s = spectrogram_s + time.process_time() - started
            for seed, grow, least in product(SEEDS_STD, GROW_SHARES, LEAST_PIXELS):
                started = time.process_time()
                boxes = _regions(image, (times, frequencies), seed, grow, least)
                key = f"{background}, smooth {smoothing:g}, seed {seed:g}, grow {grow:g}, least {least}"
                entry = results.setdefault(key, {"cpu_s": 0.0, "boxes": {}})
                entry["cpu_s"] += image_s + time.process_time() - started
                entry["boxes"][path.stem] = boxes
    output.write_text(json.dumps(results))


def _without_background(sound, util, power, name: str):
    if name == "median equalizer":
        return util.power2dB(sound.median_equalizer(power))
    power_db = util.power2dB(power, db_range=120) + 120
    if name == "median per band":
        return sound.remove_background_along_axis(power_db, mode="median", axis=1)[0]
    return sound.remove_background(power_db)[0]


def _regions(image, axes, seed: float, grow: float, least: int) -> list[list[float]]:
    import numpy as np
    from maad import rois

    if not np.isfinite(image).all() or np.ptp(image) == 0:
        return []
    mask = rois.create_mask(image, mode_bin="relative", bin_std=seed, bin_per=grow)
    if not mask.any():
        return []
    _, table = rois.select_rois(mask, min_roi=least)
    times, frequencies = axes
    step_s, step_hz = times[1] - times[0], frequencies[1] - frequencies[0]
    return [
        [
            float(times[int(row.min_x)]) - step_s / 2,
            float(times[int(row.max_x)]) + step_s / 2,
            float(frequencies[int(row.min_y)]),
            float(frequencies[int(row.max_y)]) + step_hz,
        ]
        for row in table.itertuples()
    ]


if __name__ == "__main__":
    main()
