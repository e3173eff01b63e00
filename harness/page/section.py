"""One case on the page: gathers its tables, charts and pictures, and the notes on what is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.decide.judges import by_stored_intervals
from harness.decide.recommended import recommendation_table
from harness.decide.walk import recommend
from harness.errors import HarnessError
from harness.page.atlas import falls
from harness.page.curves import case_data
from harness.page.fidelity import measured
from harness.page.gallery import Budget, Gallery, gallery
from harness.page.heat import Heat, heat_of_matrix, level_words
from harness.page.rates import rates_table
from harness.page.slices import losses_of, slices
from harness.planning.batches import stratified_subset
from harness.results.ladders import Case
from harness.results.tables.matrix import matrices
from harness.results.tables.numbers import interval_text
from harness.results.tables.recovery import read_recovery, recovery_tables
from harness.results.tables.task import task_table
from harness.show.remake import remake
from harness.statistics.estimate import Estimate
from harness.store import Filters

if TYPE_CHECKING:
    from harness.decide.cost import Camera
    from harness.decide.limit import Limit
    from harness.page.slices import Losses
    from harness.results.tables.text import Table
    from harness.show.remake import Environment, Remade
    from harness.store import Store
    from harness.task import Task
    from harness.unit import Settings

__all__ = ["PageOptions", "Section", "section_of"]

_MEASURED = 20
"""Samples that measures of the picture are made on, at most."""
_FRAMES = 100
"""Frames of these, about: of long clips fewer are taken."""


@dataclass(frozen=True)
class PageOptions:
    """What is to be on the page.

    Args:
        title: of the page.
        filters: which experiments.
        samples: pictures are shown of so many samples of each codec.
        limit: the largest drop that recommendations allow.
        camera: what they are for.
        measures: of the picture, beside PSNR: names of `harness.page.fidelity.MEASURES`.
        settings: device, precision and threads to make them with.
        status: told what is being done.
        warning: told what cannot be shown that was asked for.
    """

    title: str
    filters: Filters
    samples: int
    limit: Limit
    camera: Camera
    measures: tuple[str, ...]
    settings: Settings
    status: Callable[[str], None]
    warning: Callable[[str], None]


@dataclass(frozen=True)
class Section:
    """What the page says of one case.

    Args:
        case: the experiments.
        data: of the charts.
        recommended: how far each codec can go.
        rates: Bjontegaard differences of the codecs against the first; None where there is nothing to compare.
        results: the table of all its experiments.
        recovery: what retraining won back, a table a metric.
        heats: trained at one level, tested at another.
        falls: what falls first.
        slices: on which samples.
        gallery: pictures.
        notes: what could not be told, and why.
    """

    case: Case
    data: dict[str, Any]
    recommended: Table | None
    rates: Table | None
    results: Table
    recovery: tuple[Table, ...]
    heats: tuple[Heat, ...]
    falls: tuple[Heat, ...]
    slices: tuple[Heat, ...]
    gallery: Gallery
    notes: tuple[str, ...]


def section_of(
    store: Store, case: Case, task: Task | None, means: Environment, asked: PageOptions, budget: Budget
) -> Section:
    asked.status(f"reading samples of {case.title}")
    cells = case.every
    found = losses_of(case, store, task.sample_metric.higher_is_better) if task else []
    recovered = read_recovery(store, Filters({"experiment": [cell.facts["experiment"] for cell in cells]}))
    notes = _notes(case, task, found)
    pictures, fidelity = Gallery(), dict[str, dict[str, float]]()
    if case.baseline and found and (asked.samples or asked.measures):
        asked.status(f"coding samples of {case.title} again")
        try:
            remade = _remade(case, store, means)
        except HarnessError as error:
            notes.append(f"No pictures: {error}")
            asked.warning(f"{case.title}: no pictures: {error}")
        else:
            pictures = gallery(case, found, store, remade, asked.settings, asked.samples, budget)
            fidelity, problems = _measured(case, found, remade, asked.measures)
            notes += problems
    score = task.sample_metric.name if task else ""
    names = list(dict.fromkeys(name for cell in cells for name in cell.metrics))
    primary = [name for name in names if any(name in c.metrics and c.metrics[name].is_primary for c in cells)]
    shown = list(dict.fromkeys([*primary, *names]))[:2]
    return Section(
        case=case,
        data={**case_data(case, task, fidelity), "recovery": _shares(recovered, case)},
        recommended=_recommended(case, asked),
        rates=rates_table(case),
        results=task_table(cells, shown),
        recovery=tuple(recovery_tables(recovered)) if recovered else (),
        heats=tuple(heat_of_matrix(one) for one in matrices(cells)),
        falls=tuple(falls(case, task)),
        slices=tuple(slices(losses, score) for losses in found),
        gallery=pictures,
        notes=tuple(notes),
    )


def _remade(case: Case, store: Store, means: Environment) -> Remade:
    """What carries the pretrained model's experiments out.

    Raises:
        HarnessError: it is not here any more, or would give other results.
    """
    assert case.baseline is not None
    ladders = [ladder for ladder in case.ladders if ladder.training == "pretrained"]
    cells = [case.baseline, *(cell for ladder in ladders for cell in ladder.cells)]
    return remake(cells, store.identities([cell.facts["experiment"] for cell in cells]), means)


def _measured(
    case: Case, found: Sequence[Losses], remade: Remade, names: Sequence[str]
) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Measures of the picture on some samples, the same for every codec, and what is to be said of them."""
    if not names:
        return {}, []
    known = sorted(set.intersection(*({row.index for row in losses.rows} for losses in found)))
    if not known:
        return {}, [f"{', '.join(names)}: not made, no sample has a score with every codec."]
    count = max(1, min(_MEASURED, _FRAMES // remade.subject.dataset.outline(known[0]).frames))
    chosen = [known[place] for place in stratified_subset([""] * len(known), count, 0)]
    cells = [cell for losses in found for cell in losses.ladder.cells]
    means, problems = measured(remade, cells, chosen, names)
    made = [name for name in names if any(name in one for one in means.values())]
    told = [f"{', '.join(made)}: means over {len(chosen)} samples, drawn at random."] if made else []
    return means, [*problems, *told]


def _recommended(case: Case, asked: PageOptions) -> Table | None:
    found = recommend(case, by_stored_intervals, asked.limit, camera=asked.camera)
    if not found:
        return None
    table = recommendation_table(case, found)
    told = (
        "The bounds are from stored intervals, with some care; `harness recommend` resamples anew, and may go further."
    )
    return replace(table, title=table.title.removeprefix(f"{case.title}: "), notes=(*table.notes, told))


def _shares(rows: Sequence[Any], case: Case) -> list[dict[str, Any]]:
    """What the chart of recovery shows: a share and its interval for each codec, level (mild first) and kind."""
    names = {cell.facts["experiment"]: (ladder, cell) for ladder in case.ladders for cell in ladder.cells}
    matched = {cell.facts["experiment"] for ladder in case.ladders if ladder.is_matched for cell in ladder.cells}
    order = list(names)
    known = [row for row in rows if row["experiment"] in names and row["retrained_experiment"] in matched]
    found = []
    for row in sorted(known, key=lambda row: order.index(row["experiment"])):
        ladder, cell = names[row["experiment"]]
        for kind in ("recovery", "net_recovery"):
            if row[kind] is not None and row[f"{kind}_ci_low"] is not None:
                ends = (row[f"{kind}_ci_low"], row[f"{kind}_ci_high"])
                told = interval_text(Estimate(row[kind], *ends))
                place = {"codec": ladder.codec, "at": level_words(ladder, cell), "kind": kind.replace("_", " ")}
                found.append({**place, "y": row[kind], "low": ends[0], "high": ends[1], "text": told})
    return found


def _notes(case: Case, task: Task | None, found: Sequence[Losses]) -> list[str]:
    notes = []
    if task is None:
        notes.append(
            f"No installed plugin has task {case.facts['task']}: units, groups of metrics and pictures are missing."
        )
    if case.baseline is None:
        notes.append("There is no experiment on uncompressed frames: no drops, and nothing to compare losses with.")
    elif task is not None and not found:
        notes.append("No sample has a score of its own at every level: no slices, no pictures.")
    if any(ladder.codec.endswith("(intra)") for ladder in case.ladders):
        notes.append("(intra): a video codec coded single images, which is not what a camera sends.")
    for ladder in case.ladders:
        if ladder.seeds > 1:
            notes.append(f"{ladder.name}: of {ladder.seeds} seeds the first is drawn; the table has their means.")
    return notes
