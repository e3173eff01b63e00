"""The package of a new plugin, made from a template.

A template is a package that works as it stands, in `templates/KIND`: its plugin is called `my-KIND`. A new package has
other names in the place of that one; nothing else is changed.
"""

from __future__ import annotations

import re
from pathlib import Path

from harness.errors import UsageError

__all__ = ["KINDS_OF_TEMPLATES", "check_name", "new_package", "template_of"]

KINDS_OF_TEMPLATES = ("codec", "task", "model", "dataset", "store", "executor", "logger")

_LEFT = re.compile(r"__pycache__|\.pytest_cache|.*\.egg-info|build|dist")
"""Folders of a template that use of it has left there."""


def template_of(kind: str) -> Path:
    """Return the folder of the template of a kind: in a source checkout the top-level one, as with `registry.toml`."""
    package = Path(__file__).parents[1]
    checkout = package.parent / "templates"
    return (checkout if (package.parent / "pyproject.toml").is_file() else package / "templates") / kind


def check_name(name: str) -> str:
    """Return the name of a new plugin, if it can be one.

    Raises:
        UsageError: it has other characters than a name on the command line, a package and a class can be made of.

    >>> check_name("jpeg-ai")
    'jpeg-ai'
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise UsageError(
            f"{name!r} cannot be the name of a new plugin: give it lower-case letters and digits, with single hyphens "
            "in between, such as jpeg-ai."
        )
    return name


def new_package(kind: str, name: str) -> dict[Path, bytes]:
    """Return the files of the package of a new plugin: relative path -> content.

    Args:
        kind: one of `KINDS_OF_TEMPLATES`.
        name: the plugin's name, as on the command line.

    Raises:
        UsageError: the name cannot be one (`check_name`).

    >>> sorted(path.as_posix() for path in new_package("logger", "jpeg-ai"))[-2:]
    ['src/harness_jpeg_ai/__init__.py', 'tests/test_jpeg_ai.py']
    """
    check_name(name)
    folder = template_of(kind)
    files = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and not any(_LEFT.fullmatch(part) for part in relative.parts):
            content = path.read_bytes()
            text = path.suffix in (".md", ".py", ".toml")
            renamed = _renamed(content.decode("utf-8"), kind, name).encode() if text else content
            files[Path(_renamed(relative.as_posix(), kind, name))] = renamed
    return files


def _renamed(text: str, kind: str, name: str) -> str:
    words = ("my", kind)
    new = name.split("-")
    for joined in ("-", "_"):
        text = text.replace(joined.join(words), joined.join(new))
    text = text.replace("_".join(words).upper(), "_".join(new).upper())
    return text.replace("".join(map(str.capitalize, words)), "".join(map(str.capitalize, new)))
