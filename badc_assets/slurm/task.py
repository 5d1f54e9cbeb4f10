"""One task of an array job: `python -m badc_assets.slurm.task FOLDER`, started by the script in that folder.

It is the same engine as in a local run, over the recordings of the task: the model is loaded once, journals let it go on after
whatever ended it, and results land where they would in a local run. What became of each recording is added to the task's events.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from badc_assets.errors import BadcError
from badc_assets.slurm.events import Ended, Started, Stopped, append_event
from badc_assets.slurm.submission import Submission, read_plan


def main() -> int:
    """The exit status: 0 when there is an outcome for each recording, whatever it is."""
    try:
        run_task(Submission(Path(sys.argv[1])), int(os.environ["SLURM_ARRAY_TASK_ID"]), os.environ)
    except BadcError as error:
        print(error, flush=True)
        return 1
    return 0


def run_task(submission: Submission, number: int, environment: Mapping[str, str]) -> None:
    """Analyse the recordings of this task. Raises BadcError, after having told of it, when it cannot go on."""
    events = submission.events(number)
    restarts = environment.get("SLURM_RESTART_COUNT", "0")
    append_event(events, Started(socket.gethostname(), environment.get("CUDA_VISIBLE_DEVICES", ""), int(restarts)))
    try:
        plan = read_plan(submission)
        log = plan.project.layout.telemetry_dir / f"{plan.run_id}-{submission.name}-{number}.jsonl"
        engine = plan.project.make_engine(_now, plan.run_id, say=_say, log=log)
        for outcome in engine.run(plan.tasks[number]):
            append_event(events, outcome)
            _say(f"{outcome.recording_id}: {outcome.reason or 'done'}")
    except BadcError as error:
        append_event(events, Stopped(error.subject, error.problem, error.remedy))
        raise
    append_event(events, Ended())


def _say(text: str) -> None:
    print(text, flush=True)


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
