"""Tables, and what a plugin can add to the page of `harness report` (`harness.hookspecs.harness_report_sections`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["PageSection", "Table"]


@dataclass(frozen=True)
class Table:
    """A table with named columns, a title and notes.

    Args:
        columns: the names of the columns.
        rows: the rows. Each has one value for each column: a text, a number, a boolean or None.
        title: the text above the table; CSV and JSON leave it out.
        notes: the texts below the table; CSV and JSON leave them out.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    title: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PageSection:
    """A section of the page. All texts are escaped; parts in backticks are shown as code.

    Args:
        title: the heading.
        text: a paragraph below the heading.
        sentences: a list below it.
        tables: tables below that.
    """

    title: str
    text: str = ""
    sentences: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
