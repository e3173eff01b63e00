"""Real plugin distributions, written to a folder the way an installer leaves them."""

from __future__ import annotations

from importlib.metadata import EntryPoint, distributions
from pathlib import Path

__all__ = ["entry_points_in", "write_distribution"]


def write_distribution(folder: Path, name: str, module: str, source: str, version: str = "1.0") -> None:
    """A module with the metadata of an installed distribution whose entry point names it."""
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[harness]\n{module} = {module}\n")


def entry_points_in(folder: Path) -> list[EntryPoint]:
    """The harness's entry points of the distributions in a folder, by name."""
    found = [p for d in distributions(path=[str(folder)]) for p in d.entry_points if p.group == "harness"]
    return sorted(found, key=lambda p: p.name)
