"""Formats any table as text: aligned for a terminal, CSV, JSON, Markdown or LaTeX."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.pages import Table

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["FORMATS", "Table", "clean", "render", "show"]

FORMATS = ("table", "csv", "json", "markdown", "latex")


def render(table: Table, format: str) -> str:
    """Return the table as text, which ends with a newline.

    Args:
        table: the table.
        format: one of `FORMATS`.

    >>> print(render(Table(("codec", "bpp"), (("jpeg", 0.5), ("none", 24.0))), "table"), end="")
    codec   bpp
    jpeg    0.5
    none   24.0
    """
    renderers = {"table": _plain, "csv": _csv, "json": _json, "markdown": _markdown, "latex": _latex}
    return renderers[format](table)


def show(table: Table, console: Console) -> None:
    """Print the table on a terminal.

    If the table is wider than the terminal, column headings and values with an interval ("0.482 [0.451, 0.513]") are
    broken into several lines.
    """
    from rich.table import Table as RichTable
    from rich.text import Text

    cells = _cells(table)
    too_wide = sum(_widths(table, [table.columns, *cells])) + 2 * len(table.columns) > console.width
    if too_wide:
        cells = [[cell.replace(" [", "\n[") for cell in row] for row in cells]
    rich_table = RichTable(box=None, header_style="bold", pad_edge=False, collapse_padding=too_wide)
    for column, right in zip(table.columns, _numeric(table), strict=True):
        head = clean(column)
        rich_table.add_column(Text(head.replace(" ", "\n") if too_wide else head), justify="right" if right else "left")
    for row in cells:
        rich_table.add_row(*map(Text, row))
    if table.title:
        console.print(Text(clean(table.title), style="bold"))
    console.print(rich_table)
    for note in table.notes:
        console.print(Text(clean(note), style="dim"))


def _plain(table: Table) -> str:
    cells = [[clean(column) for column in table.columns], *_cells(table)]
    widths = _widths(table, cells)
    right = _numeric(table)
    lines = [clean(table.title)] if table.title else []
    for row in cells:
        aligned = [
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, right, strict=True)
        ]
        lines.append("  ".join(aligned).rstrip())
    lines += [clean(note) for note in table.notes]
    return "\n".join(lines) + "\n"


def _csv(table: Table) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(table.rows)
    return file.getvalue()


def _json(table: Table) -> str:
    rows = [dict(zip(table.columns, map(_json_value, row), strict=True)) for row in table.rows]
    return json.dumps(rows, indent=2, allow_nan=False) + "\n"


def _json_value(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _markdown(table: Table) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(map(_markdown_text, cells)) + " |"

    rule = "|" + "|".join("---:" if right else "---" for right in _numeric(table)) + "|"
    lines = [line(table.columns), rule, *(line(row) for row in _cells(table))]
    above = [f"**{_markdown_text(table.title)}**", ""] if table.title else []
    below = ["", *(_markdown_text(note) for note in table.notes)] if table.notes else []
    return "\n".join([*above, *lines, *below]) + "\n"


def _markdown_text(text: str) -> str:
    return "".join("\\" + c if c in "\\|`*_<>#" else c for c in clean(text))


_LATEX = {
    **{c: "\\" + c for c in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"±": r"$\pm$", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}"},
}


def _latex(table: Table) -> str:
    """Return a LaTeX `tabular`, which needs no package."""

    def line(cells: Sequence[str]) -> str:
        text = " & ".join(map(_latex_text, cells))
        # LaTeX would read "[" or "*" at the start of a row as an argument of the line break before it.
        return ("{}" if text.startswith(("[", "*")) else "") + text + r" \\"

    form = "".join("r" if right else "l" for right in _numeric(table))
    above = [f"% {clean(table.title)}"] if table.title else []
    lines = [rf"\begin{{tabular}}{{{form}}}", r"\hline", line(table.columns), r"\hline"]
    lines += [line(row) for row in _cells(table)]
    lines += [r"\hline", r"\end{tabular}", *(f"% {clean(note)}" for note in table.notes)]
    return "\n".join([*above, *lines]) + "\n"


def _latex_text(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in clean(text))


def _cells(table: Table) -> list[list[str]]:
    return [["" if value is None else clean(str(value)) for value in row] for row in table.rows]


def _widths(table: Table, cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(cell) for cell in column) for column in zip(table.columns, *cells, strict=True)]


def _numeric(table: Table) -> list[bool]:
    """Return for each column whether it is aligned to the right.

    This is the case if all values are numbers, or texts that start like a number. Empty values are ignored.
    """

    def number(value: Any) -> bool:
        return value is None or isinstance(value, int | float) or value == "" or str(value)[0] in "-0123456789"

    return [all(map(number, column)) for column in zip(*table.rows, strict=True)] or [False] * len(table.columns)


def clean(text: str) -> str:
    r"""Replace non-printable characters, which could move a terminal's cursor or break a line, by escapes (`\x1b`)."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
