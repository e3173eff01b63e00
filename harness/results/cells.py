"""Experiments as a store has them, each with all its metrics, in the order people read them in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import StoreError
from harness.experiment import ladder_key, subject_key
from harness.results.view_columns import NUMERIC, view_columns
from harness.statistics.estimate import UNKNOWN, Estimate
from harness.store import Filters

if TYPE_CHECKING:
    from harness.records import State
    from harness.store import Store

__all__ = ["Measured", "ResultCell", "matching_names", "read_cells", "sort_cells"]


@dataclass(frozen=True)
class Measured:
    """One metric of one experiment.

    Args:
        metric: its value, with the interval over samples.
        is_primary: whether it is the task's primary metric.
        higher_is_better: its direction.
        drop: the drop against the baseline, with the paired interval; positive when the model got worse.
        margin: half of the 95% interval of the value over the seeds of a training; None for a single seed.
        drop_margin: the same, of the drop.
    """

    metric: Estimate
    is_primary: bool
    higher_is_better: bool
    drop: Estimate = UNKNOWN
    margin: float | None = None
    drop_margin: float | None = None

    @property
    def value(self) -> float | None:
        """The metric's value; None where it is undefined."""
        return self.metric.value


@dataclass(frozen=True)
class ResultCell:
    """One experiment: a row of the view `results` but for its metric, with `source_bpp` of `curves`, and the metrics by
    name in the task's order.

    Of a training from several seeds (`harness.results.seeds`) it is the mean over so many. `subject` is the SHA-256 of
    what determines it, except codec and training: equal where model, weights, data, samples and conditions are equal.
    `ladder` is the SHA-256 of all but level and training.
    """

    facts: Mapping[str, Any]
    metrics: Mapping[str, Measured]
    reason: str | None = None
    seeds: int = 1
    subject: str = ""
    ladder: str = ""

    @property
    def options(self) -> dict[str, Any]:
        """The codec's options."""
        try:
            return dict(json.loads(self.facts["codec_options"]))
        except (ValueError, TypeError) as error:
            raise StoreError(
                f"the database is damaged: codec_options of experiment {self.facts['experiment']} is no JSON object."
            ) from error

    @property
    def is_baseline(self) -> bool:
        """Whether it is the pretrained model on uncompressed frames: `none` without a lever."""
        return self.facts["codec"] == "none" and self.facts["training"] == "pretrained" and not self.options

    @property
    def is_lossless(self) -> bool:
        """Whether the pretrained model was given the very frames of the source: only then there is no PSNR."""
        return self.facts["training"] == "pretrained" and bool(self.facts["samples"]) and self.facts["psnr"] is None

    @property
    def compression_ratio(self) -> float | None:
        """24 bits per pixel over bpp."""
        bpp = self.facts["bpp"]
        return 24.0 / bpp if bpp else None


def read_cells(store: Store, filters: Filters) -> list[ResultCell]:
    """The experiments of a store, in order.

    Args:
        store: an open store.
        filters: on the columns of the view `results`.
    """
    others = {column: allowed for column, allowed in filters.columns.items() if column != "status"}
    drops = {(row["experiment"], row["metric"]): row for row in _view(store, "curves", Filters(others))}
    facts: dict[str, dict[str, Any]] = {}
    measured: dict[str, dict[str, Measured]] = {}
    for row in _view(store, "results", filters):
        key, metric = row["experiment"], row["metric"]
        facts.setdefault(key, {**row, "source_bpp": None})
        measured.setdefault(key, {})
        if metric is not None:
            drop = drops.get((key, metric), {})
            facts[key]["source_bpp"] = drop.get("source_bpp")
            measured[key][metric] = Measured(
                Estimate(row["value"], row["ci_low"], row["ci_high"]),
                bool(row["is_primary"]),
                bool(row["higher_is_better"]),
                Estimate(drop.get("drop"), drop.get("drop_ci_low"), drop.get("drop_ci_high")),
            )
    undone = [key for key, row in facts.items() if row["status"] != "finished"]
    states = store.states(undone) if undone else {}
    reasons = {key: _so_far(state, facts[key]["planned_samples"]) for key, state in states.items()}
    digests = {
        key: (subject_key(identity), ladder_key(identity)) for key, identity in store.identities(list(facts)).items()
    }
    return sort_cells(
        [ResultCell(row, measured[key], reasons.get(key), 1, *digests[key]) for key, row in facts.items()]
    )


def _so_far(state: State, planned: int) -> str | None:
    """Why it failed, or how far it came."""
    counted = state.status in ("interrupted", "running")
    return state.reason or (f"{state.samples} of {planned} samples done" if counted else None)


def matching_names(name: str, known: Sequence[str]) -> list[str]:
    """Which of the known models, say, a filter's name is about: that one, else those of that name with options.

    >>> matching_names("torchvision", ["demo", "torchvision:arch=ssd300_vgg16", "torchvision:arch=fcos_resnet50_fpn"])
    ['torchvision:arch=ssd300_vgg16', 'torchvision:arch=fcos_resnet50_fpn']
    """
    return [one for one in known if one == name or one.startswith(f"{name}:")]


def sort_cells(cells: Sequence[ResultCell]) -> list[ResultCell]:
    """By task, model, data and training; there the baseline first, then each codec from its mildest level on."""
    upwards: dict[tuple[Any, ...], list[tuple[float, float]]] = {}
    for cell in cells:
        if cell.facts["level"] is not None and cell.facts["bpp"]:
            upwards.setdefault(_ladder(cell), []).append((cell.facts["level"], cell.facts["bpp"]))
    signs = {ladder: -1 if _rises(points) else 1 for ladder, points in upwards.items()}

    def place(cell: ResultCell) -> tuple[Any, ...]:
        row = cell.facts
        level = row["level"]
        return (
            *(row[name] or "" for name in ("task", "model", "weights", "dataset", "split", "reference")),
            *(row[name] for name in ("seed", "planned_samples", "precision", "batch", "training")),
            *(row[name] or "" for name in ("train_mode", "train_codec")),
            -(row["train_level"] or 0.0),
            row["parts"] or "",
            not cell.is_baseline,
            row["codec"] != "none",
            row["codec"],
            row["codec_options"],
            level is not None,
            0.0 if level is None else signs.get(_ladder(cell), -1) * level,
        )

    return sorted(cells, key=place)


def _ladder(cell: ResultCell) -> tuple[Any, ...]:
    return tuple(cell.facts[name] for name in ("codec", "level_name"))


def _rises(points: Sequence[tuple[float, float]]) -> bool:
    """Whether a higher level costs more bits: the sign of the covariance."""
    levels = sum(level for level, _ in points) / len(points)
    rates = sum(rate for _, rate in points) / len(points)
    return sum((level - levels) * (rate - rates) for level, rate in points) >= 0


def _view(store: Store, name: str, filters: Filters) -> list[dict[str, Any]]:
    columns, rows = store.view(name, filters)
    columns_known = view_columns()[name]
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    for row in found:
        for column, value in row.items():
            if value is not None and isinstance(value, int | float) != (columns_known[column].type in NUMERIC):
                raise StoreError(f"the database is damaged: column {column} of view {name} holds {value!r:.50}.")
    return found
