"""One thing that was found when everything was looked through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RULES = {
    "content_present": "the sound of every recording is here",
    "manifest_intact": "every completed chunking has the manifest that it wrote",
    "manifest_matches_sound": "the samples of every chunk have the sha256 that the manifest says",
    "results_intact": "results are whole",
    "results_match_manifest": "results are about exactly the chunks of the manifest",
    "results_have_sound": "the sound of results is in the dataset",
    "no_strays": "everything stored is about a recording of the catalogue",
    "tables_match_results": "the dataset-wide tables hold exactly what the recordings' own results hold",
}
"""Rule -> what it demands."""


@dataclass(frozen=True)
class Finding:
    """A rule that does not hold. `subject` is a recording or a file.

    `damage` contradicts something else that is stored; a `notice` is a state in which a dataset may be.
    """

    rule: str
    severity: Literal["damage", "notice"]
    subject: str
    problem: str
    remedy: str

    @property
    def is_damage(self) -> bool:
        return self.severity == "damage"
