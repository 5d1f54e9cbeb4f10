"""What runs by itself: which recordings follow an examination, and when tables, report and fsck are due."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import pytest

from badc_assets.definitions import build_definitions
from badc_assets.errors import BadcError
from badc_assets.project import Project, load_project
from badc_assets_tests.datasets import make_dataset
from badc_assets_tests.defs.running import run_assets
from badc_assets_tests.sounds import noise, write_sound

CHUNKS = ("chunk_manifest", "chunk_status")


class Follower:
    """Asks the automation what it would start, tick by tick, and starts it."""

    def __init__(self, dataset, instance) -> None:
        self.dataset, self.instance, self.cursor = dataset, instance, None
        self.definitions = build_definitions(dataset.project)

    def tick(self) -> dict[str, set[str]]:
        result = dg.evaluate_automation_conditions(
            defs=self.definitions, instance=self.instance, cursor=self.cursor,
            asset_selection=dg.AssetSelection.assets(*CHUNKS, "detections"),
        )  # fmt: skip
        self.cursor = result.cursor
        asked = {name: result.get_requested_partitions(dg.AssetKey(name)) for name in (*CHUNKS, "detections")}
        return {name: keys for name, keys in asked.items() if keys}

    def run(self, assets, recordings) -> None:
        run_assets(self.dataset.project, self.instance, assets, recordings)


@pytest.fixture
def follower(tmp_path, instance):
    dataset = make_dataset(tmp_path, 3, bad=(1,))
    follower = Follower(dataset, instance)
    assert follower.tick() == {}
    follower.run(["recording_catalog"], ())
    assert follower.tick() == {}
    return follower


def test_each_recording_follows_as_far_as_its_own_check_lets_it(follower):
    first, bad, last = follower.dataset.recording_ids
    follower.run(["recordings"], follower.dataset.recording_ids)
    asked = follower.tick()
    assert {name: asked.get(name) for name in CHUNKS} == {key: {first, bad, last} for key in CHUNKS}
    follower.run(CHUNKS, follower.dataset.recording_ids)
    assert follower.tick() == {"detections": {first, last}}
    follower.run(["detections"], [first])
    follower.run(["detections"], [last])
    assert follower.tick() == {}
    write_sound(follower.dataset.layout.source(f"audio/{bad}.wav"), noise(5, seed=8))
    follower.run(["recording_catalog"], ())
    follower.run(["recordings"], [bad])
    assert follower.tick() == {key: {bad} for key in CHUNKS}
    follower.run(CHUNKS, [bad])
    assert follower.tick() == {"detections": {bad}}


def test_a_run_of_all_stages_leaves_nothing_to_follow(follower):
    follower.run(["recordings", *CHUNKS, "detections"], follower.dataset.recording_ids)
    assert follower.tick() == {}


@pytest.fixture
def repository(tmp_path):
    return build_definitions(Project.model_validate({"dataset": tmp_path})).get_repository_def()


def automatic(repository) -> dict[str, str]:
    """Everything that starts work by itself, and whether it does unless somebody switches it."""
    everything = [*repository.schedule_defs, *repository.sensor_defs]
    statuses = {one.name: one.default_status.value for one in everything}
    assert statuses.pop("mend_killed_runs") == "RUNNING", "it only tidies up, and is always on"
    return statuses


def test_everything_is_off_until_the_one_setting_turns_it_on(tmp_path, repository):
    assert set(automatic(repository)) >= {"aggregates_hourly", "report_nightly", "fsck_weekly", "follow_recordings"}
    assert set(automatic(repository).values()) == {"STOPPED"}
    on = Project.model_validate({"dataset": tmp_path, "automation": {"enabled": True}})
    assert set(automatic(build_definitions(on).get_repository_def()).values()) == {"RUNNING"}


def test_tables_and_report_are_overdue_only_where_somebody_promised_them(tmp_path, repository):
    def promised(project) -> set[str]:
        specs = build_definitions(project).resolve_all_asset_specs()
        return {spec.key.to_user_string() for spec in specs if spec.freshness_policy is not None}

    assert promised(Project.model_validate({"dataset": tmp_path})) == set()
    on = Project.model_validate({"dataset": tmp_path, "automation": {"enabled": True}})
    assert promised(on) == {"detection_aggregates", "dataset_report"}


def test_times_and_zone_are_the_projects(tmp_path):
    settings = {"aggregates": "5 * * * *", "zone": "America/Edmonton", "fsck_full": True}
    project = Project.model_validate({"dataset": tmp_path, "automation": settings})
    repository = build_definitions(project).get_repository_def()
    schedule = repository.get_schedule_def("aggregates_hourly")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("5 * * * *", "America/Edmonton")
    due = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 5, 3, 4, tzinfo=UTC))
    (request,) = repository.get_schedule_def("fsck_weekly").evaluate_tick(due).run_requests
    job = repository.get_job("fsck")
    assert dg.validate_run_config(job, request.run_config)
    assert "'full': True" in str(request.run_config)


@pytest.mark.parametrize(
    ("name", "value"),
    [("REPORT", "now and then"), ("FSCK", "61 * * * *"), ("ZONE", "Mars"), ("FAILURE_WEBHOOK", "me@x.ca")],
)
def test_a_wrong_setting_is_refused_in_one_line(tmp_path, name, value):
    with pytest.raises(BadcError, match=r"cron|zone|web address"):
        build_definitions(load_project({"BADC_DATASET": str(tmp_path), f"BADC_AUTOMATION__{name}": value}, tmp_path))


def test_tables_are_due_when_detections_changed_and_not_before(tmp_path, instance):
    dataset = make_dataset(tmp_path, 2)
    schedule = build_definitions(dataset.project).get_repository_def().get_schedule_def("aggregates_hourly")

    def is_due() -> bool:
        tick = schedule.evaluate_tick(dg.build_schedule_context(instance=instance))
        assert tick.run_requests or tick.skip_message
        return bool(tick.run_requests)

    assert not is_due()
    run_assets(dataset.project, instance, ["recording_catalog"])
    run_assets(dataset.project, instance, ["recordings", *CHUNKS, "detections"], dataset.recording_ids)
    assert is_due()
    run_assets(dataset.project, instance, ["detection_aggregates"])
    assert not is_due()
    run_assets(dataset.project, instance, ["detections"], dataset.recording_ids[:1])
    assert is_due()
