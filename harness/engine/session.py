"""One run of a plan: records its provenance, runs it, and calls the hooks of plugins at its start and its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.device import allocator, machine
from harness.engine.outcome import Outcome
from harness.engine.runner import Runner
from harness.files import told_damage
from harness.finish.finisher import Finisher
from harness.keep.processes import this_process
from harness.keep.texts import without_passwords
from harness.planning.grammar import parse
from harness.planning.plan import Plan
from harness.records import Claim, RunInfo, Status
from harness.store import Store
from harness.unit import Resampling

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.progress import Progress
    from harness.unit import Settings

__all__ = ["carry_out"]


def carry_out(
    plan: Plan,
    store: Store,
    settings: Settings,
    plugins: Plugins,
    progress: Progress,
    command: Sequence[str],
    resampling: Resampling,
    max_failures: int = 0,
    executor: str = "local",
) -> Outcome:
    """Run a plan, write the results to a store, and record the run there.

    Args:
        plan: the plan.
        store: the store, opened for writing.
        settings: device, precision, numbers of workers and threads.
        plugins: the installed plugins.
        progress: receives progress and warnings.
        command: the command line, for the record.
        resampling: how the confidence intervals are computed.
        max_failures: the number of failed samples up to which an experiment still counts as finished.
        executor: the executor, `name[:key=value,...]`.

    Raises:
        KeyboardInterrupt: the user interrupted the run. The computed rows have been written.
    """
    allocator.keep_memory()
    for note in (damage := told_damage()):
        progress.warning(note)
    parsed = parse(executor, levels=False)
    info = RunInfo(
        command=without_passwords(" ".join(command)),
        host=machine.host(),
        device=machine.device_words(settings.device),
        versions={**machine.library_versions(), **plugins.versions(), **_codec_libraries(plan)},
        git=machine.git_revision(),
        settings={
            "workers": settings.workers,
            "threads": settings.threads,
            "training_threads": settings.training_threads,
            "precision": settings.precision,
            "compiled": settings.compiled,
            "sample_timeout": settings.sample_timeout,
            "executor": executor,
            "resamples": resampling.resamples,
            "interval_seed": resampling.seed,
            "max_failures": max_failures,
            "warnings": [without_passwords(note) for note in (*plan.notes, *damage)],
            **({"shard": plan.shard, "plan": plan.digest} if plan.shard else {}),
            **({"plugin_files": files} if (files := plugins.files()) else {}),
        },
    )
    run = store.begin_run(info)
    status: Status = "interrupted"
    finisher = Finisher(store, progress, plugins, run, resampling.resamples, resampling.seed)
    events = finisher.events
    events.emit("harness_run_started", info=info, experiments=len(plan.experiments))
    try:
        runner = Runner(
            store,
            plugins.get("executor", parsed.name)(**parsed.options),
            settings,
            Claim(this_process(), run),
            progress,
            finisher,
            max_failures,
        )
        outcome = runner.run(plan)
        status = "failed" if outcome.failed else "interrupted" if outcome.interrupted else "finished"
    finally:
        finisher.tell()
        store.end_run(run, status)
        events.emit("harness_run_finished", status=status)
        if events.problems:
            store.add_warnings(run, list(events.problems))
    return outcome


def _codec_libraries(plan: Plan) -> dict[str, str]:
    """Return "codec/library" -> version for all codecs of a plan."""
    return {
        f"{cell.codec.name}/{name}": str(value)
        for p in plan.passes
        for cell in p.cells
        for name, value in cell.codec.fingerprint().items()
    }
