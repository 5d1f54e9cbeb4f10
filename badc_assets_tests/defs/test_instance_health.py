"""What the doctor finds in a Dagster instance, and mends."""

from __future__ import annotations

import time

import dagster as dg

from badc_assets.defs.instance_health import gpu_slots, instance_examinations
from badc_assets.upkeep.examination import Diagnosis, examine
from badc_assets_tests.defs.test_recovery import holder, limited


def diagnosis(instance, name: str, *, fix=False, slots=1, needs_daemon=False) -> Diagnosis:
    every = instance_examinations(instance, slots, needs_daemon=needs_daemon)
    (found,) = examine([one for one in every if one.name == name], fix=fix)
    return found


def test_a_killed_run_is_found_and_mended_and_its_slot_is_free(tmp_path, instance):
    limited(instance)
    process = holder(instance, tmp_path / "started")
    assert diagnosis(instance, "dead runs").state == "ok"
    process.kill()
    process.wait()
    found = diagnosis(instance, "dead runs")
    assert found.state == "problem"
    (run,) = instance.get_runs()
    assert run.run_id in found.ailments[0].problem
    assert len(instance.event_log_storage.get_concurrency_info("gpu").claimed_slots) == 1
    assert diagnosis(instance, "dead runs", fix=True).state == "fixed"
    assert instance.event_log_storage.get_concurrency_info("gpu").claimed_slots == []


def test_a_slot_of_a_run_that_is_over_is_found_and_freed(instance):
    limited(instance)
    run = instance.create_run_for_job(dg.job(name="nothing")(lambda: None))
    assert instance.event_log_storage.claim_concurrency_slot("gpu", run.run_id, "step").is_claimed
    assert diagnosis(instance, "pool slots").state == "ok"
    instance.report_run_failed(run)
    found = diagnosis(instance, "pool slots")
    assert "gpu" in found.ailments[0].problem
    assert diagnosis(instance, "pool slots", fix=True).state == "fixed"
    assert instance.event_log_storage.claim_concurrency_slot("gpu", "other", "step").is_claimed
    # Of a run that was deleted too.
    assert diagnosis(instance, "pool slots").state == "problem"


def test_pool_limits_follow_the_cards(instance):
    assert gpu_slots(8, 2) == 4
    assert gpu_slots(8, None) == gpu_slots(0, 2) == gpu_slots(1, 4) == gpu_slots(4, 0) == 1
    limited(instance)
    found = diagnosis(instance, "pool limits", slots=4)
    assert any("pool gpu lets 1" in ailment.problem for ailment in found.ailments)
    assert diagnosis(instance, "pool limits", slots=4, fix=True).state == "fixed"
    assert instance.event_log_storage.get_concurrency_info("gpu").slot_count == 4
    instance.event_log_storage.set_concurrency_slots("datalad", 3)
    assert diagnosis(instance, "pool limits", slots=4).state == "problem"
    assert diagnosis(instance, "pool limits", slots=4, fix=True).state == "fixed"


def test_a_daemon_is_missed_only_when_something_runs_by_itself(instance):
    from dagster._core.utils import make_new_run_id
    from dagster._daemon.types import DaemonHeartbeat

    assert diagnosis(instance, "daemon").state == "ok"
    assert diagnosis(instance, "daemon", needs_daemon=True).state == "problem"
    instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), "SENSOR", make_new_run_id(), []))
    assert diagnosis(instance, "daemon", needs_daemon=True).state == "ok"
