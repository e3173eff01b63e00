"""The registry (registry.toml): named models and datasets, and facts about them. It contains no code and no imports.

Plugins may bring files of their own, which add to the file that comes with the harness: `registry.toml` in the folder
of a plugin's package, or `NAME.toml` beside a module `NAME.py` without one. The user's files are merged over all these,
table by table. They are `registry.toml` in the working directory, or the files given by `--registry`. Sections:

- `[tasks.NAME]`: `model`, `dataset`, `recipe` (for `train`), `retrain` (the recipe for `run --retrain`): the defaults
  of a task
- `[codecs.NAME]`: `ladder`: the levels that are tested by default; `aliases`: other names of it, which are suggested
- `[codecs.NAME.profiles.PROFILE]`: `options`, `ladder`: a name for a set of options (`h264:profile=surveillance`), and
  the levels that are tested with it, if they differ from the codec's own
- `[models.NAME]`: `kind`, `options`, `weights`, `checkpoint`: a named model
- `[checkpoints.NAME]`: `sha256`, `licence`, `url`, `classes`, `source`, `score`: facts about weights. `classes` gives
  the class names for a file that does not state them; `score` is the metric value that the weights reach without
  compression, with a tolerance
- `[datasets.NAME]`: `kind`, `options`, `folder`, `split`, `licence`, `url`, `source`: a named dataset
- `[packages.KIND]`: name = package, for plugins that are not installed
- `[recipes.TASK.NAME]`: training recipes for a task's models
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from harness.discovery.registry_checks import REQUIRED, Checker
from harness.errors import RegistryError

__all__ = ["Registry", "load_registry", "package_hint", "read_registry", "read_toml", "shipped"]

_DEEPEST = 50
"""The deepest nesting of a TOML file."""


@dataclass(frozen=True)
class Registry:
    """The registry, merged from all its files.

    Args:
        sections: section -> name -> facts (`recipes`: task -> name -> values).
        files: the files that were read; later files override earlier ones.
        origins: (section, name) -> the folder to which relative paths in the entry refer.
    """

    sections: Mapping[str, Mapping[str, Any]]
    files: tuple[Path, ...] = ()
    origins: Mapping[tuple[str, str], Path] = field(default_factory=dict)

    def section(self, name: str) -> Mapping[str, Any]:
        """Return a section; empty if no file has it."""
        return self.sections.get(name, {})

    def entry(self, section: str, name: str) -> Mapping[str, Any]:
        """Return the facts about one name; empty if the section does not have the name."""
        facts: Mapping[str, Any] = self.section(section).get(name, {})
        return facts

    def path(self, section: str, name: str, value: str) -> Path:
        """Return a path from an entry; a relative path refers to the folder of the file that contains the entry."""
        return self.origins.get((section, name), Path()) / value

    def recipe(self, task: str, name: str) -> Mapping[str, Any]:
        """Return the values of a training recipe.

        Raises:
            RegistryError: the task has no recipe with this name.
        """
        recipes: Mapping[str, Any] = self.section("recipes").get(task, {})
        if name not in recipes:
            known = ", ".join(sorted(recipes)) or "none"
            raise RegistryError(f"task {task} has no recipe {name!r}. There is: {known}.")
        values: Mapping[str, Any] = recipes[name]
        return values


def shipped() -> Path:
    """Return the path of the registry file that comes with the harness.

    In a source checkout this is the top-level file. The copy inside the package may be outdated there, because an
    editable install does not update it.
    """
    package = Path(__file__).parents[1]
    checkout = package.parent / "registry.toml"
    return (
        checkout if checkout.is_file() and (package.parent / "pyproject.toml").is_file() else package / "registry.toml"
    )


def load_registry(overlays: Iterable[Path] | None = None, plugins: Iterable[Path] = ()) -> Registry:
    """Read the registry that comes with the harness, add those of plugins, and merge the user's files over them.

    Args:
        overlays: the user's files; None takes `registry.toml` in the working directory, if it exists.
        plugins: the files of plugins (`harness.discovery.plugins.Plugins.registries`).

    Raises:
        RegistryError: a file is missing, is not valid TOML, lacks a required key, or has an unknown key or a value of
            the wrong type; or a plugin's file gives another value than the harness or another plugin. The message names
            the file, and where possible the line and the key.
    """
    base = shipped()
    if overlays is None:
        local = Path("registry.toml")
        overlays = [local] if local.is_file() and local.resolve() != base.resolve() else []
    sections: dict[str, Any] = {}
    origins: dict[tuple[str, str], Path] = {}
    added = tuple(plugins)
    files = (base, *added, *overlays)
    for number, file in enumerate(files):
        for section, entries in read_registry(file).items():
            if number in range(1, len(added) + 1):
                _check_additions(file, files[:number], (section,), sections.get(section, {}), entries)
            for name in entries:
                origins[section, name] = file.resolve().parent
            sections[section] = _merge(sections.get(section, {}), entries)
    for section, keys in REQUIRED.items():
        for name, facts in sections.get(section, {}).items():
            if missing := [key for key in keys if key not in facts]:
                raise RegistryError(f"{files[-1]}: [{section}.{name}] lacks {', '.join(missing)}.")
    return Registry(sections, tuple(files), origins)


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _check_additions(
    file: Path, before: Iterable[Path], where: tuple[str, ...], under: Mapping[str, Any], over: Mapping[str, Any]
) -> None:
    """Check that a plugin's file changes nothing that is there.

    Raises:
        RegistryError: it gives another value for a key.
    """
    for key, value in over.items():
        old = under.get(key, value)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            _check_additions(file, before, (*where, key), old, value)
        elif old != value:
            raise RegistryError(
                f"registry {file} of a plugin: {'.'.join((*where, key))} is another one in "
                f"{' or '.join(map(str, before))}. Only a file of the user changes it: leave one of the plugins out "
                "(HARNESS_DISABLE)."
            )


def read_registry(file: Path) -> dict[str, Any]:
    """Read and check one file.

    Raises:
        RegistryError: it cannot be read, or is wrong; see `load_registry`.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError(f"registry {file} cannot be read: {error}.") from error
    try:
        data = read_toml(text)
    except ValueError as error:
        raise RegistryError(f"registry {file} is no valid TOML: {error}.") from error
    Checker(file, text).check(data)
    return data


def read_toml(text: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        ValueError: the text is no TOML, a number has too many digits, or tables or lists are nested too deeply.
    """
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    level: list[Any] = [data]
    for _ in range(_DEEPEST):
        level = [inner for value in level for inner in _inner(value)]
        if not level:
            return data
    raise ValueError("it is nested too deeply")


def _inner(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


@cache
def package_hint(kind: str, name: str) -> str | None:
    """Return the package that provides a name, according to the registry of the harness; None if it is unknown."""
    package = load_registry(()).section("packages").get(kind, {}).get(name)
    return str(package) if package is not None else None
