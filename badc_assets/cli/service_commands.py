"""`badc service`: a unit file for systemd, so that the page and the daemon run without anybody logged in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from badc_assets.cli.instance import instance_environment

UNIT = """\
[Unit]
Description=badc_assets on {folder}
After=network-online.target

[Service]
WorkingDirectory={folder}
Environment="DAGSTER_HOME={home}"
EnvironmentFile=-{folder}/badc.env
ExecStartPre=-"{program}" doctor --fix
ExecStart="{program}" ui --port {port}
# The first signal goes to Dagster alone, which ends its children; whatever is left then is ended too.
KillMode=mixed
KillSignal=SIGTERM
TimeoutStopSec=90
SuccessExitStatus=143 SIGTERM
Restart=on-failure
RestartSec=15

[Install]
WantedBy=default.target
"""


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command()(service)


def service(port: Annotated[int, typer.Option(help="Port of the page on this machine.")] = 3000) -> None:
    """Print a systemd unit that keeps the page and the daemon running from this folder.

    Example: badc service > ~/.config/systemd/user/badc.service; systemctl --user enable --now badc
    """
    home = instance_environment()["DAGSTER_HOME"]
    program = Path(sys.executable).parent / "badc"
    print(unit(Path.cwd(), Path(home), program, port), end="")


def unit(folder: Path, home: Path, program: Path, port: int) -> str:
    """The unit file. A percent sign in a path would be a placeholder there."""
    places = {"folder": folder, "home": home, "program": program}
    return UNIT.format(**{name: str(path).replace("%", "%%") for name, path in places.items()}, port=port)
