"""Rebuilds the codec, model and dataset of recorded experiments. Refuses if they are not exactly the same any more."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, PreflightError, UsageError
from harness.experiment import canonical
from harness.planning.plan import make_plan
from harness.planning.request import Request
from harness.planning.resolve import resolve

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.discovery.registry import Registry
    from harness.model import Weights
    from harness.planning.plan import Pass
    from harness.results.cells import ResultCell
    from harness.unit import Cell, Subject

__all__ = ["Environment", "RemadeExperiments", "remake"]


_OF_WEIGHTS = ("model.weights", "model.key", "model.classes")
"""The places in an identity that follow from the weights."""


@dataclass(frozen=True)
class Environment:
    """What is needed to rebuild recorded experiments on this machine, besides the database.

    Args:
        plugins: the installed plugins.
        registry: the registry, with its overlays merged.
        data_roots: pairs of dataset name and folder; the folder under "" is for all other datasets.
        weights: a file, or a name that the model knows; None uses the recorded weights.
        model: the model as on the command line, if the recorded name lacks the folder of a file.
        dataset: the dataset as on the command line, if the recorded name lacks the folder of a file.
    """

    plugins: Plugins
    registry: Registry
    data_roots: tuple[tuple[str, str], ...] = ()
    weights: str | None = None
    model: str | None = None
    dataset: str | None = None


@dataclass(frozen=True)
class RemadeExperiments:
    """The objects that run recorded experiments again.

    Args:
        subject: the task, model and dataset.
        cells: the codec and level of each experiment, by the experiment's key.
        weights: the retrained weights, by the key of a retrained model's experiment.
    """

    subject: Subject
    cells: Mapping[str, Cell]
    weights: Mapping[str, Weights] = field(default_factory=dict)


def remake(
    cells: Sequence[ResultCell], identities: Mapping[str, Mapping[str, Any]], environment: Environment
) -> RemadeExperiments:
    """Rebuild the task, model, dataset and codecs of recorded experiments of one model on one dataset.

    The experiment of a retrained model uses the same codec and level as the pretrained model's experiment of that
    cell. This function does not load the retrained weights.

    Args:
        cells: the experiments; an experiment of the pretrained model first.
        identities: the identity of each experiment, by key.
        environment: the plugins, registry, data folders and weights of this machine.

    Raises:
        UsageError: this machine would run other experiments than the recorded ones; the message lists the differences.
        HarnessError: a plugin, a file or data are missing.
    """
    request = _request(cells, identities, environment)
    planned = _plan_pass(request, environment)
    if environment.weights is None and _only_weights_differ(cells, identities, planned):
        # The database has only the name of weights that were given by --weights, so the name is searched for.
        try:
            planned = _plan_pass(replace(request, weights=str(cells[0].facts["weights"])), environment)
        except HarnessError:
            raise _difference_error(cells, identities, planned) from None
    known = {cell.experiment.cell: cell for cell in planned.cells}
    if any(cell.facts["cell"] not in known for cell in cells):
        raise _difference_error(cells, identities, planned)
    return RemadeExperiments(planned.subject, {cell.facts["experiment"]: known[cell.facts["cell"]] for cell in cells})


def _plan_pass(request: Request, environment: Environment) -> Pass:
    try:
        (planned,) = make_plan(resolve(request, environment.plugins, environment.registry)).passes
    except PreflightError as error:
        raise HarnessError(f"what made these results is not all here: {' '.join(error.problems)}") from error
    return planned


def _request(
    cells: Sequence[ResultCell], identities: Mapping[str, Mapping[str, Any]], environment: Environment
) -> Request:
    row = cells[0].facts
    identity = identities[row["experiment"]]
    return Request(
        codecs=tuple(_codec_text(identities[cell.facts["experiment"]]["codec"]) for cell in cells),
        tasks=(_name_with_options(row["task"], identity["task"]["options"]),),
        models=(environment.model if environment.model and ":" in environment.model else row["model"],),
        datasets=(_dataset(row["dataset"], environment),),
        weights=environment.weights,
        data_roots=environment.data_roots,
        split=row["split"] or None,
        limit=row["planned_samples"] if identity["limit"] else None,
        seed=row["seed"],
        precision=row["precision"],
        batch=row["batch"],
        compiled=bool(row["compiled"]),
        baseline=False,
        reference=row["reference"],
    )


def _dataset(recorded: str, environment: Environment) -> str:
    """Return the dataset as on the command line if it has options or is an existing path, else its recorded name."""
    given = environment.dataset
    return given if given and (":" in given or Path(given).exists()) else recorded


def _codec_text(codec: Mapping[str, Any]) -> str:
    level = codec["level"]
    return _name_with_options(codec["name"], codec["options"]) + ("" if level is None else f"@{level!r}")


def _name_with_options(name: str, options: Mapping[str, Any]) -> str:
    """Return a name with its options in the form of the command line; options without a value are left out.

    >>> _name_with_options("jpeg", {"subsampling": "4:2:0", "optimize": False, "scale": None})
    'jpeg:subsampling=4:2:0,optimize=False'
    """
    written = ",".join(f"{key}={value}" for key, value in options.items() if value not in (None, ""))
    return f"{name}:{written}" if written else str(name)


def _only_weights_differ(
    cells: Sequence[ResultCell], identities: Mapping[str, Mapping[str, Any]], planned: Pass
) -> bool:
    differing = _differences(cells, identities, planned)
    return bool(differing) and all(place in _OF_WEIGHTS for place, _, _ in differing)


def _difference_error(
    cells: Sequence[ResultCell], identities: Mapping[str, Mapping[str, Any]], planned: Pass
) -> UsageError:
    differing = _differences(cells, identities, planned)
    listed = "\n".join(f"- {place}: {_short(was)} was recorded, {_short(now)} is here" for place, was, now in differing)
    weights = any(place in ("model.weights", "model.key") for place, _, _ in differing)
    return UsageError(
        f"the recorded experiments cannot be shown: what is here would not give the same results.\n{listed}\n"
        + (
            "Name the weights they were run with: --weights FILE."
            if weights
            else "Install what they were run with, or run them again with what is here (harness run)."
        )
    )


def _differences(
    cells: Sequence[ResultCell], identities: Mapping[str, Mapping[str, Any]], planned: Pass
) -> list[tuple[str, Any, Any]]:
    """Return the differences between the identities of the recorded experiments and of the ones that would run now.

    Each recorded experiment is compared with the most similar experiment of now, without the training.

    Returns:
        Tuples of the place in the identity, such as `model.weights`, the recorded value, and the value now.
    """
    current = [_without_training(json.loads(canonical(cell.experiment.identity))) for cell in planned.cells]
    differing: dict[str, tuple[str, Any, Any]] = {}
    for cell in cells:
        recorded = _without_training(identities[cell.facts["experiment"]])
        candidates = [list(_compare("", recorded, identity)) for identity in current]
        for place, was, is_now in min(candidates, key=len, default=[("experiment", cell.facts["experiment"], None)]):
            differing.setdefault(place, (place, was, is_now))
    return list(differing.values())


def _without_training(identity: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in identity.items() if name != "training"}


def _compare(place: str, recorded: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(recorded, dict) and isinstance(now, dict):
        for name in {**recorded, **now}:
            yield from _compare(f"{place}.{name}" if place else name, recorded.get(name), now.get(name))
    elif recorded != now:
        yield place, recorded, now


def _short(value: object) -> str:
    text = "nothing" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
