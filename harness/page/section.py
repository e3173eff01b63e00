"""The section of one case on the page: gathers tables, charts, pictures, and notes on missing parts.

A case is a model with its weights, tested on the same samples under the same conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.decide.judges import by_resampling
from harness.decide.recommended import recommendation_table
from harness.decide.walk import recommend
from harness.errors import HarnessError
from harness.page.atlas import drop_tables
from harness.page.curves import case_data
from harness.page.fidelity import measure_samples
from harness.page.gallery import Budget, Gallery, gallery
from harness.page.heat import HeatTable, heat_of_matrix, level_words
from harness.page.private import without_paths
from harness.page.rates import rates_table
from harness.page.sample_losses import losses_of, slices
from harness.planning.batches import stratified_subset
from harness.results.ladders import Case
from harness.results.resampled import Resampler
from harness.results.tables.matrix import matrices
from harness.results.tables.notes import sample_counts
from harness.results.tables.numbers import interval_text
from harness.results.tables.recovery import read_recovery, recovery_tables
from harness.results.tables.task import task_table
from harness.show.remake import remake
from harness.statistics.estimate import Estimate
from harness.store import Filters

if TYPE_CHECKING:
    from harness.decide.cost import Camera
    from harness.decide.limit import Limit
    from harness.page.sample_losses import Losses
    from harness.results.tables.text import Table
    from harness.show.remake import Environment, RemadeExperiments
    from harness.store import Store
    from harness.task import Task
    from harness.unit import Settings

__all__ = ["PageOptions", "Section", "section_of"]

_MEASURED = 20
"""The maximum number of samples on which measures of picture quality are computed."""
_FRAMES = 100
"""About the maximum number of frames of these samples: fewer samples are used if clips are long."""


@dataclass(frozen=True)
class PageOptions:
    """Options of the page.

    Args:
        title: the title of the page.
        filters: which experiments the page shows.
        samples: the number of samples of each codec for which pictures are shown.
        limit: the largest drop that recommendations allow.
        camera: the camera that recommendations are for.
        full: whether the page tells the names of hosts and the folders of files.
        measures: measures of picture quality besides PSNR, keys of `harness.page.fidelity.MEASURES`.
        settings: the device, precision and threads for the pictures and measures.
        status: called with a text about the current step.
        warning: called with a text about a requested part that cannot be shown.
    """

    title: str
    filters: Filters
    samples: int
    limit: Limit
    camera: Camera
    full: bool
    measures: tuple[str, ...]
    settings: Settings
    status: Callable[[str], None]
    warning: Callable[[str], None]


@dataclass(frozen=True)
class Section:
    """The contents of the page for one case.

    Args:
        case: the experiments.
        counts: on how many samples its values stand, for the titles of its tables.
        data: the data of the charts.
        recommended: the recommended level of each codec; None if there is no recommendation.
        rates: Bjontegaard differences between codecs; None if there is nothing to compare.
        results: the table of all experiments of the case.
        recovery: tables of what retraining recovers of the loss.
        heats: matrices of training level by test level.
        falls: tables of the classes and sizes whose metrics drop first.
        slices: tables of the mean score on slices of the samples.
        gallery: pictures of the samples that lose most.
        notes: sentences about parts that are missing, and why.
    """

    case: Case
    counts: str
    data: dict[str, Any]
    recommended: Table | None
    rates: Table | None
    results: Table
    recovery: tuple[Table, ...]
    heats: tuple[HeatTable, ...]
    falls: tuple[HeatTable, ...]
    slices: tuple[HeatTable, ...]
    gallery: Gallery
    notes: tuple[str, ...]


def section_of(
    store: Store, case: Case, task: Task | None, environment: Environment, asked: PageOptions, budget: Budget
) -> Section:
    """Gather the contents of one case, with pictures and measures from samples that are coded again.

    Args:
        store: the store that has the experiments.
        case: the experiments.
        task: the task of the experiments; None if no installed plugin has it.
        environment: the plugins, registry, data folders, weights and device of this machine.
        asked: the options of the page.
        budget: the bytes of pictures left on the page, reduced by this section's pictures.
    """
    asked.status(f"reading samples of {case.title}")
    cells = case.every
    found = losses_of(case, store, task.sample_metric.higher_is_better) if task else []
    recovered = read_recovery(store, Filters({"experiment": [cell.facts["experiment"] for cell in cells]}))
    notes = _notes(case, task, found)
    pictures, fidelity = Gallery(), dict[str, dict[str, float]]()
    if case.baseline and found and (asked.samples or asked.measures):
        asked.status(f"coding samples of {case.title} again")
        try:
            remade = _remade(case, store, environment)
        except HarnessError as error:
            notes.append(f"No pictures: {error}")
            asked.warning(f"{case.title}: no pictures: {error}")
        else:
            pictures = gallery(case, found, store, remade, asked.settings, asked.samples, budget)
            fidelity, problems = _measured(case, found, remade, asked.measures)
            notes += problems
    recommended, rates, missing = _decided(case, store, environment, asked)
    notes += missing
    score = task.sample_metric.name if task else ""
    names = list(dict.fromkeys(name for cell in cells for name in cell.metrics))
    primary = [name for name in names if any(name in c.metrics and c.metrics[name].is_primary for c in cells)]
    shown = list(dict.fromkeys([*primary, *names]))[:2]
    return Section(
        case=case,
        counts=sample_counts([cell.facts for cell in cells]),
        data={**case_data(case, task, fidelity), "recovery": _shares(recovered, case)},
        recommended=recommended,
        rates=rates,
        results=task_table(cells, shown),
        recovery=tuple(recovery_tables(recovered)) if recovered else (),
        heats=tuple(heat_of_matrix(matrix) for matrix in matrices(cells)),
        falls=tuple(drop_tables(case, task)),
        slices=tuple(slices(losses, score) for losses in found),
        gallery=pictures if asked.full else replace(pictures, problems=tuple(map(without_paths, pictures.problems))),
        notes=tuple(notes if asked.full else map(without_paths, notes)),
    )


def _remade(case: Case, store: Store, environment: Environment) -> RemadeExperiments:
    """Rebuild the model, dataset and codecs of the pretrained model's experiments.

    Raises:
        HarnessError: something is missing on this machine, or would give other results.
    """
    assert case.baseline is not None
    ladders = [ladder for ladder in case.ladders if ladder.training == "pretrained"]
    cells = [case.baseline, *(cell for ladder in ladders for cell in ladder.cells)]
    return remake(cells, store.identities([cell.facts["experiment"] for cell in cells]), environment)


def _measured(
    case: Case, found: Sequence[Losses], remade: RemadeExperiments, names: Sequence[str]
) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Compute measures of picture quality on some samples, the same for every codec.

    Returns:
        By the digest of an experiment's cell, the mean of each measure; and sentences for the page about problems and
        about the samples.
    """
    if not names:
        return {}, []
    known = sorted(set.intersection(*({row.index for row in losses.rows} for losses in found)))
    if not known:
        return {}, [f"{', '.join(names)}: not made, no sample has a score with every codec."]
    count = max(1, min(_MEASURED, _FRAMES // remade.subject.dataset.outline(known[0]).frames))
    chosen = [known[place] for place in stratified_subset([""] * len(known), count, 0)]
    cells = [cell for losses in found for cell in losses.ladder.cells]
    means, problems = measure_samples(remade, cells, chosen, names)
    computed = [name for name in names if any(name in measures for measures in means.values())]
    notes = [f"{', '.join(computed)}: means over {len(chosen)} samples, drawn at random."] if computed else []
    return means, [*problems, *notes]


def _decided(
    case: Case, store: Store, environment: Environment, options: PageOptions
) -> tuple[Table | None, Table | None, list[str]]:
    """Return what `harness recommend` and `harness compare` say of a case.

    Returns:
        The table of the recommended level of each codec, and the table of Bjontegaard differences between codecs; None
        if there is none. And sentences for the page about what is missing.
    """
    options.status(f"resampling the metrics of {case.title}")
    resampler = Resampler.of(store, case.cells, environment.plugins, warn=options.warning)
    recommended = rates = None
    try:
        if found := recommend(case, by_resampling(resampler), options.limit, camera=options.camera):
            table = recommendation_table(case, found)
            recommended = replace(table, title=table.title.removeprefix(f"{case.title}: "))
        rates = rates_table(case, resampler)
    except HarnessError as error:
        options.warning(f"{case.title}: no recommendations, or no comparison of codecs: {error}")
        return recommended, rates, [f"No recommendations, or no comparison of codecs: {error}"]
    return recommended, rates, []


def _shares(rows: Sequence[Any], case: Case) -> list[dict[str, Any]]:
    """Return the points of the recovery chart, for each codec, level (mildest first) and kind of share.

    A point has the share of the loss that retraining wins back, and its interval. The kinds are "recovery" and
    "net recovery".
    """
    names = {cell.facts["experiment"]: (ladder, cell) for ladder in case.ladders for cell in ladder.cells}
    matched = {cell.facts["experiment"] for ladder in case.ladders if ladder.is_matched for cell in ladder.cells}
    order = list(names)
    known = [row for row in rows if row["experiment"] in names and row["retrained_experiment"] in matched]
    points = []
    for row in sorted(known, key=lambda row: order.index(row["experiment"])):
        ladder, cell = names[row["experiment"]]
        for kind in ("recovery", "net_recovery"):
            if row[kind] is not None and row[f"{kind}_ci_low"] is not None:
                ends = (row[f"{kind}_ci_low"], row[f"{kind}_ci_high"])
                text = interval_text(Estimate(row[kind], *ends))
                place = {"codec": ladder.codec, "at": level_words(ladder, cell), "kind": kind.replace("_", " ")}
                points.append({**place, "y": row[kind], "low": ends[0], "high": ends[1], "text": text})
    return points


def _notes(case: Case, task: Task | None, losses: Sequence[Losses]) -> list[str]:
    """Return sentences about parts of the section that are missing, and about special experiments."""
    notes = []
    if task is None:
        notes.append(
            f"No installed plugin has task {case.facts['task']}: units, groups of metrics and pictures are missing."
        )
    if case.baseline is None:
        notes.append("There is no experiment on uncompressed frames: no drops, and nothing to compare losses with.")
    elif task is not None and not losses:
        notes.append("No sample has a score of its own at every level: no slices, no pictures.")
    if any(ladder.codec.endswith("(intra)") for ladder in case.ladders):
        notes.append("(intra): a video codec coded single images, which is not what a camera sends.")
    for ladder in case.ladders:
        if ladder.seeds > 1:
            notes.append(f"{ladder.name}: of {ladder.seeds} seeds the first is drawn; the table has their means.")
    return notes
