"""HawkEars, a recogniser of Canadian birds and amphibians, as a file detector. It runs in its own Python environment.

`package` runs generation 2, `script` generation 1. What is done here for both is what HawkEars leaves undone:
see that all of a clip is there, and that what it reports can be true.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from badc_assets.detectors.hawkears.events import WINDOW_MS, to_events
from badc_assets.detectors.hawkears.package import HawkEarsPackage
from badc_assets.detectors.hawkears.script import HawkEarsScript
from badc_assets.detectors.hawkears.settings import RESULT_FREE, HawkEarsSettings
from badc_assets.detectors.hawkears.sound import listen
from badc_assets.detectors.protocol import Clip, DetectorInfo, Device, Event
from badc_assets.files import stable_hash

__all__ = ["HawkEarsDetector", "HawkEarsSettings"]


class HawkEarsDetector:
    """Events bring their own labels. Nothing is filtered by place or date unless the settings say so."""

    def __init__(self, settings: HawkEarsSettings) -> None:
        """Starts nothing; hashes checkpoints that are not known yet. Raises BadcError when something is missing."""
        self._settings = settings
        self._hawkears = HawkEarsScript(settings) if settings.generation == 1 else HawkEarsPackage(settings)
        chosen = settings.model_dump(mode="json", exclude=set(RESULT_FREE))
        self._info = DetectorInfo(
            name="hawkears",
            version=self._hawkears.version,
            kind="file",
            labels=(),
            settings_hash=stable_hash([chosen, self._hawkears.digest]),
            unit=settings.unit,
            weights_sha256=self._hawkears.weights_sha256,
            uses_gpu=True,
        )

    @property
    def info(self) -> DetectorInfo:
        return self._info

    def load(self, device: Device) -> Mapping[str, str]:
        """Generation 2: start HawkEars' process and load its models. Returns versions and the device."""
        return self._hawkears.load(device)

    def detect(self, clip: Clip) -> Sequence[Event]:
        """The events in one file, without those in digital silence, where HawkEars finds birds too.

        Raises BadcError for a file that is damaged or too short for scores, and for a report that cannot be true; other
        exceptions for what may work another time (`HawkEarsFailed`, `ProgramFailed`, MemoryError).
        """
        heard = listen(clip.path, clip.duration_ms)
        if heard.is_flat:
            return ()
        overhang_ms = max(WINDOW_MS, round(1000 * (self._settings.segment_s or 0)))
        return to_events(self._hawkears.find(clip), clip, heard, overhang_ms=overhang_ms)

    def close(self) -> None:
        self._hawkears.close()
