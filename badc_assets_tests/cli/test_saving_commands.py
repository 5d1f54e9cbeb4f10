"""`badc run` in a DataLad dataset: one commit for all it did, and nothing is left to save."""

from __future__ import annotations

import json

from badc_assets_tests.cli.same_process import SameProcess
from badc_assets_tests.cli.test_commands import home
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.git import git_environment, require_programs, run_in

__all__ = ["home"]


def test_a_run_is_one_commit_also_when_something_is_bad(home, tmp_path):
    require_programs("git", "git-annex", "datalad")
    root = tmp_path / "data"
    run_in(tmp_path, "datalad", "create", str(root))
    dataset = make_dataset(root, 3, bad=(1,))
    run_in(root, "datalad", "save", "-m", "sound")
    before = run_in(root, "git", "rev-parse", "HEAD")
    shell = SameProcess(home, root)
    shell.environment |= git_environment(tmp_path)

    status, output = shell("badc", "run", BADC_DISABLE_DATALAD="1")
    assert status == 1, output
    assert run_in(root, "git", "rev-parse", "HEAD") == before
    status, output = shell("badc", "run")
    assert "Saving results (3): done" in output, output
    assert run_in(root, "git", "rev-parse", "HEAD^") == before
    assert run_in(root, "git", "status", "--porcelain") == ""
    status, output = shell("badc", "run")
    assert "Saving results: nothing to do" in output
    assert run_in(root, "git", "rev-parse", "HEAD^") == before

    status, output = shell("badc", "trace", dataset.recording_ids[0], "--json")
    assert status == 0, output
    traced = json.loads(output)
    assert traced["audio"]["commit"] == before
    assert traced["commit"] == run_in(root, "git", "rev-parse", "HEAD")
    assert shell("badc", "fsck", "--full")[0] == 0
