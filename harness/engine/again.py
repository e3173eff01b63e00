"""Computes experiments again that the database has (`harness run --again`), and says what came out otherwise.

The plan is carried out under provisional keys (`Store.begin_again`), so that the records of before stay as they are
until new ones are whole. Then these take their places, comparisons with them are computed, and both are compared.
If two runs do that at the same time, one of them computes an experiment, and the other waits for it.
Streams and derived data of the cache folder are made anew; trained weights are used as they are there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.finish.differences import Differences, differences
from harness.finish.refresh import refresh
from harness.planning.plan import Plan

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.experiment import Experiment
    from harness.progress import Progress
    from harness.store import Store
    from harness.unit import Cell, Resampling

__all__ = ["Again", "begin_again", "newly_planned", "put_elsewhere", "put_in_place"]


@dataclass(frozen=True)
class Again:
    """A plan whose finished experiments are computed again.

    Args:
        plan: the plan. Experiments that the database has are under provisional keys.
        provisional: the provisional key of each such experiment, by its own key.
    """

    plan: Plan
    provisional: Mapping[str, str]

    def own_key(self, key: str) -> str:
        """Return an experiment's own key; `key` may be a provisional one."""
        return {provisional: own for own, provisional in self.provisional.items()}.get(key, key)


def begin_again(plan: Plan, store: Store) -> Again:
    """Return the plan with its finished experiments under provisional keys.

    Raises:
        StoreError: the store keeps no superseded records, or another process computes one of them again at this time.
    """
    keys = [experiment.key for experiment in plan.experiments]
    states = store.states(keys)
    finished = [key for key in keys if key in states and states[key].status == "finished"]
    provisional = store.begin_again(finished)

    def fresh(cell: Cell) -> Cell:
        if cell.experiment.key not in provisional:
            return cell
        # Without a baseline, nothing is compared before the records are in their places.
        experiment = replace(cell.experiment, key=provisional[cell.experiment.key], baseline=None)
        return replace(cell, experiment=experiment, fresh=True)

    passes = tuple(replace(a_pass, cells=tuple(map(fresh, a_pass.cells))) for a_pass in plan.passes)
    return Again(replace(plan, passes=passes), provisional)


def newly_planned(plan: Plan) -> list[Experiment]:
    """Return the experiments that a store may lack. Second records are there, or another run has put them in place."""
    fresh = {cell.experiment.key for a_pass in plan.passes for cell in a_pass.cells if cell.fresh}
    return [experiment for experiment in plan.experiments if experiment.key not in fresh]


def put_elsewhere(cells: Sequence[Cell], store: Store) -> list[str]:
    """Return the provisional keys of cells that another run has computed again meanwhile, and put in their places."""
    fresh = [cell.experiment.key for cell in cells if cell.fresh]
    there = store.identities(fresh) if fresh else {}
    return [key for key in fresh if key not in there]


def put_in_place(
    again: Again, store: Store, plugins: Plugins, progress: Progress, resampling: Resampling
) -> dict[str, Differences]:
    """Let finished records supersede those of before; return what differs, by the experiment's own key.

    Comparisons with what was superseded are computed for all experiments of the database.
    """
    records = store.supersede(list(again.provisional))
    progress.status("comparing with the records of before" if records else "")
    found = {key: differences(store, key, record) for key, record in records.items()}
    if records:
        refresh(store, plugins, progress, resampling.resamples, resampling.seed)
    progress.status("")
    return found
