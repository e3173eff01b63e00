"""The identity of an installed library, for the fingerprints of models."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from harness.errors import PluginError
from harness.files import digest_files

__all__ = ["library_version", "packaged_version"]

_STATED = re.compile(r"^__version__\s*=\s*[\"']([^\"']+)[\"']", re.MULTILINE)


def library_version(name: str, module: str | None = None) -> str:
    """Return what identifies a library: its version, if the module that Python finds is the one that was installed.

    A module that was not installed as a distribution, or that lies somewhere else than the distribution of its name
    (on PYTHONPATH, or installed as editable), may have been changed without a new version. Its identity is the version
    that it states, and a digest of its files. The library is not imported.

    Args:
        name: the distribution's name.
        module: the name of the library's module; None if it is the distribution's.

    Raises:
        PluginError: Python finds no such module.
    """
    return packaged_version(name, module) or _source_version(module or name)


def packaged_version(name: str, module: str | None = None) -> str | None:
    """Return a distribution's version; None if it is not installed, or does not have the module that Python finds."""
    try:
        installed = distribution(name)
    except PackageNotFoundError:
        return None
    folder = _location(module or name).parent.resolve()
    return installed.version if folder == Path(str(installed.locate_file(""))).resolve() else None


@lru_cache
def _source_version(module: str) -> str:
    """Return the version that a module's source states, and the digest of its files."""
    location = _location(module)
    files = [location]
    if location.is_dir():
        files = sorted(p for p in location.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    names = "\n".join(path.relative_to(location.parent).as_posix() for path in files)
    digest = hashlib.sha256(f"{names}\n{digest_files(files)}".encode()).hexdigest()
    sources = (location / file for file in ("__init__.py", "version.py", "_version.py"))
    stated = [m.group(1) for file in sources if file.is_file() and (m := _STATED.search(file.read_text("utf-8")))]
    return f"{stated[0] if stated else 'version not stated'}, files sha256:{digest[:32]}"


def _location(module: str) -> Path:
    """Return the folder of a package, or the file of a module.

    Raises:
        PluginError: Python finds no such module.
    """
    spec = find_spec(module)
    if spec is None:
        raise PluginError(f"the library {module} is not installed (No module named {module!r}).")
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(str(spec.origin))
