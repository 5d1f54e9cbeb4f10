"""What a person can set about bundles and the dataset report."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from badc_assets.files import stable_hash

_DATABASE = {"bucket_minutes"}
_PAGE = {
    "min_confidence", "page_rows", "thumbnails", "example_clips", "clip_seconds", "clip_sample_rate_hz", "media_megabytes",
}  # fmt: skip


class ReportSettings(BaseModel):
    """Lengths of tables, the timeline's bucket, and the example clips. BADC's defaults where BADC has one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bucket_minutes: int = Field(
        default=60, ge=1, description="Length of one step of the timeline, in minutes of recording."
    )
    quicklook_top_labels: int = Field(default=10, ge=1, description="Labels listed in the quicklook.")
    quicklook_top_recordings: int = Field(default=5, ge=1, description="Recordings listed in the quicklook.")
    parquet_top_labels: int = Field(default=20, ge=1, description="Labels listed in the Parquet report.")
    parquet_top_recordings: int = Field(default=10, ge=1, description="Recordings listed in the Parquet report.")
    duckdb_top_labels: int = Field(default=15, ge=1, description="Labels exported from the DuckDB file.")
    duckdb_top_recordings: int = Field(default=10, ge=1, description="Recordings exported from the DuckDB file.")
    min_confidence: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="The dataset report counts detections of at least this confidence. The tables keep all of them.",
    )
    page_rows: int = Field(
        default=25, ge=1, description="Rows of each table on the report page; the CSV beside it has all."
    )
    thumbnails: int = Field(
        default=24, ge=0, le=500, description="Flagged or quarantined recordings shown with a small picture."
    )
    example_clips: int = Field(default=12, ge=0, le=60, description="Best detections shown with picture and sound.")
    clip_seconds: float = Field(default=6.0, ge=1.0, le=30.0, description="Length of an example clip, in seconds.")
    clip_sample_rate_hz: int = Field(
        default=32_000,
        ge=8_000,
        le=48_000,
        description="Example clips are resampled down to this rate to keep the page small.",
    )
    media_megabytes: float = Field(
        default=6.0, ge=0.0, le=50.0, description="Most the pictures and sounds add to the report page, in MB."
    )

    @property
    def bundle_digest(self) -> str:
        """Changes when a setting does that changes the report files of a recording."""
        return stable_hash(self.model_dump(mode="json", exclude=_PAGE))

    @property
    def database_digest(self) -> str:
        """Changes when a setting does that changes the dataset's DuckDB file."""
        return stable_hash(self.model_dump(mode="json", include=_DATABASE))

    @property
    def page_digest(self) -> str:
        """Changes when a setting does that changes the dataset report."""
        return stable_hash(self.model_dump(mode="json", include=_PAGE))
