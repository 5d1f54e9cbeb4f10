"""`badc gpus`: the cards of this machine, how busy they are, who has leased them, and why there are none."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from badc_assets.inference.devices.gpus import FoundGpus, Gpu, GpuSample
    from badc_assets.inference.devices.leases import Holder


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command()(gpus)


def gpus(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")] = False) -> None:
    """List the GPUs, how busy they are, and who uses them; or say why none can be used."""
    from badc_assets.inference.devices.gpus import NvmlGateway
    from badc_assets.inference.devices.leases import lease_folder, lease_holders
    from badc_assets.inference.devices.visible import visible_gpus

    with NvmlGateway() as gateway:
        found = gateway.find()
        cards = [part for gpu in found.gpus for part in (gpu, *gpu.slices)]
        samples = {sample.uuid: sample for sample in gateway.sample([card.uuid for card in cards])}
    visible = visible_gpus(found, os.environ)
    holders = lease_holders(cards, lease_folder())
    if as_json:
        print(json.dumps(_as_json(cards, visible, samples, holders), indent=2))
    else:
        _print_table(cards, visible, samples, holders)


def _as_json(
    cards: list[Gpu], visible: FoundGpus, samples: dict[str, GpuSample], holders: dict[str, Holder]
) -> dict[str, Any]:
    listed = []
    for card in cards:
        sample, holder = samples.get(card.uuid), holders.get(card.uuid)
        listed.append(
            {
                "index": card.index,
                "uuid": card.uuid,
                "name": card.name,
                "memory_mb": card.memory_mb,
                "memory_used_mb": sample.memory_used_mb if sample else None,
                "utilisation": sample.utilisation if sample else None,
                "power_w": sample.power_w if sample else None,
                "is_visible": card in visible.gpus,
                "holder": asdict(holder) if holder else None,
            }
        )
    return {"gpus": listed, "problem": visible.problem}


def _print_table(
    cards: list[Gpu], visible: FoundGpus, samples: dict[str, GpuSample], holders: dict[str, Holder]
) -> None:
    from rich.table import Table
    from rich.text import Text

    from badc_assets.cli.monitor_view import wide_console
    from badc_assets.errors import printable

    console = wide_console()
    if cards:
        table = Table("GPU", "name", "MiB used", "MiB", "busy %", "W", "state", "UUID")
        for card in cards:
            sample, holder = samples.get(card.uuid), holders.get(card.uuid)
            figures = (sample.memory_used_mb, card.memory_mb, sample.utilisation, sample.power_w) if sample else ()
            state = f"leased to {holder}" if holder else "free" if card in visible.gpus else "hidden from this process"
            table.add_row(
                str(card.index),
                Text(printable(card.name)),
                *("" if value is None else f"{value:.0f}" for value in figures or (None, card.memory_mb, None, None)),
                Text(state),
                card.uuid,
            )
        console.print(table)
    if visible.problem:
        lead = "" if visible.gpus else "No GPU can be used: "
        console.print(lead + visible.problem, markup=False, highlight=False, soft_wrap=True)
    elif not visible.gpus:
        console.print("No GPU can be used: CUDA_VISIBLE_DEVICES hides them all.", highlight=False, soft_wrap=True)
