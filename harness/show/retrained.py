"""Retrained models in a panel: finds their experiments and their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError, WeightsError
from harness.files import sha256_file
from harness.model import Weights
from harness.results.naming import training_words
from harness.results.trained import kind_of
from harness.results.trainings import newest_trainings, training_filter

if TYPE_CHECKING:
    from pathlib import Path

    from harness.results.cells import ResultCell
    from harness.store import Store

__all__ = ["find_retrained", "weights_of"]


def find_retrained(
    pretrained: Sequence[ResultCell], everything: Sequence[ResultCell], words: Sequence[str]
) -> dict[str, tuple[ResultCell, ...]]:
    """Find the experiments of retrained models at the same levels as the shown experiments of the pretrained model.

    If a model was retrained with several recipes, the training that finished last is used; of several seeds, the
    lowest.

    Args:
        pretrained: the shown experiments of the pretrained model.
        everything: all finished experiments of the task.
        words: the trainings to find, as words of `harness.results.trainings.training_filter`.

    Returns:
        For the key of a pretrained experiment, the retrained experiments, at most one for each word. Pretrained
        experiments without any are left out.

    Raises:
        UsageError: a word names no training, or no experiment at these levels fits it.
    """
    found: dict[str, list[ResultCell]] = {cell.facts["experiment"]: [] for cell in pretrained}
    for word in words:
        fits = training_filter(word)
        has_match = False
        for cell in pretrained:
            matching = [other for other in everything if other.facts["cell"] == cell.facts["cell"] and fits(other)]
            matching = [other for other in matching if kind_of(other) != "pretrained"]
            if chosen := min(newest_trainings(matching), key=lambda cell: cell.facts["seed"], default=None):
                found[cell.facts["experiment"]].append(chosen)
                has_match = True
        if not has_match and word != "pretrained":
            known = dict.fromkeys(training_words(cell) for cell in everything if kind_of(cell) != "pretrained")
            raise UsageError(
                f"--training {word}: the database has no such experiment at these levels. "
                f"Trainings it has: {', '.join(known) or 'none (harness run --retrain)'}."
            )
    return {key: tuple(cells) for key, cells in found.items() if cells}


def weights_of(store: Store, identities: Mapping[str, Mapping[str, Any]], classes: Sequence[str]) -> dict[str, Weights]:
    """Return the retrained weights of each experiment, by its key; experiments of pretrained models are left out.

    Args:
        store: an open store.
        identities: the identities of the experiments, by key.
        classes: the classes of the dataset that the models were trained on.

    Raises:
        WeightsError: a file of weights is missing, or is not the recorded one.
    """
    jobs = {key: identity["training"]["job"] for key, identity in identities.items() if "job" in identity["training"]}
    checkpoints = store.checkpoints(sorted(set(jobs.values())))
    weights: dict[str, Weights] = {}
    for job in set(jobs.values()):
        if job not in checkpoints:
            raise WeightsError(f"the database does not know what training {job[:12]} made.")
        path = _checked_file(checkpoints[job].path, checkpoints[job].sha256)
        weights[job] = Weights(path.name, path, checkpoints[job].sha256, tuple(classes))
    return {key: weights[job] for key, job in jobs.items()}


def _checked_file(file: str, sha256: str) -> Path:
    """Return the path of a file of weights, after its SHA-256 was checked.

    Raises:
        WeightsError: the file is missing, or has another SHA-256.
    """
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
