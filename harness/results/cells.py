"""Reads experiments with all their metrics from a store, and sorts them for display."""

from __future__ import annotations

import json
import marshal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from harness.discovery.plugins import installed
from harness.errors import StoreError
from harness.experiment import as_written_now, ladder_key, subject_key
from harness.results.measured import MeasuredMetric, checked, headline, read_measured
from harness.results.superseded import superseded
from harness.results.view_columns import view_columns
from harness.store import Filters

if TYPE_CHECKING:
    from harness.records import State
    from harness.store import Store

__all__ = ["MeasuredMetric", "ResultCell", "matching_names", "read_cells", "sort_cells"]

_OF_METRICS = frozenset({"metric", "value", "ci_low", "ci_high", "is_primary", "higher_is_better"})
"""The columns of the view `results` that differ between the metrics of an experiment."""

_MANY = 500
"""The number of experiments that are looked up together."""


@dataclass(frozen=True)
class ResultCell:
    """One experiment with its metrics, or the mean of several experiments that differ only in the training's seed.

    Args:
        facts: the columns of the view `results` that describe the experiment, and `source_bpp` of the view `curves`.
        metrics: the metrics by name, in the task's order.
        reason: why the experiment failed, or how many of its samples are done; None if it is finished.
        seeds: the number of seeds that the metrics are averaged over (`harness.results.seeds`).
        subject: the SHA-256 of the experiment's identity without codec and training. It is equal for experiments with
            the same model, weights, data, samples and conditions.
        ladder: the SHA-256 of the experiment's identity without level and training.
        superseded: what has a newer revision than the experiment was run with (`harness.results.superseded`); None if
            nothing has.
    """

    facts: Mapping[str, Any]
    metrics: Mapping[str, MeasuredMetric]
    reason: str | None = None
    seeds: int = 1
    subject: str = ""
    ladder: str = ""
    superseded: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The codec's options."""
        try:
            return dict(_parsed(self.facts["codec_options"]))
        except (ValueError, TypeError) as error:
            raise StoreError(
                f"the database is damaged: codec_options of experiment {self.facts['experiment']} is no JSON object."
            ) from error

    @property
    def is_baseline(self) -> bool:
        """Whether the experiment is the pretrained model on uncompressed frames: codec `none` without levers."""
        return self.facts["codec"] == "none" and self.facts["training"] == "pretrained" and not self.options

    @property
    def is_lossless(self) -> bool:
        """Whether the model is pretrained and got exactly the source's frames; only then the PSNR is missing."""
        return self.facts["training"] == "pretrained" and bool(self.facts["samples"]) and self.facts["psnr"] is None

    @property
    def compression_ratio(self) -> float | None:
        """24 bits per pixel divided by the bits per pixel of the coded data; None if these are unknown or 0."""
        bpp = self.facts["bpp"]
        return 24.0 / bpp if bpp else None


def read_cells(
    store: Store, filters: Filters, metrics: Sequence[str] | Literal["headline"] | None = None
) -> list[ResultCell]:
    """Read experiments with their metrics from a store, sorted for display.

    Args:
        store: an open store.
        filters: selects experiments by columns of the view `results`.
        metrics: which metrics to read: None for all; "headline" for those that a table shows by default; or names. An
            experiment that has an interval of none of these is read with all its metrics.
    """
    facts = _facts(store, filters)
    measured: dict[str, dict[str, MeasuredMetric]] = {key: {} for key in facts}
    unfinished = [key for key, row in facts.items() if row["status"] != "finished"]
    states = store.states(unfinished) if unfinished else {}
    reasons = {key: _reason(state, facts[key]["planned_samples"]) for key, state in states.items()}
    identities = _identities(store, list(facts))
    cells = sort_cells(
        [ResultCell(row, measured[key], reasons.get(key), 1, *identities[key]) for key, row in facts.items()]
    )
    if metrics == "headline":
        metrics = headline(store, filters, [cell.facts for cell in cells])
    for key, name, metric, source_bpp in read_measured(store, filters, metrics):
        measured[key][name] = metric
        facts[key]["source_bpp"] = source_bpp
    if metrics is not None:
        bare = [key for key, names in measured.items() if all(m.metric.low is None for m in names.values())]
        for start in range(0, len(bare), _MANY):
            keys = bare[start : start + _MANY]
            for key in keys:
                measured[key].clear()  # so that all are in the task's order
            for key, name, metric, source_bpp in read_measured(store, Filters({"experiment": keys}), None):
                measured[key][name] = metric
                facts[key]["source_bpp"] = source_bpp
    return cells


def _facts(store: Store, filters: Filters) -> dict[str, dict[str, Any]]:
    """Return the columns that describe experiments, by the experiment's key, in the order of the view `results`."""
    columns = [name for name in view_columns()["results"] if name not in _OF_METRICS]
    rows = (dict(zip(columns, row, strict=True)) for row in checked(store, "results", columns, filters, distinct=True))
    return {row["experiment"]: {**row, **_train_codec(row), "source_bpp": None} for row in rows}


def _train_codec(row: Mapping[str, Any]) -> dict[str, str]:
    return {"train_codec": as_written_now(row["train_codec"])} if row["train_codec"] else {}


def _identities(store: Store, keys: Sequence[str]) -> dict[str, tuple[str, str, str | None]]:
    """Return what the identity of each experiment says of it: its subject, its ladder, and what is superseded.

    Identities are large, so only some are in memory at a time.
    """
    plugins = installed()
    found: dict[str, tuple[str, str, str | None]] = {}
    of_ladders: dict[bytes, tuple[str, str, str | None]] = {}
    for start in range(0, len(keys), _MANY):
        for key, identity in store.identities(keys[start : start + _MANY]).items():
            codec = {name: value for name, value in identity["codec"].items() if name != "level"}
            # Equal bytes mean equal values. They are made much faster than the canonical text that is hashed.
            same = marshal.dumps({**identity, "codec": codec, "training": None})
            if same not in of_ladders:
                of_ladders[same] = subject_key(identity), ladder_key(identity), superseded(identity, plugins)
            found[key] = of_ladders[same]
    return found


@lru_cache(maxsize=4096)
def _parsed(text: str) -> tuple[tuple[str, Any], ...]:
    """Return the items of a JSON object. Few options are in many experiments."""
    return tuple(dict(json.loads(text)).items())


def _reason(state: State, planned: int) -> str | None:
    """Return why an experiment failed, or how many of its samples are done if it is running or interrupted."""
    is_partial = state.status in ("interrupted", "running", "partial")
    return state.reason or (f"{state.samples} of {planned} samples done" if is_partial else None)


def matching_names(name: str, known: Sequence[str]) -> list[str]:
    """Return the known names (of models, for example) that equal a filter's name, or that are this name with options.

    >>> matching_names("torchvision", ["demo", "torchvision:arch=ssd300_vgg16", "torchvision:arch=fcos_resnet50_fpn"])
    ['torchvision:arch=ssd300_vgg16', 'torchvision:arch=fcos_resnet50_fpn']
    """
    return [candidate for candidate in known if candidate == name or candidate.startswith(f"{name}:")]


def sort_cells(cells: Sequence[ResultCell]) -> list[ResultCell]:
    """Sort experiments by task, model, data and training; then the baseline first, each codec from mild to strong.

    Whether a high or a low level of a codec is mild follows from the measured rates: a mild level has more bits.
    """
    points: dict[tuple[Any, ...], list[tuple[float, float]]] = {}
    for cell in cells:
        if cell.facts["level"] is not None and cell.facts["bpp"]:
            points.setdefault(_level_scale(cell), []).append((cell.facts["level"], cell.facts["bpp"]))
    signs = {scale: -1 if _rate_rises(levels) else 1 for scale, levels in points.items()}

    def sort_key(cell: ResultCell) -> tuple[Any, ...]:
        row = cell.facts
        level = row["level"]
        return (
            *(row[name] or "" for name in ("task", "model", "weights", "dataset", "split", "reference")),
            *(row[name] for name in ("seed", "planned_samples", "precision", "compiled", "batch", "training")),
            *(row[name] or "" for name in ("train_mode", "train_codec")),
            -(row["train_level"] or 0.0),
            row["parts"] or "",
            not cell.is_baseline,
            row["codec"] != "none",
            row["codec"],
            row["codec_options"],
            level is not None,
            0.0 if level is None else signs.get(_level_scale(cell), -1) * level,
        )

    return sorted(cells, key=sort_key)


def _level_scale(cell: ResultCell) -> tuple[Any, ...]:
    return tuple(cell.facts[name] for name in ("codec", "level_name"))


def _rate_rises(points: Sequence[tuple[float, float]]) -> bool:
    """Return whether a higher level has a higher rate: the covariance of level and rate is not negative."""
    mean_level = sum(level for level, _ in points) / len(points)
    mean_rate = sum(rate for _, rate in points) / len(points)
    return sum((level - mean_level) * (rate - mean_rate) for level, rate in points) >= 0
