"""From recorded experiments back to what carried them out; refused when it is not exactly the same any more."""

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

__all__ = ["Environment", "Remade", "remake"]


@dataclass(frozen=True)
class Environment:
    """Where things are found, beside what the database tells.

    Args:
        plugins: of this environment.
        registry: merged.
        data_roots: dataset name -> folder; under "" the folder of any other.
        weights: a file or a name that the model knows; None takes the recorded ones.
        model: the model as the command line takes it, where its recorded name does not tell a file's folder.
        dataset: the dataset, likewise.
        device: the torch device.
    """

    plugins: Plugins
    registry: Registry
    data_roots: tuple[tuple[str, str], ...] = ()
    weights: str | None = None
    model: str | None = None
    dataset: str | None = None
    device: str = "cpu"


@dataclass(frozen=True)
class Remade:
    """What carries recorded experiments out.

    Args:
        subject: task, model and dataset.
        cells: codec and level by the experiment's key.
        weights: what trainings made, by the key of a retrained model's experiment.
    """

    subject: Subject
    cells: Mapping[str, Cell]
    weights: Mapping[str, Weights] = field(default_factory=dict)


def remake(cells: Sequence[ResultCell], identities: Mapping[str, Mapping[str, Any]], means: Environment) -> Remade:
    """The objects behind recorded experiments of one model on one dataset.

    A retrained model's experiment is carried out by what carries out the pretrained one's of the same cell.

    Args:
        cells: the experiments; a pretrained model's first.
        identities: of each, by key.
        means: where things are found.

    Raises:
        UsageError: what is here would not give the same experiment; the message says in what it differs.
        HarnessError: something is not here at all.
    """
    request = _request(cells, identities, means)
    found = _planned(request, means)
    if means.weights is None and _only_weights_differ(cells, identities, found):
        # What was given by --weights is recorded under its name, which is all there is to look for.
        try:
            found = _planned(replace(request, weights=str(cells[0].facts["weights"])), means)
        except HarnessError:
            raise _differs(cells, identities, found) from None
    known = {cell.experiment.cell: cell for cell in found.cells}
    if any(cell.facts["cell"] not in known for cell in cells):
        raise _differs(cells, identities, found)
    return Remade(found.subject, {cell.facts["experiment"]: known[cell.facts["cell"]] for cell in cells})


def _planned(request: Request, means: Environment) -> Pass:
    try:
        (found,) = make_plan(resolve(request, means.plugins, means.registry)).passes
    except PreflightError as error:
        raise HarnessError(f"what made these results is not all here: {' '.join(error.problems)}") from error
    return found


def _request(cells: Sequence[ResultCell], identities: Mapping[str, Mapping[str, Any]], means: Environment) -> Request:
    row = cells[0].facts
    identity = identities[row["experiment"]]
    return Request(
        codecs=tuple(_codec_text(identities[cell.facts["experiment"]]["codec"]) for cell in cells),
        tasks=(_text(row["task"], identity["task"]["options"]),),
        models=(means.model if means.model and ":" in means.model else row["model"],),
        datasets=(_dataset(row["dataset"], means),),
        weights=means.weights,
        data_roots=means.data_roots,
        split=row["split"] or None,
        limit=row["planned_samples"] if identity["limit"] else None,
        seed=row["seed"],
        precision=row["precision"],
        batch=row["batch"],
        device=means.device.partition(":")[0],
        baseline=False,
        reference=row["reference"],
    )


def _dataset(recorded: str, means: Environment) -> str:
    """The dataset as it is to be looked for: as it was given, where that tells more than what results call it."""
    given = means.dataset
    return given if given and (":" in given or Path(given).exists()) else recorded


def _codec_text(codec: Mapping[str, Any]) -> str:
    level = codec["level"]
    return _text(codec["name"], codec["options"]) + ("" if level is None else f"@{level!r}")


def _text(name: str, options: Mapping[str, Any]) -> str:
    """A name with its options as the command line takes them; those that are not set are not written.

    >>> _text("jpeg", {"subsampling": "4:2:0", "optimize": False, "scale": None})
    'jpeg:subsampling=4:2:0,optimize=False'
    """
    written = ",".join(f"{key}={value}" for key, value in options.items() if value not in (None, ""))
    return f"{name}:{written}" if written else str(name)


def _only_weights_differ(cells: Sequence[ResultCell], identities: Mapping[str, Mapping[str, Any]], found: Pass) -> bool:
    differing = _differences(cells, identities, found)
    return bool(differing) and all(place in ("model.weights", "model.classes") for place, _, _ in differing)


def _differs(cells: Sequence[ResultCell], identities: Mapping[str, Mapping[str, Any]], found: Pass) -> UsageError:
    differing = _differences(cells, identities, found)
    listed = "\n".join(f"- {place}: {_short(was)} was recorded, {_short(now)} is here" for place, was, now in differing)
    weights = any(place == "model.weights" for place, _, _ in differing)
    return UsageError(
        f"the recorded experiments cannot be shown: what is here would not give the same results.\n{listed}\n"
        + (
            "Name the weights they were run with: --weights FILE."
            if weights
            else "Install what they were run with, or run them again with what is here (harness run)."
        )
    )


def _differences(
    cells: Sequence[ResultCell], identities: Mapping[str, Mapping[str, Any]], found: Pass
) -> list[tuple[str, Any, Any]]:
    """In what the recorded experiments differ from those that would be run now: place, recorded, now."""
    now = [_but_training(json.loads(canonical(cell.experiment.identity))) for cell in found.cells]
    differing: dict[str, tuple[str, Any, Any]] = {}
    for cell in cells:
        recorded = _but_training(identities[cell.facts["experiment"]])
        options = [list(_walk("", recorded, one)) for one in now]
        for place, was, is_now in min(options, key=len, default=[("experiment", cell.facts["experiment"], None)]):
            differing.setdefault(place, (place, was, is_now))
    return list(differing.values())


def _but_training(identity: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in identity.items() if name != "training"}


def _walk(place: str, recorded: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(recorded, dict) and isinstance(now, dict):
        for name in {**recorded, **now}:
            yield from _walk(f"{place}.{name}" if place else name, recorded.get(name), now.get(name))
    elif recorded != now:
        yield place, recorded, now


def _short(value: object) -> str:
    text = "nothing" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
