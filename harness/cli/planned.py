"""The trainings of a plan: which are done, which are to do, and how many iterations they have."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.training.job import place_of

if TYPE_CHECKING:
    from harness.planning.plan import Plan

__all__ = ["PlannedTraining", "in_words", "planned_trainings"]


@dataclass(frozen=True)
class PlannedTraining:
    """A training that experiments of a plan need.

    Args:
        key: the key of the training.
        task: the task of the model.
        model: the model's name in results.
        training: a description of the training, such as "jpeg@15".
        seed: the seed of the training.
        iterations: the total number of iterations.
        status: "done", "begun" or "to do", from the training's files in the cache folder.
    """

    key: str
    task: str
    model: str
    training: str
    seed: int
    iterations: int
    status: str


def planned_trainings(plan: Plan, found: Collection[str] = ()) -> list[PlannedTraining]:
    """Return the trainings of a plan, each once, in the plan's order.

    Args:
        plan: the plan.
        found: the keys of finished experiments. A training that only finished experiments need is left out.
    """
    listed: dict[str, PlannedTraining] = {}
    for a_pass in plan.passes:
        if a_pass.job is None or all(cell.experiment.key in found for cell in a_pass.cells):
            continue
        experiment, files = a_pass.cells[0].experiment, place_of(a_pass.job)
        begun = files.checkpoint.is_file()
        status = "done" if begun and files.weights.is_file() else "begun" if begun else "to do"
        key = a_pass.job.key()
        listed[key] = PlannedTraining(
            key,
            experiment.task,
            experiment.model,
            experiment.training.label,
            a_pass.job.seed,
            a_pass.job.recipe.iterations,
            status,
        )
    return list(listed.values())


def in_words(trainings: Sequence[PlannedTraining]) -> str:
    """Return a sentence with the number of trainings, how many are done, and how many iterations are to do.

    >>> todo = PlannedTraining("k", "detection", "demo-detector", "jpeg@15", 0, 160, "to do")
    >>> in_words([todo])
    '1 training: 0 found, 1 to do (160 iterations).'
    """
    todo = [training for training in trainings if training.status != "done"]
    begun = sum(training.status == "begun" for training in todo)
    words = f"{len(trainings)} training{'' if len(trainings) == 1 else 's'}: {len(trainings) - len(todo)} found, "
    words += f"{len(todo)} to do" + (f", {begun} of them begun" if begun else "")
    return words + (f" ({sum(training.iterations for training in todo)} iterations)." if todo else ".")
