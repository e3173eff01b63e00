"""`harness run`: runs the cross product of the given options; experiments in the database are not run again."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from harness.cli.garbage import collected_rarely
from harness.cli.once import Command
from harness.cli.options.common import make_registry, resamples_option
from harness.cli.options.request import batch_sizes, make_request, request_options
from harness.cli.options.results import print_profile
from harness.discovery.plugins import installed
from harness.planning.grammar import parse

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.planning.plan import Plan
    from harness.store import Store
    from harness.unit import Settings

__all__ = ["run"]


@click.command(cls=Command)
@request_options
@click.option("--workers", type=int, help="Processes that read and code; default: chosen from the cores.")
@click.option("--threads", type=click.IntRange(1), help="Threads on the CPU; default: from the cores.")
@click.option("--executor", default="local", show_default=True, help="What carries the work out: name[:key=value,...].")
@click.option(
    "--max-failures",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Failed samples with which an experiment still counts as finished.",
)
@resamples_option
@click.option("--profile", is_flag=True, help="Show where the time of these experiments went, too.")
@click.option("--quiet", "-q", is_flag=True, help="Only the table.")
def run(
    workers: int | None,
    threads: int | None,
    executor: str,
    max_failures: int,
    resamples: int,
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
    was cut off is continued.
    """
    from harness.engine import machine
    from harness.planning.preflight import prepare
    from harness.results.tables.results import print_table, results_table

    device = machine.find_device(options["device"])
    settings = machine.choose(device, options["precision"], workers, threads, options["compile_"])
    plugins = installed()
    parsed_executor = parse(executor, levels=False)
    plugins.get("executor", parsed_executor.name).resolve(parsed_executor.options)
    request = make_request(options)
    run_options = _RunOptions(settings, executor, resamples, request.seed, max_failures, quiet)
    sizes = batch_sizes(settings, quiet=quiet)
    plan, store = prepare(request, plugins, make_registry(registries), db, write=True, sized=sizes)
    assert store is not None
    for note in () if quiet else plan.notes:
        click.echo(f"warning: {note}", err=True)
    with closing(store), _stop_on_sigterm():
        unfinished = _carry_out(plan, store, plugins, run_options)
        keys = [experiment.key for experiment in plan.experiments]
        print_table(results_table(store, keys=keys), "table")
        if profile:
            click.echo()
            print_profile(store, keys=keys)
    for key, (status, reason) in unfinished.items():
        label = next(e.label for e in plan.experiments if e.key == key)
        click.echo(f"{status}: {label}: {reason}", err=True)
    return 1 if unfinished else 0


@dataclass(frozen=True)
class _RunOptions:
    """Options of how a plan is executed. They do not change the key of any experiment."""

    settings: Settings
    executor: str
    resamples: int
    seed: int
    max_failures: int
    quiet: bool


def _carry_out(plan: Plan, store: Store, plugins: Plugins, run_options: _RunOptions) -> Mapping[str, tuple[str, str]]:
    """Run the experiments that the database does not have yet.

    Returns:
        The keys of the experiments that failed or were interrupted, with this status and the reason.
    """
    from rich.console import Console

    from harness.cli.planned import in_words, planned_trainings
    from harness.engine.allocator import keep_memory
    from harness.finish.found import too_many_failures, unrecovered

    console = Console(stderr=True, quiet=run_options.quiet)
    keys = [experiment.key for experiment in plan.experiments]
    states = store.states(keys)
    finished = {key for key in keys if key in states and states[key].status == "finished"}
    complete = len(finished) == len(keys) == len(store.classes(keys))
    if complete and not store.uncompared(keys) and not unrecovered(store, plan.experiments):
        console.print(f"{len(keys)} experiments, all found in the database.", highlight=False)
        return _with_status("failed", too_many_failures(states, run_options.max_failures))
    if len(finished) < len(keys):  # said before torch is imported, which takes seconds
        console.print("loading the models to check their weights.", highlight=False)
    keep_memory()  # before torch takes memory
    from harness.cli.progress import make_progress
    from harness.engine.compiling import check_compiler
    from harness.engine.session import Resampling, carry_out
    from harness.planning.preflight import check_weights
    from harness.progress import Progress, Silence

    with collected_rarely():
        check_weights(plan, finished)
    if run_options.settings.compiled:
        check_compiler(run_options.settings.device)
    if trainings := planned_trainings(plan, finished):
        console.print(in_words(trainings), highlight=False)
    with make_progress(console) as progress:
        watcher: Progress = Silence() if run_options.quiet else progress
        outcome = carry_out(
            plan,
            store,
            run_options.settings,
            plugins,
            watcher,
            ["harness", *sys.argv[1:]],
            Resampling(run_options.resamples, run_options.seed),
            run_options.max_failures,
            run_options.executor,
        )
    return {**_with_status("failed", outcome.failed), **_with_status("interrupted", outcome.interrupted)}


def _with_status(status: str, reasons: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    return {key: (status, reason) for key, reason in reasons.items()}


@contextmanager
def _stop_on_sigterm() -> Iterator[None]:
    """A context in which SIGTERM stops the run as Ctrl-C does: with a message at once and a `KeyboardInterrupt`."""
    main = os.getpid()

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() != main:  # in a worker: the main process handles Ctrl-C, and stops its workers by SIGTERM
            if number == signal.SIGTERM:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            return
        # `timeout` sends SIGTERM twice, to the process and to its group. The second must not interrupt the writing.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with suppress(OSError):  # a closed standard error must not prevent the regular end of the run
            os.write(2, b"\nstopping: what was done is being written, which may take some seconds.\n")
        raise KeyboardInterrupt

    signals = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, stop) for number in signals}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
