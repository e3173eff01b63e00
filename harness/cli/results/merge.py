"""`harness results merge`: joins databases of several machines into one; each cell is kept once."""

from __future__ import annotations

import click

from harness.cli.once import Command
from harness.cli.options.common import resamples_option
from harness.keep.texts import without_passwords
from harness.results.tables.text import clean

__all__ = ["merge"]

_SHOWN = 20


@click.command(cls=Command)
@click.argument("sources", metavar="DATABASE...", nargs=-1, required=True)
@click.option("--output", "-o", required=True, metavar="DATABASE", help="The merged database: a file or a URL.")
@click.option("--into", is_flag=True, help="Take them into --output, a database that is there.")
@resamples_option
def merge(sources: tuple[str, ...], output: str, into: bool, resamples: int) -> None:
    """Join databases (files, or URLs of servers) from several machines. Equal cells are taken once.

    \b
        harness results merge a.db b.db -o all.db
        harness results merge c.db -o all.db --into
        harness results merge a.db b.db -o postgresql://me@host/results

    A finished cell wins over one that is not, and the first of two finished ones is kept. Drops and recoveries of
    experiments that meet for the first time are computed from the stored statistics. The sources are not changed.
    """
    from harness.results.merge import merge_files

    merged = merge_files(sources, output, into, resamples, lambda text: click.echo(text, err=True))
    for source, counts in zip(map(without_passwords, sources), merged, strict=True):
        click.echo(f"{source}: {counts.taken} experiments taken, {counts.doubles} were finished already")
        for problem in counts.problems:
            click.echo(clean(f"warning: {source}: {problem}."), err=True)
    differing = [row for counts in merged for row in counts.differing]
    for key, metric, kept, other in differing[:_SHOWN]:
        click.echo(f"warning: experiment {key[:12]}: {metric} is {kept} in the first, {other} in another.", err=True)
    if len(differing) > _SHOWN:
        click.echo(f"warning: {len(differing) - _SHOWN} more metrics differ.", err=True)
    click.echo(f"{without_passwords(output)}: written")
