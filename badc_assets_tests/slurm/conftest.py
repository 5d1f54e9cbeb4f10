from __future__ import annotations

from pathlib import Path

import pytest

from badc_assets_tests.slurm.real_slurm import RealSlurm, real_slurm, why_not


@pytest.fixture(scope="session")
def _one_slurm(tmp_path_factory):
    if reason := why_not():
        pytest.skip(reason)
    with real_slurm(tmp_path_factory.mktemp("slurm") / "cluster") as running:
        yield running


@pytest.fixture
def slurm(_one_slurm: RealSlurm, monkeypatch):
    """A SLURM with nothing to do, which the commands of this process find. Nothing may be left in its queue."""
    monkeypatch.setenv("SLURM_CONF", str(_one_slurm.conf))
    yield _one_slurm
    left = _one_slurm.live_tasks()
    _one_slurm.cancel_all()
    assert left == [], "a test has left tasks behind"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A detector that takes its time: it finds something in each chunk, and writes down when it was called."""
    path = tmp_path / "detector" / "slow.sh"
    path.parent.mkdir()
    path.write_text(
        "#!/bin/bash\n"
        f'wait=$(cat "{path.parent}/seconds")\n'
        f'echo >> "{path.parent}/diary"\n'
        'sleep "$wait"\n'
        """echo '[{"timestamp_ms": 100, "end_ms": 600, "label": "TONE", "confidence": 0.5}]'\n"""
    )
    path.chmod(0o755)
    (path.parent / "seconds").write_text("0.3")
    return path
