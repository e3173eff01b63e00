"""The rooms of the core: imports run one way, there is no circle, no folder is crowded, and every room is explained."""

from __future__ import annotations

import ast
import graphlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").is_file())
CORE = ROOT / "harness"

ROOMS = (
    "",  # the root: contracts, with `files`, `images`, `video` and `weights`, which are packages for their size alone
    "media",
    "external",
    "keep",
    "discovery",
    "statistics",
    "training",
    "planning",
    "batches",
    "workers",
    "finish",
    "device",
    "engine",
    "results",
    "results/tables",
    "results/figures",
    "show",
    "decide",
    "page",
    "testing/tools",
    "testing/stores",
    "testing",
    "cli",
    "cli/options",
    "cli/process",
    "cli/progress",
    "cli/results",
)
"""In the order of the way that a request takes: a module imports from its own room and from those before it.

The folders of `cli` are one room: its commands import them, and `cli/results` is one of its commands.
"""
PUBLIC_PACKAGES = ("files", "images", "video", "weights")
DOORS = ("harness", "harness.__main__")
"""What users open the package by: `harness.load` and `python -m harness` reach for everything."""
MOST_IN_ROOT = 18
MOST_IN_FOLDER = 18
VERBS = ("run", "plan", "recommend", "compare", "report", "plot", "search")
"""Names that are kept free for the Python interface: no room and no module of the root has one."""


def modules(core: Path) -> dict[str, Path]:
    """Every module of a package, by its dotted name."""
    found = {}
    for path in sorted(core.rglob("*.py")):
        parts = path.relative_to(core.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """The modules of the package that a module imports, at its top, in functions, or for types alone."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield from (name for name in (whole, node.module or "") if name in known)


def graph(core: Path) -> dict[str, set[str]]:
    """Module -> the modules it imports. A package that is imported for a module of it does not count."""
    known = modules(core)
    edges: dict[str, set[str]] = {}
    for name, path in known.items():
        found = set(imported(path, known)) - {name, core.name}
        edges[name] = {one for one in found if not any(other.startswith(f"{one}.") for other in found)}
    return edges


def room_of(path: Path, core: Path) -> str:
    """The room of a module's file: a folder, or "" for the root and the public packages."""
    folder = path.parent.relative_to(core).as_posix()
    if folder == "." or folder.split("/")[0] in PUBLIC_PACKAGES:
        return ""
    return folder


def upward(core: Path) -> list[str]:
    """Imports from a room that comes later."""
    place = {room: number for number, room in enumerate(ROOMS)}
    place |= dict.fromkeys(("cli/options", "cli/process", "cli/progress", "cli/results"), place["cli"])
    stage = {name: place[room_of(path, core)] for name, path in modules(core).items()}
    return [
        f"{name} -> {other}"
        for name, others in graph(core).items()
        if name not in DOORS
        for other in sorted(others)
        if stage[other] > stage[name]
    ]


def circle(core: Path) -> list[str]:
    """The modules of one circle of imports; empty where there is none."""
    try:
        list(graphlib.TopologicalSorter(graph(core)).static_order())
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def test_every_folder_has_its_place_in_the_order() -> None:
    folders = {path.parent.relative_to(CORE).as_posix() for path in CORE.rglob("*.py")} - {".", *PUBLIC_PACKAGES}
    assert folders == set(ROOMS) - {""}


def test_imports_run_one_way() -> None:
    assert upward(CORE) == []


def test_no_imports_run_in_a_circle() -> None:
    assert circle(CORE) == []


def test_no_folder_is_crowded() -> None:
    for room in ROOMS:
        most = MOST_IN_FOLDER if room else MOST_IN_ROOT
        held = [path.name for path in (CORE / room).glob("*.py") if not path.name.startswith("__")]
        held += [name for name in PUBLIC_PACKAGES if not room]
        assert len(held) <= most, f"harness/{room}: {len(held)} modules, at most {most}"
    for package in PUBLIC_PACKAGES:
        assert len(list((CORE / package).glob("*.py"))) <= MOST_IN_FOLDER


def test_verbs_are_kept_free() -> None:
    names = {path.stem for path in CORE.iterdir()}
    assert sorted(names & set(VERBS)) == []


def test_the_architecture_page_shows_the_rooms_in_this_order() -> None:
    page = (ROOT / "docs/explanation/architecture.md").read_text("utf-8")
    _, _, section = page.partition("## The rooms of the core")
    shown = re.findall(r"^\| `harness/([a-z/]*)` \|", section, re.MULTILINE)
    assert [name.rstrip("/") for name in shown] == list(ROOMS)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A package with a module in the root and one in each of two rooms; nothing is wrong with it."""
    core = tmp_path / "harness"
    for room in ("planning", "engine"):
        (core / room).mkdir(parents=True)
        (core / room / "__init__.py").write_text("")
    (core / "__init__.py").write_text("")
    (core / "codec.py").write_text("")
    (core / "planning" / "plan.py").write_text("from harness.codec import Codec\n")
    (core / "engine" / "runner.py").write_text("from harness.planning.plan import Plan\nfrom harness import codec\n")
    assert (upward(core), circle(core)) == ([], [])
    return core


@pytest.mark.parametrize(
    "source",
    [
        "from harness.engine.runner import Runner\n",
        "import harness.engine.runner\n",
        "from harness.engine import runner\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from harness.engine.runner import Runner\n",
        "def late():\n    from harness.engine.runner import Runner\n",
    ],
)
def test_an_upward_import_is_found(small: Path, source: str) -> None:
    (small / "codec.py").write_text(source)
    assert upward(small) == ["harness.codec -> harness.engine.runner"]


def test_a_circle_inside_a_room_is_found(small: Path) -> None:
    (small / "engine" / "worker.py").write_text("from harness.engine.keeper import Keeper\n")
    (small / "engine" / "keeper.py").write_text("import harness.engine.worker\n")
    assert upward(small) == []
    assert set(circle(small)) == {"harness.engine.worker", "harness.engine.keeper"}
