"""`harness plan`: the experiments of a run, which are done, and the estimated time of the rest. Runs nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from harness.cli.once import Command
from harness.cli.options.common import make_registry
from harness.cli.options.request import batch_sizes, make_request, request_options
from harness.cli.options.results import damage_told
from harness.discovery.plugins import installed
from harness.store import Filters

if TYPE_CHECKING:
    from harness.cli.planned import PlannedTraining

__all__ = ["plan"]


@click.command(cls=Command)
@request_options
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def plan(registries: tuple[Any, ...], db: str, as_json: bool, **options: Any) -> None:
    """Show what a run would do; run nothing.

    Takes the arguments of `harness run`. The time is estimated from what the database has of the same model and
    dataset.
    """
    from harness.cli.planned import in_words, planned_trainings
    from harness.engine import machine
    from harness.planning.preflight import prepare

    device = machine.find_device(options["device"])
    settings = machine.choose(device, options["precision"], compiled=options["compile_"])
    sizes = batch_sizes(settings, measure=False)
    planned, store = prepare(make_request(options), installed(), make_registry(registries), db, False, sizes)
    for note in planned.notes:
        click.echo(f"warning: {note}", err=True)
    states, measured = {}, {}
    if store is not None:
        with closing(store), damage_told(store):
            states = store.states([e.key for e in planned.experiments])
            columns = ("experiment", "model", "dataset", "codec", "seconds", "samples")
            finished = Filters({"status": ["finished"]})
            for _, model, dataset, codec, taken, count in store.read("results", columns, finished, distinct=True):
                if taken and count:
                    measured[model, dataset, codec] = taken / count
                    measured.setdefault((model, dataset, None), taken / count)
    records, samples, seconds, unknown = [], 0, 0.0, 0
    for experiment in planned.experiments:
        state = states.get(experiment.key)
        status = state.status if state else "to do"
        kept = state.samples if state else 0
        missing = 0 if status == "finished" else experiment.samples - kept
        per_sample = measured.get(
            (experiment.model, experiment.dataset, experiment.codec),
            measured.get((experiment.model, experiment.dataset, None)),
        )
        samples += missing
        seconds += missing * (per_sample or 0)
        unknown += missing if per_sample is None else 0
        records.append(
            {
                "key": experiment.key,
                "task": experiment.task,
                "model": experiment.model,
                "dataset": f"{experiment.dataset}/{experiment.split}",
                "codec": experiment.variant,
                "level": experiment.level,
                "training": experiment.training.label or "pretrained",
                "precision": experiment.precision,
                "compiled": experiment.compiled,
                "batch": experiment.batch,
                "samples": experiment.samples,
                "status": status,
                "kept": kept,
            }
        )
    estimate = None if unknown else round(seconds, 1)
    trainings = planned_trainings(planned)
    if as_json:
        content = {"experiments": records, "trainings": [asdict(training) for training in trainings]}
        click.echo(json.dumps({**content, "samples_to_do": samples, "seconds": estimate}, indent=2))
        return
    _print(records)
    if trainings:
        _print_trainings(trainings)
        click.echo(in_words(trainings))
    todo = sum(1 for row in records if row["status"] != "finished")
    click.echo(f"{len(records)} experiments, {todo} to do: {samples} predictions.")
    if samples:
        known = f"about {seconds:.0f} s of work" if not unknown else "not known: nothing like it has been measured yet"
        without = ", trainings not counted" if any(training.status != "done" for training in trainings) else ""
        click.echo(f"Estimated time: {known}{without}. Database rows: {samples}.")


def _print_trainings(trainings: Sequence[PlannedTraining]) -> None:
    from harness.results.tables.results import print_table
    from harness.results.tables.text import Table

    columns = ("task", "model", "training", "seed", "iterations", "status", "key")
    rows = [(t.task, t.model, t.training, str(t.seed), str(t.iterations), t.status, t.key[:12]) for t in trainings]
    click.echo()
    print_table(Table(columns, tuple(rows)))
    click.echo()


def _print(records: list[dict[str, Any]]) -> None:
    from harness.results.tables.results import print_table
    from harness.results.tables.text import Table

    retrained = ("training",) if any(row["training"] != "pretrained" for row in records) else ()
    columns = ("task", "model", "dataset", *retrained, "codec", "level", "samples", "status", "key")
    rows = []
    for row in records:
        kept = f", {row['kept']} kept" if row["kept"] and row["status"] != "finished" else ""
        level = "" if row["level"] is None else f"{row['level']:g}"
        shown = {**row, "level": level, "key": row["key"][:12], "status": row["status"] + kept}
        rows.append(tuple(shown[column] for column in columns))
    print_table(Table(columns, tuple(rows)))
