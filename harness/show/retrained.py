"""Retrained models beside the pretrained one: which experiments of theirs there are, and where their weights lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError, WeightsError
from harness.files import sha256_file
from harness.model import Weights
from harness.results.naming import training_words
from harness.results.trainings import kind_of, newest_trainings, training_filter

if TYPE_CHECKING:
    from pathlib import Path

    from harness.results.cells import ResultCell
    from harness.store import Store

__all__ = ["beside", "weights_of"]


def beside(
    pretrained: Sequence[ResultCell], everything: Sequence[ResultCell], words: Sequence[str]
) -> dict[str, tuple[ResultCell, ...]]:
    """The experiments of retrained models at the levels of pretrained ones: by the pretrained one's key.

    Of trainings from several seeds the first is taken; of several recipes the one that finished last.

    Args:
        pretrained: those that are shown.
        everything: finished experiments of the task.
        words: what `harness.results.trainings.training_filter` knows.

    Raises:
        UsageError: a word that means nothing, or that no experiment at these levels fits.
    """
    found: dict[str, list[ResultCell]] = {cell.facts["experiment"]: [] for cell in pretrained}
    for word in words:
        fits = training_filter(word)
        some = False
        for cell in pretrained:
            alike = [one for one in everything if one.facts["cell"] == cell.facts["cell"] and fits(one)]
            alike = [one for one in alike if kind_of(one) != "pretrained"]
            if chosen := min(newest_trainings(alike), key=lambda one: one.facts["seed"], default=None):
                found[cell.facts["experiment"]].append(chosen)
                some = True
        if not some and word != "pretrained":
            there = dict.fromkeys(training_words(cell) for cell in everything if kind_of(cell) != "pretrained")
            raise UsageError(
                f"--training {word}: the database has no such experiment at these levels. "
                f"Trainings it has: {', '.join(there) or 'none (harness run --retrain)'}."
            )
    return {key: tuple(cells) for key, cells in found.items() if cells}


def weights_of(store: Store, identities: Mapping[str, Mapping[str, Any]], classes: Sequence[str]) -> dict[str, Weights]:
    """What trainings made, by the experiment's key; experiments of pretrained models are left out.

    Args:
        store: opened.
        identities: of experiments, by key.
        classes: of the dataset that was trained on.

    Raises:
        WeightsError: a file that is not here, or not what was recorded.
    """
    jobs = {key: its["training"]["job"] for key, its in identities.items() if "job" in its["training"]}
    made = store.checkpoints(sorted(set(jobs.values())))
    checked: dict[str, Weights] = {}
    for job in set(jobs.values()):
        if job not in made:
            raise WeightsError(f"the database does not know what training {job[:12]} made.")
        path = _checked(made[job].path, made[job].sha256)
        checked[job] = Weights(path.name, path, made[job].sha256, tuple(classes))
    return {key: checked[job] for key, job in jobs.items()}


def _checked(file: str, sha256: str) -> Path:
    from pathlib import Path

    path = Path(file)
    if not path.is_file():
        raise WeightsError(
            f"the weights that retraining made are not here any more: {path}. The harness run that made them, with "
            "another --db, makes them again."
        )
    if (found := sha256_file(path)) != sha256:
        raise WeightsError(f"{path} has SHA-256 {found}, {sha256} was recorded when it was made.")
    return path
