"""The published study that this harness follows: its figures and claims, compared with your own results.

Poyser, Atapour-Abarghouei, Breckon, "On the Impact of Lossy Image and Video Compression on the Performance of Deep
Convolutional Neural Network Architectures".

The plugin adds the commands `harness results study` and `harness results tables`, and a section of the report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    import click

    from harness.pages import PageSection
    from harness.store import Store


@hookimpl
def harness_commands() -> Mapping[str, click.Command]:
    from harness_plugins.study.study_command import study
    from harness_plugins.study.tables_command import tables

    return {"results study": study, "results tables": tables}


@hookimpl
def harness_report_sections(store: Store, experiments: Sequence[str]) -> Iterable[PageSection]:
    from harness_plugins.study.beside import beside_the_study

    return [beside_the_study(store, experiments)]
