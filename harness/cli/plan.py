"""`harness plan`: the experiments of a run, which are done, and the estimated time of the rest. Runs nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from harness.cli.once import Command
from harness.cli.options.common import make_registry, shard_option
from harness.cli.options.request import batch_sizes, make_request, request_options
from harness.cli.options.results import damage_told
from harness.discovery.plugins import installed

if TYPE_CHECKING:
    from harness.cli.planned import PlannedTraining
    from harness.experiment import Experiment
    from harness.planning.shards import Shard
    from harness.records import State

__all__ = ["plan"]


@click.command(cls=Command)
@request_options
@shard_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def plan(registries: tuple[Any, ...], db: str, shard: Shard | None, as_json: bool, **options: Any) -> None:
    """Show what a run would do; run nothing.

    Takes the arguments of `harness run`. Time and size are estimated from what the database has of the same model and
    dataset; what it has nothing of is counted beside the estimate.
    """
    from harness.cli.planned import in_words, planned_trainings
    from harness.cli.todo import Measured, Todo, database_size
    from harness.device import machine
    from harness.planning.preflight import prepare
    from harness.planning.shards import asked_of, shard_plan

    device = machine.find_device(options["device"])
    settings = machine.choose(device, options["precision"], compiled=options["compile_"])
    sizes = batch_sizes(settings, measure=False)
    planned, store = prepare(make_request(options), installed(), make_registry(registries), db, False, sizes)
    if shard:
        planned = shard_plan(planned, shard)
    for note in planned.notes:
        click.echo(f"warning: {note}", err=True)
    states, measured, size = {}, Measured(), None
    if store is not None:
        with closing(store), damage_told(store):
            states = store.states([e.key for e in planned.experiments])
            measured, size = Measured.of(store), database_size(db)
    todo = Todo.of(planned, states, measured, size)
    records = [_record(experiment, states.get(experiment.key)) for experiment in asked_of(planned)]
    trainings = planned_trainings(planned)
    if as_json:
        content = {"experiments": records, "trainings": [asdict(training) for training in trainings]}
        click.echo(json.dumps({**content, **todo.record()}, indent=2))
        return
    _print(records)
    if trainings:
        _print_trainings(trainings)
        click.echo(in_words(trainings))
    left = any(training.status != "done" for training in trainings)
    for line in todo.in_words(len(records), left):
        click.echo(line)


def _record(experiment: Experiment, state: State | None) -> dict[str, Any]:
    return {
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
        "status": state.status if state else "to do",
        "kept": state.samples if state else 0,
    }


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
