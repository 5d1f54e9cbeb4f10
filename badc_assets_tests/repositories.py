"""Real git and git-annex repositories for tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from badc_assets_tests.audio.builders import write_sound

IDENTITY = {f"GIT_{who}_{what}": "test@test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


class Repository:
    """A repository in a folder of its own, with an identity that no configuration is needed for."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def plain(cls, root: Path) -> Repository:
        """Git without git-annex."""
        root.mkdir(parents=True)
        repository = cls(root)
        repository.run("git", "init", "-q", "-b", "main")
        return repository

    @classmethod
    def annexed(cls, root: Path) -> Repository:
        repository = cls.plain(root)
        repository.run("git", "annex", "init", "-q", root.name)
        return repository

    def clone(self, root: Path) -> Repository:
        """A clone of it, without content."""
        self.run("git", "clone", "-q", os.fspath(self.root), os.fspath(root))
        copy = Repository(root)
        copy.run("git", "annex", "init", "-q", root.name)
        return copy

    def run(self, *command: str, may_fail: bool = False) -> str:
        done = subprocess.run(
            command, cwd=self.root, env=self.environment(), capture_output=True, text=True, check=False
        )
        assert may_fail or done.returncode == 0, done.stderr
        return done.stdout.strip()

    def environment(self) -> dict[str, str]:
        """git-annex on the path, an identity, and nobody's configuration."""
        tools = os.pathsep.join([os.fspath(Path(sys.executable).parent), os.environ["PATH"]])
        return {**os.environ, **IDENTITY, "PATH": tools, "HOME": os.fspath(self.root)}

    def key(self, name: str) -> str:
        return self.run("git", "annex", "lookupkey", name)

    def add_sounds(self, **frames: int) -> str:
        """Save sounds audio/NAME.wav of that many frames; the commit."""
        for name, count in frames.items():
            path = self.root / f"audio/{name}.wav"
            path.unlink(missing_ok=True)
            write_sound(path, count)
        self.run("git", "annex", "add", "-q", "audio")
        return self.commit("sound")

    def commit(self, message: str) -> str:
        """Commit what is in the index; the commit."""
        self.run("git", "commit", "-q", "--allow-empty", "-m", message)
        return self.run("git", "rev-parse", "HEAD")

    def add_subdataset(self, other: Repository, path: str) -> str:
        """Save another repository as a subdataset; the commit."""
        self.run("git", "-c", "protocol.file.allow=always", "submodule", "add", "-q", os.fspath(other.root), path)
        return self.commit(f"subdataset {path}")
