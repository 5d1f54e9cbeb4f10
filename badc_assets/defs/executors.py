"""How the steps of a run are executed. Every run first frees what killed runs still hold, or it would wait for them for ever."""

import dagster as dg

from badc_assets.defs.recovery import mend_dead_runs
from badc_assets.defs.slurm_executor import slurm_executor
from badc_assets.project import Project


def executor_for(*projects: Project) -> dg.ExecutorDefinition:
    """The executor that the project asks for: the first decides, unless one has its detectors on a cluster."""
    if any(project.slurm.is_on for project in projects):
        return _mending(slurm_executor(projects))
    return _mending(dg.multiprocess_executor if projects[0].executor == "multiprocess" else dg.in_process_executor)


def _mending(executor: dg.ExecutorDefinition) -> dg.ExecutorDefinition:
    @dg.executor(
        name=executor.name,
        config_schema=executor.config_schema,  # pyright: ignore[reportArgumentType]  a resolved schema is taken too
        requirements=executor.get_requirements,
    )
    def mending(context: dg.InitExecutorContext) -> dg.Executor:
        mend_dead_runs(context.instance)
        create = executor.executor_creation_fn
        assert create is not None
        return create(context)

    return mending
