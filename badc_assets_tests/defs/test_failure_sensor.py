"""A failed run becomes a paragraph that says what failed, why, and what to do."""

from __future__ import annotations

import dagster as dg

from badc_assets.defs.failure_sensor import LOOK, RUN_AGAIN, failed_run, failure_sensor
from badc_assets.errors import BadcError
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.defs.running import run_assets


def context_of(instance, result) -> dg.RunFailureSensorContext:
    """What the daemon would hand to the sensor."""
    run = instance.get_run_by_id(result.run_id)
    (event,) = [event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE"]
    context = dg.build_run_status_sensor_context("tell_of_failures", event, instance, run)
    return context.for_run_failure()


def test_left_out_recordings_are_told_with_the_way_to_retry_them(tmp_path, instance):
    dataset = make_dataset(tmp_path, 2, bad=(1,))
    run_assets(dataset.project, instance, ["recording_catalog"])
    result = run_assets(
        dataset.project, instance, ["recordings", "chunk_manifest", "chunk_status", "detections"], dataset.recording_ids
    )
    failure_sensor(dataset.project)(context_of(instance, result))
    text = dataset.layout.failure_log.read_text()
    first, bad = dataset.recording_ids
    assert f"recordings {first} to {bad}" in text
    assert f"detections: 1 of 2 recordings were left out: {bad}" in text
    assert LOOK in text
    assert "Traceback" not in text


def test_a_problem_is_told_with_its_own_remedy(tmp_path, instance):
    dataset = make_dataset(tmp_path, 1)
    result = run_assets(dataset.project, instance, ["detection_aggregates"])
    (step,) = failed_run(context_of(instance, result)).steps
    assert "there is no catalogue" in step.why
    assert step.what_to_do == "materialize recording_catalog first"


def test_an_unforeseen_error_and_a_killed_run_are_told_in_a_line(instance):
    @dg.op
    def broken() -> None:
        raise ValueError("the\nreason")

    @dg.job
    def a_job() -> None:
        broken()

    result = a_job.execute_in_process(instance=instance, raise_on_error=False)
    (step,) = failed_run(context_of(instance, result)).steps
    assert (step.why, step.what_to_do) == ("ValueError: the", RUN_AGAIN)


def test_the_remedy_of_a_user_error_reaches_the_log(instance):
    from badc_assets.defs.failures import problems_as_failures

    @dg.op
    def refused() -> None:
        with problems_as_failures():
            raise BadcError("disk", "is full", "free space")

    @dg.job
    def a_job() -> None:
        refused()

    result = a_job.execute_in_process(instance=instance, raise_on_error=False)
    assert "disk: is full" in failed_run(context_of(instance, result)).as_text()
    assert "what to do: free space" in failed_run(context_of(instance, result)).as_text()
