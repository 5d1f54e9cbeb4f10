"""Which recordings need a node at all, and how much work they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from badc_assets.chunks.status import Clock
from badc_assets.detections.tables import Trace
from badc_assets.files import exclusive
from badc_assets.inference.closing import Closing
from badc_assets.inference.opening import OtherRules, look_at, without_sound
from badc_assets.inference.outcome import DetectionOutcome
from badc_assets.project import Project
from badc_assets.slurm.splitting import Sized


def needing_nodes(
    project: Project, clock: Clock, run_id: str, recording_ids: Iterable[str]
) -> Iterator[DetectionOutcome | Sized]:
    """For each recording its outcome, where that takes no detector, or how long its sound is."""
    layout, wanted = project.layout, project.wanted_results
    closing = Closing(layout, wanted.rules, Trace(wanted.detector, run_id), clock, lambda worker: None)
    for recording_id in recording_ids:
        found = look_at(layout, recording_id, wanted)
        if isinstance(found, OtherRules):
            found = _chosen_again(closing, found) or without_sound(found.facts) or found
        if isinstance(found, DetectionOutcome):
            yield found
        else:
            yield Sized(recording_id, found.chunks[-1].end_ms / 1000 if found.chunks else 0.0)


def _chosen_again(closing: Closing, found: OtherRules) -> DetectionOutcome | None:
    """The outcome where other rules are all that is new; None where somebody else has the recording in hand."""
    recording_id = found.facts.recording_id
    with exclusive(closing.layout.locks / "infer" / f"{recording_id}.lock", wait=False) as is_free:
        stored = closing.choose_again(found) if is_free else None
    return DetectionOutcome(recording_id, stored, is_orphan=found.facts.is_vanished) if stored is not None else None
