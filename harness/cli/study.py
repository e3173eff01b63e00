"""`harness results study`: the study's claims beside one's own results, as a page of Markdown."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path, PurePath

import click

from harness.errors import UsageError

__all__ = ["study"]


@click.command()
@click.option("--output", "-o", type=click.Path(path_type=Path), help="A file; default: standard output.")
@click.option(
    "--resamples",
    type=click.IntRange(100),
    default=1000,
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

    What they lack is undecided. Every interval is computed anew from the samples' statistics: some seconds for
    each experiment.
    """
    from harness.plugin_manager import installed
    from harness.stores import open_store
    from harness.study.evidence import Evidence
    from harness.study.page import study_page

    if output is not None and not output.absolute().parent.is_dir():
        raise UsageError(f"--output {output}: there is no folder {output.absolute().parent}.")
    plugins = installed()
    command = " ".join(["harness results study", *(f"--db {PurePath(url).name}" for url in db)])
    command += f" -o {output}" if output and not output.is_absolute() else ""
    with ExitStack() as stack:
        stores = [stack.enter_context(closing(open_store(url, plugins, write=False))) for url in db or (default,)]
        page = study_page(Evidence(stores, plugins, resamples), command, resamples)
    if output is None:
        click.echo(page, nl=False)
    else:
        output.write_text(page, encoding="utf-8")
