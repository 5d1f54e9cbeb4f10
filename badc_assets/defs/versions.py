"""Materializations of single recordings, each with its own data version, from one step over many recordings.

Dagster gives all partitions of a range run one data version, so that a recording would look changed whenever the range around it
did. See docs/decisions/0003-data-versions-in-range-runs.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import dagster as dg
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)
from dagster._core.definitions.metadata.metadata_value import MetadataValue
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION

Metadata = Mapping[str, "str | int | float | bool | MetadataValue | None"]


@dataclass(frozen=True)
class RecordingVersions:
    """Makes the materializations of one asset in one step.

    `seen_up_to` is the newest event when the step began: what upstream materializations the step has read. `more` is metadata
    that all of them get.
    """

    spec: dg.AssetSpec
    seen_up_to: int
    more: Metadata = field(default_factory=dict)

    @classmethod
    def begin(cls, context: dg.AssetExecutionContext, asset: str) -> RecordingVersions:
        """Call before anything is read."""
        spec = next(spec for spec in context.assets_def.specs if spec.key.path[-1] == asset)
        return cls(spec, context.instance.event_log_storage.get_maximum_record_id() or 0)

    def materialization(self, recording_id: str, data_version: str, metadata: Metadata) -> dg.AssetMaterialization:
        """The event for one recording. Yield it as soon as the recording is done: from then on it outlives a crash."""
        tags = {
            DATA_VERSION_TAG: data_version,
            DATA_VERSION_IS_USER_PROVIDED_TAG: "true",
            CODE_VERSION_TAG: self.spec.code_version or "",
        }
        for dep in self.spec.deps:
            # For a partitioned input Dagster compares events by their position and ignores the version stored here.
            tags[get_input_data_version_tag(dep.asset_key)] = "see-event"
            tags[get_input_event_pointer_tag(dep.asset_key)] = str(self.seen_up_to)
        return dg.AssetMaterialization(
            self.spec.key, partition=recording_id, metadata={**metadata, **self.more}, tags=tags
        )

    def finish(self) -> dg.MaterializeResult:
        """The step's result, marked so that Dagster adds no second materialization of every recording."""
        return dg.MaterializeResult(
            asset_key=self.spec.key, metadata={SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}
        )
