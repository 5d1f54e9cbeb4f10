"""How detectors are run. `min_score` and `channel` change results, `allow_partial_chunks` which recordings have one."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class InferenceSettings(BaseModel):
    """Settings of the engine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_windows: int | None = Field(
        None, ge=1, le=4096, description="Windows scored at once by window detectors. Default: what the detector likes."
    )
    block_s: float = Field(10.0, ge=0.1, le=600, description="Seconds of sound read at a time.")
    min_score: float = Field(
        0.1, ge=0, le=1, description="Window scores below this are not stored. Changes results of window detectors."
    )
    channel: int | None = Field(
        None, ge=0, le=63, description="Channel to analyse, from 0. Default: the mean of all. Changes results."
    )
    allow_partial_chunks: bool = Field(
        False, description="Analyse recordings whose chunking has not completed, if they have a manifest."
    )
    device: Literal["auto", "cpu"] = Field("auto", description="`cpu` leaves GPUs alone.")
    max_gpus: int | None = Field(
        None, ge=0, le=64, description="Use at most this many GPUs. Default: all that are free."
    )
    cpu_workers: int = Field(
        0,
        ge=0,
        le=512,
        description="Worker processes on the CPU, beside those on GPUs. At least one worker always runs.",
    )
    decode_threads: int = Field(
        0, ge=0, le=64, description="Threads that read sound for each worker. 0: one on the CPU, four on a GPU."
    )
    max_retries: int = Field(2, ge=0, le=20, description="How often a chunk that failed is tried again.")
    retry_delay_s: float = Field(
        2.0,
        ge=0,
        le=600,
        description="Wait before the first retry; it doubles each time, up to 30 s, less a random part.",
    )
    chunk_timeout_s: float = Field(
        600.0,
        gt=0,
        description="A worker that finishes nothing for this long is ended, and its chunk counts as failed once.",
    )
    load_timeout_s: float = Field(1800.0, gt=0, description="A worker must have loaded its model in this time.")
    stop_after_failures: int = Field(
        20, ge=1, description="Give up when this many chunks failed and none succeeded: the detector does not work."
    )
