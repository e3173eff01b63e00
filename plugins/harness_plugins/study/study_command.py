"""`harness results study`: compares the claims of the published study with your own results, as a page of Markdown."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from harness.cli.once import Command
from harness.cli.options.results import open_for_reading, warn
from harness.errors import UsageError
from harness.files import write_whole
from harness.keep.texts import without_passwords

__all__ = ["study"]

_RESAMPLES = 1000


@click.command(cls=Command)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="A file; default: standard output.")
@click.option(
    "--resamples",
    type=click.IntRange(100),
    default=_RESAMPLES,
    show_default=True,
    help="From how many the intervals are computed.",
)
@click.option("--db", multiple=True, help="Results database, if not the one given before `study`; repeatable.")
@click.pass_obj
def study(default: str, /, output: Path | None, resamples: int, db: tuple[str, ...]) -> None:
    """Set the study's claims beside the results in a database, or several, with a verdict by a stated rule for each.

    \b
        harness results study -o study.md
        harness results study --db harness.db --db more.db

    What they lack is undecided. Every interval is computed from the samples' statistics: some seconds for each
    experiment whose resampled metrics the database does not keep (`harness results refresh`).
    """
    from harness.discovery.plugins import installed
    from harness_plugins.study.evidence import Evidence
    from harness_plugins.study.page import study_page

    if output is not None and not output.absolute().parent.is_dir():
        raise UsageError(f"--output {output}: there is no folder {output.absolute().parent}.")
    plugins = installed()
    urls = db or (default,)
    with ExitStack() as stack:
        stores = [stack.enter_context(open_for_reading(url)) for url in urls]
        evidence = Evidence(stores, plugins, resamples, warn=warn)
        page = study_page(evidence, _command(urls, resamples, output), resamples, len(urls))
    if output is None:
        click.echo(page, nl=False)
    else:
        try:
            write_whole(output, page.encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise UsageError(f"--output {output} cannot be written: {error.strerror or error}.") from error


def _command(urls: Sequence[str], resamples: int, output: Path | None) -> str:
    """Return the command line that makes the same page in the same folder, with passwords of databases hidden."""
    words = ["harness", "results", "study"]
    for url in urls:
        words += ["--db", without_passwords(url)]
    words += [] if resamples == _RESAMPLES else ["--resamples", str(resamples)]
    words += ["-o", str(output)] if output else []
    return shlex.join(words)
