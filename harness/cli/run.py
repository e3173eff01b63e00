"""`harness run`: runs the cross product of the given options; experiments in the database are not run again."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from harness.cli.once import Command
from harness.cli.options.common import FiniteRange, make_registry, resamples_option, shard_option
from harness.cli.options.request import batch_sizes, make_request, request_options
from harness.cli.options.results import print_profile
from harness.cli.process.garbage import collected_rarely
from harness.cli.process.stopping import stop_on_signals
from harness.cli.process.streams import read_or_not
from harness.discovery.plugins import installed
from harness.errors import UsageError
from harness.keep.before import limited_to
from harness.planning.grammar import parse
from harness.results.tables.text import clean
from harness.unit import SAMPLE_TIMEOUT

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.planning.plan import Plan
    from harness.planning.shards import Shard
    from harness.store import Store
    from harness.unit import Settings

__all__ = ["run"]

_MOST = 1024
"""The most workers, and the most threads. More of them end a machine rather than a run."""


@click.command(cls=Command)
@request_options
@click.option(
    "--workers", type=click.IntRange(max=_MOST), help="Processes that read and code; default: chosen from the cores."
)
@click.option("--threads", type=click.IntRange(1, _MOST), help="Threads on the CPU; default: from the cores.")
@click.option("--executor", default="local", show_default=True, help="What carries the work out: name[:key=value,...].")
@click.option(
    "--max-failures",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Failed samples with which an experiment still counts as finished.",
)
@click.option(
    "--sample-timeout",
    type=FiniteRange(0),
    default=SAMPLE_TIMEOUT,
    show_default=True,
    metavar="SECONDS",
    help="How long a worker, or the model, may take for one step of one sample; 0: as long as it likes.",
)
@resamples_option
@shard_option
@click.option("--again", is_flag=True, help="Compute what the database has again, and say what differs.")
@click.option("--keep", multiple=True, type=click.Choice(["predictions"]), help="Keep what the models predict, too.")
@click.option("--profile", is_flag=True, help="Show where the time of these experiments went, too.")
@click.option("--quiet", "-q", is_flag=True, help="Only the table.")
def run(
    workers: int | None,
    threads: int | None,
    executor: str,
    max_failures: int,
    sample_timeout: float,
    resamples: int,
    shard: Shard | None,
    again: bool,
    keep: tuple[str, ...],
    profile: bool,
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
    was cut off is continued. With --again it is computed again; the record of before is kept as superseded.
    """
    from harness.device import machine
    from harness.planning.plan import keeping
    from harness.planning.preflight import prepare
    from harness.planning.shards import shard_plan
    from harness.results.tables.results import print_table, results_table

    if shard and again:
        raise UsageError("--again and --shard: parts cannot be computed again. Compute the whole again.")
    limited_to(sample_timeout)
    device = machine.find_device(options["device"])
    settings = machine.choose(device, options["precision"], workers, threads, options["compile_"], sample_timeout)
    plugins = installed()
    parsed_executor = parse(executor, levels=False)
    plugins.get("executor", parsed_executor.name).resolve(parsed_executor.options)
    request = make_request(options)
    run_options = _RunOptions(settings, executor, resamples, request.seed, max_failures, again, quiet)
    sizes = batch_sizes(settings, quiet=quiet)
    plan, store = prepare(request, plugins, make_registry(registries), db, write=True, sized=sizes)
    assert store is not None
    if shard:
        plan = shard_plan(plan, shard)
    if keep:
        plan = keeping(plan)
    for note in () if quiet else plan.notes:
        click.echo(f"warning: {note}", err=True)
    with closing(store), stop_on_signals():
        unfinished = _carry_out(plan, store, plugins, run_options)
        keys = [experiment.key for experiment in plan.experiments]
        with read_or_not():
            print_table(results_table(store, keys=keys), "table")
            if profile:
                click.echo()
                print_profile(store, keys=keys)
    for key, (status, reason) in unfinished.items():
        label = next(e.label for e in plan.experiments if e.key == key)
        click.echo(clean(f"{status}: {label}: {reason}"), err=True)
    return 1 if unfinished else 0


@dataclass(frozen=True)
class _RunOptions:
    """Options of how a plan is executed. They do not change the key of any experiment."""

    settings: Settings
    executor: str
    resamples: int
    seed: int
    max_failures: int
    again: bool
    quiet: bool


def _carry_out(plan: Plan, store: Store, plugins: Plugins, run_options: _RunOptions) -> Mapping[str, tuple[str, str]]:
    """Run the experiments that the database does not have yet.

    Returns:
        The keys of the experiments that failed or were interrupted, with this status and the reason.
    """
    from rich.console import Console

    from harness.cli.planned import in_words, planned_trainings
    from harness.device.allocator import keep_memory
    from harness.finish.found import too_many_failures, unrecovered

    console = Console(stderr=True, quiet=run_options.quiet)
    keys = [experiment.key for experiment in plan.experiments]
    states = store.states(keys)
    finished = {key for key in keys if key in states and states[key].status == "finished"}
    complete = len(finished) == len(keys) == len(store.classes(keys)) and not run_options.again
    if complete and not store.uncompared(keys) and not unrecovered(store, plan.experiments):
        console.print(f"{len(keys)} experiments, all found in the database.", highlight=False)
        return _with_status("failed", too_many_failures(states, run_options.max_failures))
    if run_options.again:
        finished = set()
    if len(finished) < len(keys):  # said before torch is imported, which takes seconds
        console.print("loading the models to check their weights.", highlight=False)
    keep_memory()  # before torch takes memory
    from harness.cli.progress.runs import make_progress
    from harness.device.compiling import check_compiler
    from harness.engine.again import Again, begin_again, put_in_place
    from harness.engine.session import carry_out
    from harness.keep.predictions import move_predictions
    from harness.planning.preflight import check_samples, check_weights
    from harness.progress import Progress, Silence
    from harness.unit import Resampling

    with collected_rarely():
        check_samples(plan, finished)
        check_weights(plan, finished)
    work = begin_again(plan, store) if run_options.again else Again(plan, {})
    resampling = Resampling(run_options.resamples, run_options.seed)
    if run_options.settings.compiled:
        check_compiler(run_options.settings.device)
    if trainings := planned_trainings(plan, finished):
        console.print(in_words(trainings), highlight=False)
    with make_progress(console) as progress:
        watcher: Progress = Silence() if run_options.quiet else progress
        outcome = carry_out(
            work.plan,
            store,
            run_options.settings,
            plugins,
            watcher,
            ["harness", *sys.argv[1:]],
            resampling,
            run_options.max_failures,
            run_options.executor,
        )
        differing = put_in_place(work, store, plugins, watcher, resampling) if run_options.again else {}
    for key in differing:
        move_predictions(work.provisional[key], key)
    labels = {experiment.key: experiment.label for experiment in plan.experiments}
    for key, found in differing.items():
        console.print(clean(f"again: {labels[key]}: {found.words}"), highlight=False, markup=False, soft_wrap=True)
    for key, text in outcome.partial.items():
        console.print(clean(f"partial: {labels[key]}: {text}"), highlight=False, markup=False, soft_wrap=True)
    unfinished = {**_with_status("failed", outcome.failed), **_with_status("interrupted", outcome.interrupted)}
    return {work.own_key(key): reason for key, reason in unfinished.items()}


def _with_status(status: str, reasons: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    return {key: (status, reason) for key, reason in reasons.items()}
