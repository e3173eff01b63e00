"""Who may know whom: what each part of the project imports of the others, and what of other libraries when it loads."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TASKS = ("action", "depth", "detection", "pose", "segmentation")
SHELVES = ("harness_codecs", "harness_tasks", "harness_plugins")
FORBIDDEN = {
    "harness": SHELVES,
    "codecs/harness_codecs": ("harness_tasks", "harness_plugins"),
    "tasks/harness_tasks": ("harness_codecs", "harness_plugins"),
    "plugins/harness_plugins": ("harness_codecs",),
    **{
        f"tasks/harness_tasks/{task}": tuple(f"harness_tasks.{other}" for other in TASKS if other != task)
        for task in TASKS
    },
    "tasks/harness_tasks/networks": tuple(f"harness_tasks.{task}" for task in TASKS),
}
"""Folder -> the modules that nothing in it imports."""


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_imports_keep_to_the_layers(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    found = [
        f"{path.relative_to(ROOT)}: {module}"
        for path in files
        for module in imported(path)
        if f"{module}.".startswith(tuple(f"{name}." for name in FORBIDDEN[folder]))
    ]
    assert found == []


def test_plugins_load_without_heavy_libraries() -> None:
    heavy = ("torch", "torchvision", "cv2", "av", "PIL", "yaml", "sqlalchemy", "pandas", "matplotlib")
    code = (
        "import sys\nfrom importlib.metadata import entry_points\n"
        "points = [p for p in entry_points(group='harness') if p.value.startswith('harness_')]\n"
        "for point in points:\n    point.load()\n"
        f"print(len(points) > 20, [name for name in {heavy!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "True []"
