"""Which detector a command was asked to run, and with what, in BADC's words and in ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from badc_assets.errors import BadcError
from badc_assets.project import Project, changed


@dataclass(frozen=True)
class DetectorChoice:
    """What was said on the command line; None and empty for what was not.

    `use_hawkears` True means the detector hawkears, False the stub; `runner_cmd` is a program, for the detector command.
    """

    detector: str | None = None
    use_hawkears: bool | None = None
    runner_cmd: str | None = None
    hawkears_args: tuple[str, ...] = ()
    max_gpus: int | None = None
    cpu_workers: int | None = None
    max_retries: int | None = None

    @property
    def name(self) -> str | None:
        """The detector, None for the project's. Raises BadcError when two were named."""
        words = {"--detector": self.detector, "--runner-cmd": self.runner_cmd and "command"}
        words |= {"--use-hawkears": "hawkears"} if self.use_hawkears else {}
        words |= {"--stub-runner": "stub"} if self.use_hawkears is False else {}
        named = {option: detector for option, detector in words.items() if detector}
        if len(set(named.values())) > 1:
            raise BadcError(" and ".join(named), "name different detectors", "give one of them")
        return next(iter(named.values()), None)

    def applied(self, project: Project) -> Project:
        """The project with this choice. Raises BadcError for a choice that cannot be."""
        values = project.model_dump()
        values["detector"] = self.name or project.detector
        if self.hawkears_args and values["detector"] != "hawkears":
            raise BadcError(
                "--hawkears-arg", f"has no meaning for the detector {values['detector']}", "add --use-hawkears"
            )
        inference = {"max_gpus": self.max_gpus, "cpu_workers": self.cpu_workers, "max_retries": self.max_retries}
        values["inference"] |= {name: value for name, value in inference.items() if value is not None}
        tables: dict[str, dict[str, Any]] = values["detectors"]
        if self.hawkears_args:
            tables["hawkears"] = tables.get("hawkears", {}) | {"extra_args": list(self.hawkears_args)}
        if self.runner_cmd is not None:
            tables["command"] = tables.get("command", {}) | {"command": self.runner_cmd}
        return changed(project, values)

    def words(self) -> list[str]:
        """The options of a command line that say the same."""
        words = [] if self.use_hawkears is None else ["--use-hawkears" if self.use_hawkears else "--stub-runner"]
        valued = {
            "--detector": self.detector, "--runner-cmd": self.runner_cmd, "--max-gpus": self.max_gpus,
            "--cpu-workers": self.cpu_workers, "--max-retries": self.max_retries,
        }  # fmt: skip
        words += [word for name, value in valued.items() if value is not None for word in (name, str(value))]
        # With `=`: what is passed on may begin with dashes itself.
        return words + [f"--hawkears-arg={argument}" for argument in self.hawkears_args]
