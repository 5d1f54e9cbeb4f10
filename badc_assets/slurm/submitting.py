"""Handing in array jobs: one that is refused for now is handed in again a little later, and none is handed in twice."""

from __future__ import annotations

from dataclasses import dataclass

from badc_assets.errors import BadcError
from badc_assets.slurm.gateway import SlurmGateway, SlurmSilent, SubmitRefused
from badc_assets.slurm.options import SbatchOptions
from badc_assets.slurm.submission import Submission

FIRST_DELAY_S = 5.0
LONGEST_DELAY_S = 300.0


@dataclass
class Handover:
    """An array on its way to SLURM. `attempt` counts how often its recordings were given to a task, from 1."""

    submission: Submission
    tasks: tuple[tuple[str, ...], ...]
    options: SbatchOptions
    attempt: int
    next_at: float = 0.0
    refused_since: float | None = None
    may_be_there: bool = False
    problem: str = ""

    def tried(self, slurm: SlurmGateway, now: float, patience_s: float) -> str | None:
        """The number of the job; None when it has to be tried again at `next_at`.

        Raises BadcError when SLURM will not have it, or has not taken it for `patience_s`.
        """
        try:
            # A submission that got no answer may have been taken.
            found = slurm.find(self.submission.name) if self.may_be_there else None
            return found or slurm.submit(self.submission.script)
        except SlurmSilent as silent:
            self.may_be_there, self.problem = True, str(silent)
        except SubmitRefused as refused:
            if refused.is_final:
                raise _not_taken(str(refused), "correct the profile of the cluster or the tag badc/slurm") from refused
            self.problem = str(refused)
        self._wait(now, patience_s)
        return None

    def _wait(self, now: float, patience_s: float) -> None:
        since = now if self.refused_since is None else self.refused_since
        if now - since >= patience_s:
            remedy = (
                "start the run again when the cluster takes jobs; `retry.submit_minutes` of the profile waits longer"
            )
            raise _not_taken(f"{self.problem} (for {(now - since) / 60:.0f} minutes)", remedy)
        delay = min(max(now - since, FIRST_DELAY_S), LONGEST_DELAY_S)
        self.refused_since, self.next_at = since, now + min(delay, patience_s)


def _not_taken(problem: str, remedy: str) -> BadcError:
    return BadcError("sbatch", f"does not take the array job: {problem}", remedy)
