"""Puts the page together: gathers the sections, and renders them into one HTML file (Jinja2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from harness.errors import UnknownNameError, UsageError
from harness.page.gallery import NO_ROOM, Budget
from harness.page.provenance import provenance
from harness.page.section import PageOptions, Section, section_of
from harness.pages import PageSection
from harness.planning.recorded_task import task_of
from harness.results.cells import read_cells
from harness.results.classes import classes_of
from harness.results.ladders import Case, cases_of

if TYPE_CHECKING:
    from markupsafe import Markup

    from harness.discovery.plugins import Plugins
    from harness.results.cells import ResultCell
    from harness.show.remake import Environment
    from harness.store import Store
    from harness.task import Task

__all__ = ["PageOptions", "page"]

LARGEST = 15_000_000
"""The maximum size of a page in bytes."""
_PICTURES = 10_500_000
"""The maximum size of all pictures of a page in bytes, before they are encoded as text (base64)."""


def page(store: Store, environment: Environment, asked: PageOptions) -> str:
    """Return the page as HTML.

    Args:
        store: the store that has the experiments.
        environment: the plugins, registry, data folders, weights and device of this machine, to make pictures again.
        asked: the options of the page.

    Raises:
        UsageError: there is no finished experiment with a codec.
        ImportError: Jinja2, Altair or vl-convert is not installed (the extra `report`).
    """
    import altair  # noqa: F401 - fail before any work if it is not installed
    import jinja2
    import vl_convert

    from harness.page.charts import chart_specs

    asked.status("reading results")
    cells = read_cells(store, asked.filters)
    cases = cases_of(cells)
    if not cases:
        raise UsageError("the database has no finished experiments of a codec to report on.")
    budget = Budget(_PICTURES)
    tasks = _tasks(store, cases, environment)
    sections = [section_of(store, case, tasks[place], environment, asked, budget) for place, case in enumerate(cases)]
    asked.status("writing the page")
    folder = files("harness.page")
    templates = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates.filters |= {"base64": _base64, "with_code": _with_code}
    template = templates.from_string(folder.joinpath("page.html").read_text("utf-8"))
    rest = {
        "title": asked.title,
        "summary": _summary(cells, cases),
        "provenance": provenance(store, cells, asked.full),
        "more": _added(store, cells, environment.plugins, asked),
        "data": [section.data for section in sections],
        "specs": chart_specs(),
        "vega": vl_convert.javascript_bundle(),  # type: ignore[call-arg]  # optional, unlike its stub says
        "css": folder.joinpath("page.css").read_text("utf-8"),
        "js": folder.joinpath("page.js").read_text("utf-8"),
    }
    text = template.render(sections=sections, **rest)
    if (excess := len(text.encode()) - LARGEST) > 0:
        text = template.render(sections=_with_fewer_pictures(sections, excess), **rest)
    return text


def _added(store: Store, cells: Sequence[ResultCell], plugins: Plugins, asked: PageOptions) -> list[PageSection]:
    """Return the sections that plugins add. A plugin that fails adds none, which is told."""
    keys = [str(cell.facts["experiment"]) for cell in cells]
    found, problems = plugins.gather("harness_report_sections", {"store": store, "experiments": keys})
    sections = []
    for label, section in found:
        if isinstance(section, PageSection):
            sections.append(section)
        else:
            problems.append(f"plugin {label}: harness_report_sections gave {section!r}, which is no PageSection")
    for problem in problems:
        asked.warning(problem)
    return sections


def _with_fewer_pictures(sections: Sequence[Section], excess: int) -> list[Section]:
    """Return the sections with fewer pictures, so that the page is smaller by at least `excess` bytes if possible.

    The last sample of the gallery with the most samples is removed, again and again.
    """
    kept = list(sections)
    while excess > 0 and any(section.gallery.strips for section in kept):
        place = max(range(len(kept)), key=lambda n: len(kept[n].gallery.strips))
        gallery = kept[place].gallery
        excess -= sum(len(picture.data) * 4 // 3 for picture in gallery.strips[-1].pictures)
        problems = tuple(dict.fromkeys((*gallery.problems, NO_ROOM)))
        kept[place] = replace(kept[place], gallery=replace(gallery, strips=gallery.strips[:-1], problems=problems))
    return kept


def _tasks(store: Store, cases: Sequence[Case], environment: Environment) -> list[Task | None]:
    """Return the task of each case; None if no installed plugin has it."""
    heads = [case.cells[0] for case in cases]
    classes = classes_of(store, heads)
    identities = store.identities([cell.facts["experiment"] for cell in heads])
    tasks: list[Task | None] = []
    for head in heads:
        key = head.facts["experiment"]
        try:
            tasks.append(task_of(identities[key], classes[key], environment.plugins))
        except UnknownNameError:
            tasks.append(None)
    return tasks


def _summary(cells: Sequence[ResultCell], cases: Sequence[Case]) -> dict[str, Any]:
    finished = [cell for cell in cells if cell.facts["status"] == "finished"]
    return {
        "experiments": len(cells),
        "finished": len(finished),
        "samples": sum(cell.facts["samples"] or 0 for cell in finished),
        "failed": sum(cell.facts["failed_samples"] or 0 for cell in cells),
        "codecs": sorted({ladder.codec for case in cases for ladder in case.ladders}),
        "tasks": list(dict.fromkeys(case.facts["task"] for case in cases)),
        "newest": max((cell.facts["finished_at"] or "" for cell in finished), default=""),
    }


def _with_code(text: str) -> Markup:
    """Return the text escaped for HTML, with parts in backticks as `<code>` elements."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _base64(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode("ascii")
