"""The origin of a report's numbers: commands, versions, data and failures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.errors import StoreError
from harness.page.private import without_paths
from harness.results.tables.places import places_table
from harness.results.tables.profile import profile_table
from harness.results.tables.text import Table
from harness.store import Filters

if TYPE_CHECKING:
    from harness.records import RecordedRun
    from harness.results.cells import ResultCell
    from harness.store import Store

__all__ = ["Provenance", "provenance"]

_MOST = 200
"""The maximum number of failed samples that are listed."""


@dataclass(frozen=True)
class Provenance:
    """The origin of the results, shown at the end of the page.

    Args:
        warnings: what the runs warned of before they began, such as a demo model on real data.
        runs: the runs that made the experiments, with their commands.
        versions: the versions of libraries and plugins; all versions if runs differ.
        datasets: the datasets with their fingerprints.
        troubles: the experiments that did not finish, and the first failed predictions.
        failed: the total number of failed predictions, which may be more than are listed.
        places: where rows were computed; without rows if the store keeps none of it.
        times: where the time of the experiments went; without rows if no stages were measured.
    """

    warnings: tuple[str, ...]
    runs: Table
    versions: Table
    datasets: Table
    troubles: Table
    failed: int
    places: Table
    times: Table


def provenance(store: Store, cells: Sequence[ResultCell], full: bool = False) -> Provenance:
    """Gather the provenance of some experiments.

    Args:
        store: the store that has the experiments.
        cells: the experiments.
        full: whether the names of hosts and the folders of files are shown. Without them, only the names of files are.
    """
    shown: Callable[[str], str] = str if full else without_paths
    used = {cell.facts["run"] for cell in cells}
    runs = [run for run in store.runs() if run.id in used]
    keys = [cell.facts["experiment"] for cell in cells]
    identities = store.identities(keys)
    failed = sum(cell.facts["failed_samples"] or 0 for cell in cells)
    return Provenance(
        tuple(dict.fromkeys(shown(text) for run in runs for text in run.info.settings.get("warnings", ()))),
        _runs(runs, full),
        _versions(runs),
        _datasets(cells, identities),
        _with_texts(_troubles(store, cells), shown),
        failed,
        places_table(store.places(keys), full),
        _times(store, cells),
    )


def _times(store: Store, cells: Sequence[ResultCell]) -> Table:
    """Return where the time of the experiments went. A store that keeps no seconds gives a table without rows."""
    try:
        found = profile_table(store, cells, places=False)
    except StoreError:
        return Table((), (), "Where the time went")
    title = f"Where the time went ({found.title})" if found.title else "Where the time went"
    return replace(found, title=title)


def _runs(runs: Sequence[RecordedRun], full: bool) -> Table:
    columns = ("run", "command", "status", "started (UTC)", *(("host",) if full else ()), "device", "revision")
    rows = []
    for r in runs:
        command, host = (r.info.command, (r.info.host,)) if full else (without_paths(r.info.command), ())
        rows.append((r.id, command, r.status, r.started_at, *host, r.info.device, r.info.git))
    notes = () if full else ("Hosts and folders are left out; `harness report --provenance full` has them.",)
    return Table(columns, tuple(rows), "Commands", notes)


def _with_texts(table: Table, change: Callable[[str], str]) -> Table:
    """Return the table with all its texts changed by a function."""
    rows = tuple(tuple(change(v) if isinstance(v, str) else v for v in row) for row in table.rows)
    return replace(table, rows=rows)


def _versions(runs: Sequence[RecordedRun]) -> Table:
    known: dict[str, dict[str, None]] = {}
    for run in runs:
        for name, version in run.info.versions.items():
            known.setdefault(name, {})[version] = None
    return Table(
        ("library or plugin", "version"), tuple((n, ", ".join(v)) for n, v in sorted(known.items())), "Versions"
    )


def _datasets(cells: Sequence[ResultCell], identities: Mapping[str, Mapping[str, Any]]) -> Table:
    rows: dict[tuple[object, ...], None] = {}
    for cell in cells:
        facts = cell.facts
        data = identities[facts["experiment"]].get("dataset", {})
        fingerprint = data.get("fingerprint") if isinstance(data, Mapping) else None
        rows[facts["task"], f"{facts['dataset']}/{facts['split']}", facts["planned_samples"], fingerprint] = None
    return Table(("task", "data", "samples", "fingerprint (SHA-256)"), tuple(rows), "Data")


def _troubles(store: Store, cells: Sequence[ResultCell]) -> Table:
    """Return a table of all unfinished experiments, then of the first `_MOST` failed samples, with the reasons."""
    rows: list[tuple[object, ...]] = []
    for cell in cells:
        if cell.facts["status"] != "finished":
            rows.append((_description(cell), "", cell.facts["status"], cell.reason))
    room = len(rows) + _MOST
    for cell in cells:
        if cell.facts["failed_samples"] and len(rows) < room:
            filters = Filters({"experiment": [cell.facts["experiment"]], "status": ["failed"]})
            columns, found = store.view("per_sample", filters)
            sample, error = columns.index("sample"), columns.index("error")
            rows += [(_description(cell), row[sample], "failed", row[error]) for row in found]
    left = sum(cell.facts["failed_samples"] or 0 for cell in cells) > _MOST
    notes = (f"Of the predictions the first {_MOST} are listed.",) if left else ()
    return Table(("experiment", "sample", "status", "reason"), tuple(rows[:room]), "What failed", notes)


def _description(cell: ResultCell) -> str:
    facts = cell.facts
    level = "" if facts["level"] is None else f"@{facts['level']:g}"
    return f"{facts['task']}, {facts['codec']}{level}, {facts['model']}, {facts['training']}"
