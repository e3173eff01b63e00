"""Plugins that are files: `--plugin my_codec.py` on every command, or `HARNESS_PLUGINS`, without any packaging.

A file is imported as `harness.discovery.files.<folder>.<name>`, where `<folder>` stands for the folder's path. So two
files of one name do not meet, `from . import sibling` works, and a process that is started anew (not forked) finds the
classes again: importing them imports this module, which makes the files of `HARNESS_PLUGINS` importable. `import
sibling` works too; an installed module of that name comes first.

What a run imports is what it had read when it began. A process that would import a file as it was changed since then
refuses it, because the results would not be those of the source that is in their keys.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module, invalidate_caches
from importlib.abc import MetaPathFinder
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.errors import PluginError, UsageError

__all__ = ["PACKAGE", "VARIABLE", "PluginFile", "given_files", "import_file", "use_files"]

PACKAGE = __name__
"""The package in which files are imported: this module, which has no folder of its own."""
VARIABLE = "HARNESS_PLUGINS"
"""The environment variable with the files, separated as in the variable PATH. Other processes read it too."""
_READ = "HARNESS_PLUGINS_READ"
"""The environment variable with the digests of what was read, as JSON: path -> SHA-256 (hex)."""

__path__: list[str] = []


@dataclass(frozen=True)
class PluginFile:
    """A file, or a folder with `__init__.py`, that the user gave as a plugin.

    Args:
        path: the absolute path of the file or the folder, links resolved.
        asked: the path as the user wrote it.
    """

    path: Path
    asked: str

    @property
    def name(self) -> str:
        """The plugin's name in listings: the name of the file or folder."""
        return self.path.name

    @property
    def package(self) -> str:
        """The package that stands for the folder around it."""
        return f"{PACKAGE}.at_{hashlib.sha256(os.fsencode(self.path.parent)).hexdigest()[:16]}"

    @property
    def module(self) -> str:
        """The name by which it is imported."""
        stem = self.path.stem if self.path.is_file() else self.path.name
        return f"{self.package}.{re.sub(r'[^0-9A-Za-z_]', '_', stem)}"

    @property
    def source(self) -> Path:
        """The file with the module's source."""
        return self.path if self.path.suffix == ".py" else self.path / "__init__.py"


def use_files(paths: Iterable[str]) -> None:
    """Add files to `HARNESS_PLUGINS`, for this process and those that it starts. Plugins must not be loaded yet.

    Raises:
        UsageError: a path is neither a Python file nor a folder with `__init__.py`.
    """
    files = dict.fromkeys(
        [*(file.path for file in given_files()), *(_checked(path, "--plugin").path for path in paths)]
    )
    if files:
        os.environ[VARIABLE] = os.pathsep.join(map(str, files))


def given_files() -> tuple[PluginFile, ...]:
    """Return the files of `HARNESS_PLUGINS`, each once.

    Raises:
        UsageError: a path is neither a Python file nor a folder with `__init__.py`.
    """
    texts = [text for text in os.environ.get(VARIABLE, "").split(os.pathsep) if text]
    found = [_checked(text, VARIABLE) for text in texts]
    return tuple({file.path: file for file in found}.values())


def import_file(file: PluginFile, sources: Mapping[Path, bytes], modules: Sequence[str]) -> ModuleType:
    """Import a file that the user gave as a plugin, as it was read; anew if it was imported with another content.

    Args:
        file: the file.
        sources: path -> content of the file and of all siblings that it imports.
        modules: the names by which these are imported.
    """
    noted: dict[str, str] = json.loads(os.environ.get(_READ, "{}"))
    read = {str(path): _digest(content) for path, content in sources.items()}
    if any(noted.get(path) != digest for path, digest in read.items()):
        for name in modules:
            sys.modules.pop(name, None)
        invalidate_caches()
    os.environ[_READ] = json.dumps({**noted, **read})
    return import_module(file.module)


def _checked(text: str, where: str) -> PluginFile:
    """Return the plugin at a path.

    Raises:
        UsageError: there is none.
    """
    path = Path(text).expanduser()
    path = path.resolve()
    if not path.exists():
        raise UsageError(f"{where} {text}: there is no such file; looked for {path}.")
    if os.pathsep in str(path):
        raise UsageError(f"{where} {text}: a path with {os.pathsep!r} in it cannot be given; rename or link it.")
    if path.is_dir() and not (path / "__init__.py").is_file():
        raise UsageError(f"{where} {text}: the folder has no __init__.py. Name the file in it that is the plugin.")
    if path.is_file() and path.suffix != ".py":
        raise UsageError(f"{where} {text}: a Python file (.py), or a folder with __init__.py, is expected.")
    return PluginFile(path, text)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class _Loader(SourceFileLoader):
    """Compiles the source each time: a file that was edited within a second would look as it did before."""

    def path_stats(self, path: Any) -> Mapping[str, Any]:
        raise OSError("no compiled file is used")

    def source_to_code(self, data: Any, path: Any, **more: Any) -> Any:  # type: ignore[override]
        noted = json.loads(os.environ.get(_READ, "{}")).get(str(path))
        if noted not in (None, _digest(data)):
            raise PluginError(f"{path} was changed since this command read it. Run the command again.")
        return super().source_to_code(data, path, **more)


_LOADERS = ((_Loader, [".py"]), (ExtensionFileLoader, EXTENSION_SUFFIXES))


class _InFolders(MetaPathFinder):
    """Finds the modules of `PACKAGE`: a package for each folder, and what lies in it."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not name.startswith(f"{PACKAGE}."):
            return None
        files = given_files()
        for file in files:
            if name == file.package:
                spec = ModuleSpec(name, None, is_package=True)
                spec.submodule_search_locations = [str(file.path.parent)]
                return spec
            if name == file.module:
                return _spec(name, file)
        return _first(name, path or ())


class _Siblings(MetaPathFinder):
    """Finds modules beside the files, by names that nothing else has."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if path is not None or "." in name or not os.environ.get(VARIABLE):
            return None
        return _first(name, dict.fromkeys(str(file.path.parent) for file in given_files()))


def _spec(name: str, file: PluginFile) -> ModuleSpec:
    loader = _Loader(name, str(file.source))
    spec = ModuleSpec(name, loader, origin=str(file.source), is_package=file.source != file.path)
    spec.has_location = True
    if spec.submodule_search_locations is not None:
        spec.submodule_search_locations.append(str(file.path))
    return spec


def _first(name: str, folders: Iterable[str]) -> ModuleSpec | None:
    for folder in folders:
        if (spec := FileFinder(folder, *_LOADERS).find_spec(name)) is not None and spec.loader is not None:
            return spec
    return None


sys.meta_path.insert(0, _InFolders())
sys.meta_path.append(_Siblings())
