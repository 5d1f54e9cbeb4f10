"""Turns functions into the assets, checks and sensors of one dataset.

The functions of a stage take a context and a project and know no names. Here they get the key, the partitions and the project of
a dataset, so that a project with several datasets has each of them once for every dataset, and no two share anything.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any

import dagster as dg

from badc_assets.defs import names
from badc_assets.project import Project

OWNERS = ["team:bioacoustics"]

Body = Callable[..., Any]


@dataclass(frozen=True)
class Dataset:
    """One dataset of the project file, as Dagster sees it."""

    project: Project

    @cached_property
    def recordings(self) -> dg.DynamicPartitionsDefinition:
        """One partition per recording. Chunks and windows are rows in files, never partitions: millions of them would drown
        the instance."""
        return dg.DynamicPartitionsDefinition(name=names.partition_set(self.project))

    def key(self, asset: str) -> dg.AssetKey:
        return names.asset_key(self.project, asset)

    def named(self, name: str) -> str:
        return names.in_dataset(self.project, name)

    def selection(self, *assets: str) -> dg.AssetSelection:
        return dg.AssetSelection.assets(*(self.key(asset) for asset in assets))

    def asset(
        self, body: Body, *, group: str, deps: Sequence[str] = (), per_recording: bool = False, **options: Any
    ) -> dg.AssetsDefinition:
        """The asset that is named like `body`. With `per_recording` a run over many recordings is one step."""
        decorate = dg.asset(
            key=self.key(body.__name__),
            deps=[self.key(dep) for dep in deps],
            group_name=self.named(group),
            owners=OWNERS,
            **self._ranges(per_recording=per_recording),
            **options,
        )
        return decorate(self.bound(body))

    def multi_asset(
        self, body: Body, *, group: str, specs: Mapping[str, Mapping[str, Any]], deps: Sequence[str]
    ) -> dg.AssetsDefinition:
        """Several assets per recording from one step: name -> the rest of its spec."""
        decorate = dg.multi_asset(
            name=self._op(body.__name__),
            specs=[
                dg.AssetSpec(self.key(name), deps=[self.key(dep) for dep in deps], owners=OWNERS, **rest)
                for name, rest in specs.items()
            ],
            group_name=self.named(group),
            **self._ranges(per_recording=True),
        )
        return decorate(self.bound(body))

    def check(
        self, body: Body, *, asset: str, per_recording: bool = False, blocking: bool = False
    ) -> dg.AssetChecksDefinition:
        """The check of `asset` that is named like `body`."""
        partitions = self.recordings if per_recording else None
        decorate = dg.asset_check(asset=self.key(asset), blocking=blocking, partitions_def=partitions)
        return decorate(self.bound(body))

    def multi_check(self, body: Body, *, asset: str, checks: Mapping[str, str]) -> dg.AssetChecksDefinition:
        """Several checks per recording of one asset from one step: name -> description."""
        decorate = dg.multi_asset_check(
            name=self._op(body.__name__),
            can_subset=True,
            specs=[
                dg.AssetCheckSpec(name, asset=self.key(asset), partitions_def=self.recordings, description=description)
                for name, description in checks.items()
            ],
        )
        return decorate(self.bound(body))

    def sensor(self, body: Body, **options: Any) -> dg.SensorDefinition:
        decorate = dg.sensor(name=self.named(body.__name__), **options)
        return decorate(self.bound(body))

    def op(self, body: Body) -> dg.OpDefinition:
        return dg.op(name=self._op(body.__name__))(self.bound(body))

    def bound(self, body: Body) -> Body:
        """`body` without its parameter `project`, which is this dataset's."""

        @wraps(body)
        def with_project(*arguments: Any, **more: Any) -> Any:
            return body(*arguments, project=self.project, **more)

        # Dagster finds out from the signature what to pass, and which context. An iterator that is returned counts
        # as what it yields only where no annotation says that it is the result.
        given = inspect.signature(body).parameters.values()
        rest = inspect.Signature([parameter for parameter in given if parameter.name != "project"])
        with_project.__signature__ = rest  # pyright: ignore[reportAttributeAccessIssue]
        with_project.__annotations__ = {each.name: each.annotation for each in rest.parameters.values()}
        return with_project

    def _op(self, name: str) -> str:
        return "__".join([*names.prefix_of(self.project), name])

    def _ranges(self, *, per_recording: bool) -> dict[str, Any]:
        if not per_recording:
            return {}
        return {"partitions_def": self.recordings, "backfill_policy": dg.BackfillPolicy.single_run()}
