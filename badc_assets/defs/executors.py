"""How the steps of a run are executed. Every run first frees what killed runs still hold, or it would wait for them for ever."""

import dagster as dg

from badc_assets.defs.recovery import mend_dead_runs
from badc_assets.project import Project


def executor_for(project: Project) -> dg.ExecutorDefinition:
    """The executor that the project asks for."""
    return _mending(dg.multiprocess_executor if project.executor == "multiprocess" else dg.in_process_executor)


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
