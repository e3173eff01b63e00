"""docs/reference/api.md names what is public; shelves, examples and docs import nothing else of the core."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from harness import hookspecs

ROOT = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").is_file())
LISTED = re.findall(r"^::: (\S+)$", (ROOT / "docs/reference/api.md").read_text("utf-8"), re.MULTILINE)
PACKAGES = ("harness.files", "harness.images", "harness.video", "harness.weights")
"""Public modules of the root that have a folder for what they are made of."""
SHELVES = ("codecs", "tasks", "plugins", "docs", "templates")
SOURCES = [path for shelf in SHELVES for path in sorted((ROOT / shelf).rglob("*.py"))]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def public() -> dict[str, set[str]]:
    """Module -> its public names: all of `__all__` of a module that is listed, and single names that are listed."""
    names: dict[str, set[str]] = {}
    for listed in LISTED:
        try:
            module: ModuleType = importlib.import_module(listed)
        except ModuleNotFoundError:
            module_name, _, name = listed.rpartition(".")
            assert name in vars(importlib.import_module(module_name)), f"{listed} is listed, and is not there"
            names.setdefault(module_name, set()).add(name)
        else:
            exported = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
            names.setdefault(listed, set()).update(exported)
    return names


PUBLIC = public()


def imports(source: str) -> Iterator[tuple[str, str]]:
    """(module, name) of everything that a source imports of the core; the name is "" for `import module`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name.split(".")[0] == "harness")
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "harness":
            yield from ((node.module, alias.name) for alias in node.names)


def private(source: str) -> list[str]:
    """What a source imports of the core that the page does not name."""
    found = []
    for module, name in imports(source):
        whole = f"{module}.{name}" if name else module
        if not (name in PUBLIC.get(module, ()) or whole in PUBLIC):
            found.append(whole)
    return found


def code_blocks(page: Path) -> list[str]:
    """The Python code blocks of a page."""
    found = re.findall(r"^( *)```(?:python|py)\n(.*?)^\1```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(code) for _, code in found]


def test_nothing_is_listed_twice() -> None:
    assert len(LISTED) == len(set(LISTED))


def test_every_module_of_the_root_is_listed() -> None:
    modules = {f"harness.{path.stem}" for path in (ROOT / "harness").glob("*.py")}
    modules = {name for name in modules if "__" not in name} | set(PACKAGES)
    assert sorted(modules - set(LISTED)) == []


def test_everything_public_is_there_and_documented() -> None:
    undocumented = []
    for module_name, names in PUBLIC.items():
        module = importlib.import_module(module_name)
        for name in names:
            thing = getattr(module, name)  # AttributeError: named in __all__, and not there
            if (inspect.isclass(thing) or inspect.isroutine(thing)) and not (thing.__doc__ or "").strip():
                undocumented.append(f"{module_name}.{name}")
    assert undocumented == []


def test_the_types_of_predictions_and_targets_are_public() -> None:
    assert [name for name in LISTED if name.startswith("harness_tasks.")] == [
        f"harness_tasks.{task}.types" for task in ("segmentation", "depth", "detection", "pose", "action")
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_shelves_and_examples_import_only_what_is_public(path: Path) -> None:
    assert private(path.read_text("utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_import_only_what_is_public(page: Path) -> None:
    assert [name for code in code_blocks(page) for name in private(code)] == []


def test_examples_of_hooks_import_only_what_is_public() -> None:
    for name, hook in vars(hookspecs).items():
        if name.startswith("harness_"):
            _, _, example = (hook.__doc__ or "").partition("Example::\n")
            assert private(textwrap.dedent(example)) == [], name


def test_a_private_import_is_found() -> None:
    assert private("from harness.planning.plan import make_plan\nimport harness.engine.runner") == [
        "harness.planning.plan.make_plan",
        "harness.engine.runner",
    ]
    assert private("import harness\nfrom harness import codec, load\nfrom harness.codec import Frames") == []
