"""`harness plugins ...`: what authors of plugins need."""

from __future__ import annotations

import time
from pathlib import Path

import click

from harness.cli.new_plugin import new
from harness.cli.once import Command, Group

__all__ = ["plugins"]


@click.group(cls=Group)
def plugins() -> None:
    """Begin a plugin, or test one against its contract."""


plugins.add_command(new)


@plugins.command("test", cls=Command)
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(["codec", "task", "model", "dataset", "store", "executor", "logger"]),
    help="The plugin's kind, if several have the name.",
)
@click.option("--dataset", help="What a model is tried on, or a task's examples come from.")
@click.option("--model", help="The model whose predictions are a task's examples.")
@click.option("--weights", help="A model's weights (default: its own).")
@click.option("--data-root", type=click.Path(path_type=Path), help="The folder of the dataset.")
@click.option("--only", multiple=True, metavar="PROMISE", help="Try this promise only; repeatable.")
def test(
    name: str,
    kind: str | None,
    dataset: str | None,
    model: str | None,
    weights: str | None,
    data_root: Path | None,
    only: tuple[str, ...],
) -> int:
    """Try each promise of a plugin's contract, and say what to do where one is broken.

    NAME is the plugin as on the command line, with options if it is to be tried with them. A logger's is its entry
    point. The exit status is 1 if a promise is broken.
    """
    from harness.errors import UnknownNameError
    from harness.results.tables.text import clean
    from harness.testing.chosen import promises_for
    from harness.testing.runner import outcomes

    promises = promises_for(name, kind, dataset, model, weights, data_root and data_root.absolute())
    known = list(promises.names())
    for asked in only:
        if asked not in known:
            raise UnknownNameError("promise", asked, known)
    begun = time.perf_counter()
    counts = {"kept": 0, "broken": 0, "skipped": 0}
    width = max(map(len, known))
    for outcome in outcomes(promises, only or None):
        counts[outcome.status] += 1
        click.echo(f"{outcome.status:8}{outcome.promise:{width}}  {outcome.told}")
        if outcome.reason:
            click.echo(f"{'':8}{clean(outcome.reason)}")
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    click.echo(f"{promises.kind} {name}: {told} in {time.perf_counter() - begun:.1f} s.")
    return int(counts["broken"] > 0)
