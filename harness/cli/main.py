"""The root command. Here errors are printed and turned into exit statuses."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from harness import __version__
from harness.cli.added import added_commands
from harness.cli.once import plugin_files, taking_plugins
from harness.cli.process.garbage import collected_rarely
from harness.cli.process.stopping import status_of
from harness.cli.process.streams import lead_nowhere, sound_streams
from harness.discovery.files import use_files
from harness.errors import HarnessError, did_you_mean
from harness.keep.before import asking
from harness.keep.texts import without_passwords
from harness.results.tables.text import clean

__all__ = ["cli", "main"]

_READING = frozenset({"results", "recommend", "compare", "plan"})

_COMMANDS = {
    "run": "Run a cross product of codecs, levels, tasks, models and datasets.",
    "plan": "Show what a run would do; run nothing.",
    "init": "Write a commented experiment file, to be edited and run.",
    "list": "List codecs, tasks, models, datasets, stores, executors or plugins.",
    "results": "Show results, or query the database.",
    "recommend": "The cheapest level at which a model loses no more than is allowed.",
    "compare": "Which of two codecs, or models, is better, at equal quality and at equal level.",
    "report": "Write the results as one page, with charts, tables and pictures.",
    "plot": "Draw a metric against rate or level.",
    "train": "Train a model and save a checkpoint.",
    "plugins": "Begin a plugin, or test one against its contract.",
    "doctor": "Check this machine: devices, codecs, datasets, plugins.",
}


class _Commands(click.Group):
    """Imports a command's module only when the command is called. Listing the commands imports no module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_COMMANDS, *added_commands()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            added = added_commands().get(cmd_name)
            return None if added is None else taking_plugins(added)
        module = importlib.import_module(f"harness.cli.{cmd_name}")
        command: click.Command = getattr(module, "list_" if cmd_name == "list" else cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and (files := plugin_files(args)):
            use_files(files)
        if args and not args[0].startswith("-") and args[0] not in _COMMANDS and args[0] not in added_commands():
            hint = did_you_mean(args[0], self.list_commands(ctx))
            ctx.fail(f"no such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))
        if added := added_commands():
            with formatter.section("Commands of plugins"):
                formatter.write_dl([(name, command.get_short_help_str(80)) for name, command in added.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """How far can the images and video that feed a vision model be compressed before it gets worse?

    \b
        harness run --codec jpeg --task detection
        harness run --codec jpeg:subsampling=4:4:4@95,50,10 --task detection --dataset voc --data-root VOCdevkit
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line and exit.

    The exit status: 0 all done, 1 some experiment failed or is not finished, 2 bad usage or failed preflight, 128 + n
    stopped by signal n (130 by Ctrl-C).
    """
    # This must be set before torch is loaded: its threads then sleep while they wait for each other. Busy waiting costs
    # many times the actual work if other programs use the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    words = sys.argv[1:] if arguments is None else arguments
    with collected_rarely() if words and words[0] in _READING else contextlib.nullcontext():
        with sound_streams() as out:
            try:
                with asking():
                    status = _run(arguments)
            except SystemExit as stop:
                if out.left:
                    lead_nowhere()  # this is how libraries say that the reader of the output has left
                    status = 0
                else:
                    click.echo(f"error: a plugin ended the program (SystemExit: {clean(str(stop.code))}).", err=True)
                    status = 2
            _leave_hung_model(status)
        sys.exit(status)


def _leave_hung_model(status: int) -> None:
    """Exit at once if a thread still predicts: Python's own exit would wait for it, or take its memory away from it."""
    device = sys.modules.get("harness.device.device")
    if device is not None and device.left_alone():
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(AttributeError, OSError, ValueError):
                stream.flush()
        os._exit(status)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        status = cli.main(args=arguments, prog_name="harness", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        told = without_passwords(error.format_message())
        shown = click.UsageError(told, error.ctx) if isinstance(error, click.UsageError) else click.ClickException(told)
        shown.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as stop:
        words = sys.argv[1:] if arguments is None else arguments
        kept = "; what was done is kept. Run the same command again to continue" if _keeps_work(words) else ""
        click.echo(f"\ninterrupted{kept}.", err=True)
        return status_of(stop)
    except HarnessError as error:
        # A message may have several lines, and may contain names from a database with any characters.
        click.echo("\n".join(map(clean, without_passwords(f"error: {error}").split("\n"))), err=True)
        return 2
    except OSError as error:
        if error is getattr(sys.stdout, "failed", None):
            what = (error.strerror or str(error)).lower()
            click.echo(f"error: the output could not be written: {what}.", err=True)
            lead_nowhere()
            return 2
        if error.errno != errno.EPIPE:
            told = f"{error.strerror}: {error.filename}" if error.strerror and error.filename else str(error)
            click.echo(clean(without_passwords(f"error: {told}")), err=True)
            return 2
        # The reader of the output has closed the pipe (`harness results | head`), so nothing more is written.
        lead_nowhere()
        return 0
    except UnicodeEncodeError as error:
        click.echo(f"error: a name that is no UTF-8 cannot be used: {error.object!r}", err=True)
        return 2
    return status if isinstance(status, int) else 0


def _keeps_work(words: Sequence[str]) -> bool:
    """Whether the command keeps finished work when it is interrupted."""
    return bool(words) and words[0] in ("run", "train")
