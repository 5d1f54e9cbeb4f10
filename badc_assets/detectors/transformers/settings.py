"""What can be set for the transformers detector."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class TransformersSettings(BaseModel):
    """Which model, how its windows are laid, and how exact its scores must be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(
        default="",
        description="Folder of the model, or `hf:owner/name[@revision][:folder][#where]` for one from the Hugging Face Hub: "
        "revision is a branch, tag or commit, folder one inside the repository, where a local folder to keep it in.",
    )
    window_s: float | None = Field(
        default=None,
        ge=0.05,
        le=600,
        description="Length of a window. Default: what the model was made for if it says so, else 5 s.",
    )
    hop_s: float | None = Field(
        default=None,
        ge=0.01,
        le=600,
        description="From the start of a window to the next. Default: the length of a window.",
    )
    tail: Literal["align", "pad"] = Field(
        default="align",
        description="The last window ends with the recording (align), or is filled up with zeros (pad).",
    )
    activation: Literal["auto", "softmax", "sigmoid"] = Field(
        default="auto",
        description="How outputs become scores. auto: sigmoid for multi-label models, softmax for others.",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto",
        description="Arithmetic. auto: the fastest that the device has. Checked against fp32 on the first batch.",
    )
    max_probability_change: float = Field(
        default=0.02,
        gt=0,
        le=1,
        description="fp32 is used instead when a score of the first batch differs by more than this.",
    )
    backend: Literal["auto", "torch", "openvino", "onnx"] = Field(
        default="auto",
        description="What runs the model on a CPU. auto: the first that is installed of OpenVINO, ONNX Runtime, torch.",
    )
    batch: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="Windows at once. Default: 4 on a CPU, measured on a GPU. Changes no result.",
    )
    offline: bool = Field(default=False, description="Never use the network, not even to set the model up.")

    @model_validator(mode="after")
    def _leaves_no_gaps(self) -> Self:
        if self.window_s is not None and self.hop_s is not None and self.hop_s > self.window_s:
            raise ValueError("hop_s is larger than window_s")
        return self
