"""What a plugin's module says: its hooks, or the classes of a file that has none, and which harness it needs."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import Distribution
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from harness import __version__, hookimpl, hookspecs
from harness.discovery.kinds import KINDS, base_of
from harness.errors import PluginError, did_you_mean

__all__ = ["REQUIRES", "check_hooks", "check_version", "has_hooks", "hooks_of_classes", "registry_beside"]

REQUIRES = "requires_harness"
"""The attribute of a plugin's module that says which versions of the harness it works with: ">=0.2"."""
_OWN = "codec-harness"


def has_hooks(module: object) -> bool:
    """Return whether a module has a function that is marked with `harness.hookimpl`."""
    return any(True for _ in _marked(module))


def check_hooks(module: object) -> None:
    """Check that every marked function is a hook of the harness, and takes no other arguments than that hook.

    Raises:
        PluginError: one is not, or does.
    """
    known = hookspecs.__all__
    for name, function, optional in _marked(module):
        if name not in known:
            if optional:
                continue
            raise PluginError(f"unknown hook {name!r}.{did_you_mean(name, known)} There is: {', '.join(known)}.")
        allowed = list(inspect.signature(getattr(hookspecs, name)).parameters)
        for argument in inspect.signature(function).parameters:
            if argument not in allowed:
                there_is = f"It has: {', '.join(allowed)}." if allowed else "It has none."
                raise PluginError(f"hook {name} has no argument {argument!r}.{did_you_mean(argument, allowed)} {there_is}")


def hooks_of_classes(module: ModuleType) -> SimpleNamespace:
    """Return the hooks of a module that has only classes: each provides the module's classes of one kind.

    A class counts if the module (or a module of the package) defines it, it is derived from the kind's base class, and
    it has a `name`.

    Raises:
        PluginError: there is no such class.
    """
    made: dict[str, Any] = {}
    for kind in KINDS:
        base = base_of(kind)
        found = [
            cls
            for cls in dict.fromkeys(one for one in vars(module).values() if isinstance(one, type))
            if issubclass(cls, base) and _is_of(cls, module) and isinstance(getattr(cls, "name", None), str)
        ]
        if found:
            made[f"harness_{kind}s"] = _provider(f"harness_{kind}s", found)
    if not made:
        kinds = ", ".join(base_of(kind).__name__ for kind in KINDS)
        raise PluginError(
            f"it has no function marked with harness.hookimpl, and no class of its own with a name that is derived "
            f"from one of {kinds}."
        )
    return SimpleNamespace(**made)


def check_version(module: object, distribution: Distribution | None) -> None:
    """Check that this harness is one that a plugin says it works with.

    It says so by the attribute `requires_harness` of its module (">=0.2"), or by what its distribution requires.

    Raises:
        PluginError: it is another one, or the attribute is no version specifier.
    """
    texts = [text] if (text := getattr(module, REQUIRES, None)) is not None else []
    needed = distribution.requires or () if distribution is not None and distribution.name != _OWN else ()
    if not texts and not any(one.lower().startswith(_OWN) for one in needed):
        return
    from packaging.requirements import InvalidRequirement, Requirement

    for text in [*(f"{_OWN}{text}" for text in texts), *needed]:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            if text in needed:
                continue
            raise PluginError(f"{REQUIRES} is {texts[0]!r}; a specifier as '>=0.2' is expected.") from None
        if requirement.name != _OWN or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        if not __version__.startswith("0+") and not requirement.specifier.contains(__version__, prereleases=True):
            raise PluginError(f"it needs {_OWN} {requirement.specifier}, and this is {__version__}.")


def registry_beside(module: str) -> Path | None:
    """Return the registry file that an imported plugin brings; None without one.

    It is `registry.toml` in the folder of its package; for a module without a package, or a file, `NAME.toml` beside
    `NAME.py`.
    """
    loaded = sys.modules[module]
    if not (file := getattr(loaded, "__file__", None)):
        return None
    path = Path(file)
    of_package = path.name == "__init__.py" or (path.parent / "__init__.py").is_file()
    found = path.parent / "registry.toml" if of_package else path.with_suffix(".toml")
    return found if found.is_file() else None


def _marked(module: object) -> Iterator[tuple[str, Callable[..., Any], bool]]:
    """Yield the hook's name, the function, and whether the hook need not exist, of every marked function."""
    for name in dir(module):
        value = getattr(module, name, None)
        facts = getattr(value, "harness_impl", None) if inspect.isroutine(value) else None
        if isinstance(facts, dict):
            yield facts.get("specname") or name, value, bool(facts.get("optionalhook"))


def _is_of(cls: type, module: ModuleType) -> bool:
    return cls.__module__ == module.__name__ or (
        hasattr(module, "__path__") and cls.__module__.startswith(f"{module.__name__}.")
    )


def _provider(hook: str, classes: Iterable[type]) -> Callable[[], list[type]]:
    def provide() -> list[type]:
        return list(classes)

    marked: Callable[[], list[type]] = hookimpl(provide, specname=hook)
    return marked
