"""The digest of a third-party plugin's source, which is a part of the keys of its experiments: an edit is noticed.

The digest covers the module that the entry point names, the module of the class, the packages that contain them, and
whatever these import from the plugin's own distribution, at any depth. Imports are read from the source, so imports
inside functions count too, and `import_module` with a literal name; nothing is imported for it. Comments, blank lines
and the spaces between words do not count: each other change is another digest. Extension modules count with all their
bytes. Data files do not count, because a source does not say which it reads: what depends on them belongs in the
plugin's `fingerprint()`.

The harness's own plugins have no digest. Their results go by revisions and versions.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import io
import json
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from harness.discovery.files import PACKAGE as FILES
from harness.errors import PluginError

__all__ = ["PluginSource", "code_of", "digest_of", "other_modules", "source_digest", "sources_of"]

_OWN = "codec-harness"
_LIBRARIES = frozenset({"site-packages", "dist-packages"})


@lru_cache(maxsize=1024)
def source_digest(plugin: str, of_class: str, owner: str) -> str | None:
    """Return the SHA-256 (hex) of a plugin's source; None for a plugin of the harness itself.

    It is computed once for each process, from the files as they are then.

    Args:
        plugin: the module that the entry point names.
        of_class: the module that defines the class.
        owner: the name of the distribution.

    Raises:
        PluginError: a module of the plugin has no file, or its file cannot be read.
    """
    if re.sub(r"[-_.]+", "-", owner).lower() == _OWN:
        return None
    return digest_of(sources_of((plugin, of_class), owner))


@dataclass(frozen=True)
class PluginSource:
    """The source of one module of a plugin.

    Args:
        module: the module's name.
        path: its file.
        content: all bytes of the file.
    """

    module: str
    path: Path
    content: bytes

    @property
    def code(self) -> bytes:
        """What counts of the file: of Python its words, otherwise all bytes."""
        return code_of(self.content) if self.path.suffix == ".py" else self.content

    @property
    def name(self) -> str:
        """The module's name in the digest; for a file that the user gave, the same wherever the file lies."""
        if self.module.startswith(f"{FILES}."):
            return "." + self.module.removeprefix(f"{FILES}.").partition(".")[2]
        return self.module


def sources_of(modules: tuple[str, ...], owner: str) -> list[PluginSource]:
    """Return the sources of a plugin's modules, and of whatever they import from their own distribution.

    Args:
        modules: the plugin's module, and others of it.
        owner: the name of the distribution.

    Raises:
        PluginError: a module of the plugin has no file, or its file cannot be read.
    """
    plugin = modules[0]
    spec = _find(plugin)
    if spec is None or spec.origin is None:
        raise PluginError(f"plugin {plugin} of {owner} has no file, so that nobody would notice that it was edited.")
    return list(_sources(modules, _Places.of(owner, plugin, spec)))


def digest_of(sources: Iterable[PluginSource]) -> str:
    """Return the SHA-256 (hex) of the code of modules."""
    codes = {source.name: source.code for source in sources}
    listed = "".join(f"{name}\0{hashlib.sha256(code).hexdigest()}\n" for name, code in sorted(codes.items()))
    return hashlib.sha256(listed.encode()).hexdigest()


def other_modules(sources: Iterable[PluginSource], folder: Path) -> dict[str, Path]:
    """Return what the files of a folder import by names of their siblings, and get from elsewhere.

    Args:
        sources: the files.
        folder: the folder around them.

    Returns:
        name -> the file that is imported. Modules of Python itself are left out.
    """
    found = {}
    for source in sources:
        if source.path.suffix != ".py":
            continue
        with suppress(SyntaxError, ValueError):
            for name in {name.partition(".")[0] for name in _imports(ast.parse(source.content), None)}:
                beside = [folder / f"{name}.py", folder / name / "__init__.py"]
                if not name or source.path in beside or not any(path.is_file() for path in beside):
                    continue
                spec = _find(name)
                if spec and spec.origin and not Path(spec.origin).resolve().is_relative_to(folder):
                    found[name] = Path(spec.origin)
    return found


@dataclass(frozen=True)
class _Places:
    """Where the files of a distribution are.

    Args:
        files: files that the installer recorded.
        folders: folders whose modules are the distribution's, except for installed libraries below them.
    """

    files: frozenset[Path]
    folders: tuple[Path, ...]

    @classmethod
    def of(cls, owner: str, plugin: str, spec: ModuleSpec) -> _Places:
        """Return the places of a distribution: what its installer recorded, its project, and the plugin's package."""
        assert spec.origin is not None
        file = Path(spec.origin).resolve()
        home = _home(plugin, file)
        files: set[Path] = set()
        folders: list[Path] = []
        with suppress(PackageNotFoundError):
            found = distribution(owner)
            files = {Path(str(found.locate_file(name))).resolve() for name in found.files or ()}
            folders = [project] if (project := _project(found)) else []
        # A module without a package shares its folder with others; the installer's list says which are its own.
        if (home / "__init__.py").is_file() or (file not in files and home.name not in _LIBRARIES):
            folders.append(home)
        return cls(frozenset({*files, file}), tuple(folders))

    def have(self, path: Path) -> bool:
        """Return whether a file belongs to the distribution."""
        if path in self.files:
            return True
        inside = [folder for folder in self.folders if path.is_relative_to(folder)]
        return any(_LIBRARIES.isdisjoint(path.relative_to(folder).parts) for folder in inside)


def _home(plugin: str, path: Path) -> Path:
    """Return the folder of the outermost package that contains a module; for a module without one, its own folder."""
    home = path.parent
    for _ in range(plugin.count(".") - (path.stem != "__init__")):
        if not (home.parent / "__init__.py").is_file():
            break
        home = home.parent
    return home


def _project(found: Distribution) -> Path | None:
    """Return the project's folder of an editable install (PEP 610); None for another install."""
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        facts = json.loads(found.read_text("direct_url.json") or "{}")
        if facts["dir_info"]["editable"]:
            return Path(url2pathname(urlsplit(facts["url"]).path)).resolve()
    return None


def _sources(roots: tuple[str, ...], places: _Places) -> Iterator[PluginSource]:
    """Yield the source of every module of the distribution that modules of it reach by imports."""
    seen: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in seen or not name:
            continue
        seen.add(name)
        waiting.append(name.rpartition(".")[0])  # a package is imported before its modules
        spec = _find(name)
        if spec is None or not spec.has_location or spec.origin is None or not places.have(Path(spec.origin).resolve()):
            continue
        source = PluginSource(name, Path(spec.origin), _read(name, spec))
        yield source
        if source.path.suffix == ".py":
            with suppress(SyntaxError, ValueError):
                waiting += _imports(ast.parse(source.content), spec.parent)


def _find(name: str) -> ModuleSpec | None:
    """Return where a module is, without importing it or its package; None if there is no such module."""
    parent, _, _ = name.rpartition(".")
    locations: Any = None
    if parent == FILES:
        locations = []
    elif parent:
        package = _find(parent)
        locations = package.submodule_search_locations if package else None
        if locations is None:
            return None
    elif name in sys.builtin_module_names or name in sys.stdlib_module_names:
        return None
    try:
        for finder in sys.meta_path:
            if (spec := finder.find_spec(name, locations)) is not None:
                return spec
    except KeyError:  # Python asks sys.modules for the package of a folder without __init__.py
        spec = ModuleSpec(name, None, is_package=True)
        folders = [Path(folder) / name.rpartition(".")[2] for folder in locations or ()]
        spec.submodule_search_locations = [str(folder) for folder in folders if folder.is_dir()]
        return spec
    except (ImportError, ValueError):
        pass
    return None


def _read(name: str, spec: ModuleSpec) -> bytes:
    loader: Any = spec.loader
    try:
        content: bytes = loader.get_data(spec.origin)
    except (OSError, AttributeError) as error:
        raise PluginError(f"the source of {name}, a plugin or a part of one, cannot be read: {error}.") from error
    return content


def _imports(tree: ast.AST, package: str | None) -> Iterator[str]:
    """Yield the names that a module imports; of `from a import b` both `a` and `a.b`, which may be a module too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute("." * node.level + (node.module or ""), package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names if base)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", None))
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield _absolute(node.args[0].value, package)


def _absolute(name: str, package: str | None) -> str:
    """Return a relative name as an absolute one; "" if it leads out of its package."""
    with suppress(ImportError):
        return importlib.util.resolve_name(name, package)
    return ""


def code_of(content: bytes) -> bytes:
    """Return the words of a Python source: without comments, blank lines, and the spaces between words.

    The result is the same in all versions of Python. A source that is no Python is returned as it is.

    >>> code_of(b"a  = 1  # one") == code_of(b"a = 1")
    True
    >>> code_of(b"a = '# 1'") == code_of(b"a = '# 2'")
    False
    """
    words: list[str] = []
    started: tuple[int, int] | None = None
    depth = 0
    try:
        lines = content.decode(tokenize.detect_encoding(io.BytesIO(content).readline)[0]).splitlines(keepends=True)
        for token in tokenize.tokenize(io.BytesIO(content).readline):
            kind = tokenize.tok_name[token.type]
            if kind in ("FSTRING_START", "TSTRING_START"):  # one word, as in Python 3.11
                depth, started = depth + 1, started or token.start
            elif kind in ("FSTRING_END", "TSTRING_END"):
                depth -= 1
                if not depth and started:
                    words.append(_between(lines, started, token.end))
                    started = None
            elif kind in ("NEWLINE", "INDENT", "DEDENT"):
                words.append(kind)
            elif not depth and kind not in ("COMMENT", "NL", "ENCODING", "ENDMARKER"):
                words.append(token.string)
    except (SyntaxError, tokenize.TokenError, ValueError, LookupError):
        return content
    return "\0".join(words).encode("utf-8", "surrogatepass")


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """Return the text between two places, each a line (from 1) and a column (from 0)."""
    (first, left), (last, right) = start, end
    if first == last:
        return lines[first - 1][left:right]
    return "".join([lines[first - 1][left:], *lines[first : last - 1], lines[last - 1][:right]])
