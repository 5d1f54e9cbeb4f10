"""Content of the recordings of a run: fetched before they are examined, dropped when they are analysed, as the project wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import dagster as dg

from badc_assets.defs.names import asset_key
from badc_assets.project import Project


def fetch_missing(project: Project, recording_ids: Sequence[str], say: Callable[[str], None]) -> dict[str, str]:
    """Fetch in bulk what is not here and has no results yet; recording -> why it was not fetched.

    Nothing where the project's policy is another one, or where nothing is missing.
    """
    if project.content.policy != "fetch":
        return {}
    from badc_assets.inference.outstanding import has_results
    from badc_assets.recordings.content import fetch_content
    from badc_assets.recordings.current import require_catalog

    entries = require_catalog(project.layout).by_id()
    missing = [entries[each] for each in recording_ids if each in entries and entries[each].state == "content_missing"]
    if not missing:
        return {}
    wanted = project.wanted_results
    missing = [entry for entry in missing if not has_results(project.layout, entry.recording_id, wanted)]
    fetched = fetch_content(project.layout, missing, project.content, say)
    say(f"fetched {fetched.recordings} recordings, {fetched.size_bytes / 1e9:.3f} GB; {len(fetched.problems)} were not")
    return fetched.problems


def dropped_content(project: Project, recording_ids: Sequence[str]) -> Iterator[dg.AssetObservation]:
    """Drop the content of what is analysed, where the project wants that and git-annex allows it; says what became of it."""
    if not project.content.drop:
        return
    from badc_assets.defs.chunks import bullets
    from badc_assets.inference.outstanding import has_results
    from badc_assets.recordings.content import drop_recordings
    from badc_assets.recordings.current import examine_recordings, require_catalog

    entries = require_catalog(project.layout).by_id()
    wanted = project.wanted_results
    here = [entries[each] for each in recording_ids if each in entries and entries[each].state == "present"]
    analysed = [entry for entry in here if has_results(project.layout, entry.recording_id, wanted)]
    dropped = drop_recordings(project.layout, analysed, project.content)
    # Their facts say at once that the sound is not here, or the next run would take that for a change.
    list(examine_recordings(project.layout, dropped.recordings, project.recordings))
    metadata = {
        "content dropped": len(dropped.recordings),
        "content kept": dg.MetadataValue.md(bullets(dropped.kept)),
    }
    yield dg.AssetObservation(asset_key(project, "detections"), metadata=metadata)
