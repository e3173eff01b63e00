"""What a plugin's module says: its hooks, or the classes of a file that has none, and which harness it needs."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from harness import __version__, hookimpl, hookspecs
from harness.discovery.kinds import KINDS, base_of
from harness.errors import PluginError, did_you_mean
from harness.options import Option

__all__ = [
    *("REQUIRES", "check_class", "check_commands", "check_hooks"),
    *("check_version", "has_hooks", "hooks_of_classes", "misnamed", "registry_beside"),
]

REQUIRES = "requires_harness"
"""The attribute of a plugin's module that says which versions of the harness it works with: ">=0.2"."""
_OWN = "codec-harness"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_COMMAND = re.compile(r"(?:results )?[a-z][a-z0-9-]*")


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
                raise PluginError(
                    f"hook {name} has no argument {argument!r}.{did_you_mean(argument, allowed)} {there_is}"
                )


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


def check_class(kind: str, cls: Any) -> str:
    """Return the name of a class that a plugin provides.

    Raises:
        PluginError: the class is not of the kind, has an invalid name, or lacks a method.
    """
    base = base_of(kind)
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise PluginError(f"harness_{kind}s gave {cls!r}, which is no subclass of {base.__name__}")
    name = getattr(cls, "name", "")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise PluginError(f"{cls.__name__}.name must be lower-case letters, digits, '.', '_', '-'")
    if missing := sorted(getattr(cls, "__abstractmethods__", ())):
        raise PluginError(f"{kind} {name} does not implement {', '.join(missing)}")
    _check_options(f"{kind} {name}", getattr(cls, "options", ()))
    return name


def _check_options(who: str, options: Any) -> None:
    """Check the options that a class declares.

    Raises:
        PluginError: they are no tuple of options, or the default of one is not of its type.
    """
    if not isinstance(options, tuple) or not all(isinstance(option, Option) for option in options):
        raise PluginError(f"{who}: options is {options!r}; a tuple of harness.options.Option is expected")
    for option in options:
        if option.type not in (bool, int, float, str):
            raise PluginError(f"{who}: option {option.name!r} has the type {option.type!r}: bool, int, float or str")
        right = (int, float) if option.type is float else option.type
        is_number = isinstance(option.default, bool) and option.type is not bool
        if option.default is not None and (not isinstance(option.default, right) or is_number):
            kind = option.type.__name__
            raise PluginError(f"{who}: the default of option {option.name!r} is {option.default!r}: {kind} is expected")


def misnamed(point: EntryPoint, error: BaseException) -> PluginError | None:
    """Return an error that says what to do if it is the entry point that is wrong; None if it is something else."""
    whole = f"{point.name} = {point.value!r}"
    if isinstance(error, ModuleNotFoundError) and error.name and f"{point.module}.".startswith(f"{error.name}."):
        return PluginError(
            f"there is no module {error.name}: correct {whole} under [project.entry-points.harness], and install the "
            "package again"
        )
    if isinstance(error, AttributeError) and point.attr:
        return PluginError(f"{whole} under [project.entry-points.harness] must name a module, without ':{point.attr}'")
    return None


def check_commands(commands: Mapping[str, Any], others: Mapping[str, Any]) -> None:
    """Check the commands that a plugin adds.

    Args:
        commands: the plugin's commands by their names.
        others: those of other plugins.

    Raises:
        PluginError: something is no command, has an invalid name, or a name that another plugin gives too.
    """
    import click

    for name, command in commands.items():
        if not isinstance(command, click.Command):
            raise PluginError(f"harness_commands gave {command!r} for {name!r}, which is no click.Command")
        if not _COMMAND.fullmatch(name):
            raise PluginError(f"harness_commands gave the name {name!r}: NAME or 'results NAME' is expected")
        if name in others:
            raise PluginError(f"another plugin has the command {name!r}")


def check_version(module: object, distribution: Distribution | None) -> None:
    """Check that this harness is one that a plugin says it works with.

    It says so by the attribute `requires_harness` of its module (">=0.2"), or by what its distribution requires.

    Raises:
        PluginError: it is another one, or the attribute is no version specifier.
    """
    said = getattr(module, REQUIRES, None)
    needed = distribution.requires or () if distribution is not None and distribution.name != _OWN else ()
    if said is None and not any(one.lower().startswith(_OWN) for one in needed):
        return
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    specifiers = []
    if said is not None:
        try:
            specifiers.append(SpecifierSet(str(said)))
        except InvalidSpecifier:
            raise PluginError(f"{REQUIRES} is {said!r}; a specifier as '>=0.2' is expected.") from None
    for text in needed:
        with suppress(InvalidRequirement):
            one = Requirement(text)
            if one.name == _OWN and (one.marker is None or one.marker.evaluate({"extra": ""})):
                specifiers.append(one.specifier)
    for specifier in specifiers:
        if not __version__.startswith("0+") and not specifier.contains(__version__, prereleases=True):
            raise PluginError(f"it needs {_OWN} {specifier}, and this is {__version__}.")


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
        value: Any = getattr(module, name, None)
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
