"""The table of where the time of experiments went: for people with shares and advice, for programs with all numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.results.profile import StageProfile, advice, profile_of, together
from harness.results.tables.columns import identifying_columns
from harness.results.tables.places import places_note, places_text
from harness.results.tables.text import Table
from harness.store import STAGES

if TYPE_CHECKING:
    from harness.records import Placed
    from harness.results.cells import ResultCell
    from harness.store import Store

__all__ = ["profile_table"]

_FACTS = (
    *("experiment", "run", "task", "model", "weights", "dataset", "split", "reference", "seed", "training"),
    *("planned_samples", "precision", "compiled", "batch", "codec", "codec_options", "level_name", "level"),
    *("device", "runs", "samples", "workers"),
)
_NUMBERS = ("image_levels_per_second", "busy_share", "bottleneck")
_TITLES = {"hand_over": "hand-over"}


def profile_table(store: Store, cells: Sequence[ResultCell], long: bool = False, places: bool = True) -> Table:
    """Return where the time of experiments went.

    Experiments whose stages were not measured are left out.

    Args:
        store: an open store, which has the experiments.
        cells: the experiments, sorted for display.
        long: whether the table is for programs: every column of the view, and the advice for each experiment.
        places: whether the places are named at which rows were computed; they may be names of hosts.

    Raises:
        StoreError: the store has no view `profile`.
    """
    columns, rows = store.view("profile")
    known = {row["experiment"]: row for row in (dict(zip(columns, values, strict=True)) for values in rows)}
    measured = [cell for cell in cells if cell.facts["experiment"] in known]
    found = [known[cell.facts["experiment"]] for cell in measured]
    placed = store.places([row["experiment"] for row in found]) if places else []
    return _for_programs(found, placed) if long else _for_people(measured, found, placed)


def _for_programs(rows: Sequence[Mapping[str, Any]], placed: Sequence[Placed]) -> Table:
    columns = (*_FACTS, *(f"{stage}_seconds" for stage in STAGES), *_NUMBERS)
    by_key: dict[str, list[Placed]] = {}
    for one in placed:
        by_key.setdefault(one.experiment, []).append(one)
    values = [
        (
            *(row[name] for name in columns),
            *(profile_of(row).cores_lacking, advice(profile_of(row))),
            places_text(by_key.get(row["experiment"], ())) or None,
        )
        for row in rows
    ]
    return Table((*columns, "cores_lacking", "advice", "places"), tuple(values))


def _for_people(cells: Sequence[ResultCell], rows: Sequence[Mapping[str, Any]], placed: Sequence[Placed]) -> Table:
    """Return a table with a row for each experiment, the seconds of its stages, and advice for all of them together."""
    if not cells:
        return Table(("codec", "level"), ())
    same, identifying = identifying_columns(cells)
    tasks = [str(cell.facts["task"]) for cell in cells]
    if len(set(tasks)) > 1:
        identifying.insert(0, ("task", tasks))
    profiles = [profile_of(row) for row in rows]
    stages = [stage for stage in STAGES if any(stage in profile.seconds for profile in profiles)]
    columns = [
        *identifying,
        ("image-levels", [str(profile.samples) for profile in profiles]),
        ("per s", [_number(profile.rate) for profile in profiles]),
        ("busy", ["" if p.busy_share is None else f"{p.busy_share:.0%}" for p in profiles]),
        *((_TITLES.get(stage, stage), [_number(p.seconds.get(stage)) for p in profiles]) for stage in stages),
        ("bottleneck", [profile.bottleneck or "" for profile in profiles]),
    ]
    title = ": ".join(filter(None, [tasks[0] if len(set(tasks)) == 1 else "", " ".join(same)]))
    notes = (
        *_notes(rows, profiles),
        *filter(None, [places_note(placed)]),
        "Stages in seconds; read to prepare, and score, are of all workers together, who work at once.",
    )
    titles, texts = zip(*columns, strict=True)
    return Table(tuple(titles), tuple(zip(*texts, strict=True)), title, notes)


def _notes(rows: Sequence[Mapping[str, Any]], profiles: Sequence[StageProfile]) -> list[str]:
    """Return a sentence for each device and number of workers, on all its experiments together."""
    groups: dict[tuple[str, int | None], list[StageProfile]] = {}
    for row, profile in zip(rows, profiles, strict=True):
        groups.setdefault((str(row["device"]), profile.workers), []).append(profile)
    sentences = []
    for (device, workers), group in groups.items():
        whole = together(group)
        if (words := advice(whole)) is not None:
            count = "" if workers is None else f", {workers} worker{'' if workers == 1 else 's'}"
            sentences.append(f"{device}{count}: {_number(whole.rate)} image-levels/s; {words}.")
    return sentences


def _number(value: float | None) -> str:
    """Return a number of seconds, or of image-levels per second, with three digits."""
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
