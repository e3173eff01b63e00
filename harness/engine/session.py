"""One run: a plan carried out against a store, with its provenance, and the loggers told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.engine import machine
from harness.engine.finish import Finisher
from harness.engine.runner import Outcome, Runner
from harness.keep.processes import this_process
from harness.planning.grammar import parse
from harness.planning.plan import Plan
from harness.records import Claim, RunInfo, Status
from harness.store import Store

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.progress import Progress
    from harness.unit import Settings

__all__ = ["Resampling", "carry_out"]


@dataclass(frozen=True)
class Resampling:
    """How intervals are computed.

    Args:
        resamples: how many.
        seed: of the resampling; equal seeds make experiments comparable in pairs.
    """

    resamples: int = 1000
    seed: int = 0


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
    """Run a plan against a store, recorded as a run.

    Raises:
        KeyboardInterrupt: what was done has been kept.
    """
    asked = parse(executor, levels=False)
    info = RunInfo(
        command=" ".join(command),
        host=machine.host(),
        device=machine.device_words(settings.device),
        versions={**machine.library_versions(), **plugins.versions(), **_codec_libraries(plan)},
        git=machine.git_revision(),
        settings={
            "workers": settings.workers,
            "threads": settings.threads,
            "training_threads": settings.training_threads,
            "precision": settings.precision,
            "executor": executor,
            "resamples": resampling.resamples,
            "interval_seed": resampling.seed,
            "max_failures": max_failures,
        },
    )
    run = store.begin_run(info)
    status: Status = "interrupted"
    _tell(plugins, progress, "harness_run_started", run=run, info=info, experiments=len(plan.experiments))
    try:
        finisher = Finisher(store, progress, plugins, run, resampling.resamples, resampling.seed)
        runner = Runner(
            store,
            plugins.get("executor", asked.name)(**asked.options),
            settings,
            Claim(this_process(), run),
            progress,
            finisher,
            max_failures,
        )
        outcome = runner.run(plan)
        status = "failed" if outcome.failed else "finished"
    finally:
        store.end_run(run, status)
        _tell(plugins, progress, "harness_run_finished", run=run, status=status)
    return outcome


def _codec_libraries(plan: Plan) -> dict[str, str]:
    return {
        f"{cell.codec.name}/{name}": str(value)
        for p in plan.passes
        for cell in p.cells
        for name, value in cell.codec.fingerprint().items()
    }


def _tell(plugins: Plugins, progress: Progress, event: str, **arguments: Any) -> None:
    for problem in plugins.emit(event, arguments):
        progress.warning(problem)
