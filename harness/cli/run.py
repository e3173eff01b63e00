"""`harness run`: what was asked, crossed, and carried out where the database does not have it yet."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Any

import click

from harness.cli.options import make_registry, make_request, request_options
from harness.grammar import parse
from harness.plugin_manager import installed

__all__ = ["run"]


@click.command()
@request_options
@click.option("--workers", type=int, help="Processes that read and code; default: chosen from the cores.")
@click.option("--threads", type=click.IntRange(1), help="Threads that predict on the CPU; default: from the cores.")
@click.option("--executor", default="local", show_default=True, help="What carries the work out: name[:key=value,...].")
@click.option(
    "--max-failures",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Failed samples with which an experiment still counts as finished.",
)
@click.option(
    "--resamples",
    type=click.IntRange(100),
    default=1000,
    show_default=True,
    help="From how many the intervals are computed.",
)
@click.option("--quiet", "-q", is_flag=True, help="Only the table.")
def run(
    workers: int | None,
    threads: int | None,
    executor: str,
    max_failures: int,
    resamples: int,
    quiet: bool,
    registries: tuple[Any, ...],
    db: str,
    **options: Any,
) -> int:
    """Run a cross product of codecs, levels, tasks, models and datasets.

    \b
    harness run --codec jpeg --task detection
    harness run --codec jpeg@95,10 --codec webp --task detection --limit 50
    harness run experiment.toml

    FILE is a TOML file with any of these options as keys. What the database already has is not computed again, and what
    was cut off is continued.
    """
    from rich.console import Console

    from harness.cli.progress import make_report
    from harness.engine import machine
    from harness.engine.report import Report, Silence
    from harness.engine.runner import too_many_failures
    from harness.preflight import check_weights, prepare
    from harness.session import Resampling, carry_out
    from harness.tables import print_table, results_table

    device = machine.find_device(options["device"])
    settings = machine.choose(device, options["precision"], workers, threads)
    plugins = installed()
    asked = parse(executor, levels=False)
    plugins.get("executor", asked.name).resolve(asked.options)
    request = make_request(options, device)
    plan, store = prepare(request, plugins, make_registry(registries), db, write=True)
    assert store is not None
    keys = [experiment.key for experiment in plan.experiments]
    previous = signal.signal(signal.SIGTERM, _terminated)
    try:
        console = Console(stderr=True, quiet=quiet)
        states = store.states(keys)
        found = {key for key in keys if key in states and states[key].status == "finished"}
        failed = too_many_failures({key: states[key] for key in found}, max_failures)
        if len(found) == len(keys) and not store.uncompared(keys):
            console.print(f"{len(keys)} experiments, all found in the database.", highlight=False)
        else:
            check_weights(plan, found)
            report = make_report(console)
            with report:
                watcher: Report = Silence() if quiet else report
                outcome = carry_out(
                    plan,
                    store,
                    settings,
                    plugins,
                    watcher,
                    ["harness", *sys.argv[1:]],
                    Resampling(resamples, request.seed),
                    max_failures,
                    executor,
                )
            failed = outcome.failed
        print_table(results_table(store, keys=keys), "table")
    finally:
        store.close()
        signal.signal(signal.SIGTERM, previous)
    for key, reason in failed.items():
        label = next(e.label for e in plan.experiments if e.key == key)
        click.echo(f"failed: {label}: {reason}", err=True)
    return 1 if failed else 0


def _terminated(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends a run as Ctrl-C does: what was done is kept."""
    raise KeyboardInterrupt
