"""Finds plugins, and keeps one that is broken from harming the others.

pluggy's own loader of entry points stops at the first failure, so the loop over them is ours: a plugin that fails to
import disables itself alone, is listed with its error, and is named when somebody asks for what it might provide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from types import ModuleType
from typing import Any, Protocol

import pluggy

from harness import hookspecs
from harness.discovery.kinds import KINDS, base_of
from harness.discovery.registry import package_hint
from harness.errors import CollisionError, PluginError, UnknownNameError

__all__ = ["Origin", "Plugin", "Plugins", "Provided", "installed"]

GROUP = "harness"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True)
class Origin:
    """Where a plugin comes from.

    Args:
        entry_point: the entry point's name.
        module: the module it names.
        distribution: the installed distribution that declares it.
        version: that distribution's version.
    """

    entry_point: str
    module: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@dataclass
class Plugin:
    """One plugin, and what became of it.

    Args:
        origin: where it comes from.
        error: why it is disabled, None when it works.
        provides: what it provides, as "kind name".
    """

    origin: Origin
    error: str | None = None
    provides: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Provided:
    """A class that a plugin provides under a name."""

    kind: str
    name: str
    cls: type[Any]
    origin: Origin
    label: str


class Hint(Protocol):
    """Says which package would provide a name, where that is known."""

    def __call__(self, kind: str, name: str) -> str | None: ...


class Plugins:
    """All plugins of this environment.

    Args:
        points: the entry points to load; those of the installed distributions by default.
        hint: names the package for a name that nothing provides.
    """

    def __init__(self, points: Iterable[EntryPoint] | None = None, hint: Hint | None = None) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._found: dict[tuple[str, str], list[Provided]] = {}
        self._asked: set[str] = set()
        self._hint = hint
        self._distributions: dict[Distribution | None, tuple[str, str]] = {}
        self.plugins: dict[str, Plugin] = {}
        for point in entry_points(group=GROUP) if points is None else points:
            self._load(point)

    # Loading

    def _load(self, point: EntryPoint) -> None:
        if point.dist not in self._distributions:  # which parses all its metadata, each time it is asked
            found = point.dist
            self._distributions[found] = (found.name, found.version) if found else ("unknown", "0")
        origin = Origin(point.name, point.value, *self._distributions[point.dist])
        label = f"{origin.distribution}:{point.name}"
        self.plugins[label] = Plugin(origin)
        try:
            self._register(point.load(), label)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a plugin raises disables it alone
            self._disable(label, error)

    def _disable(self, label: str, error: BaseException) -> None:
        """Leave a plugin out, and everything it provided."""
        self.plugins[label].error = f"{type(error).__name__}: {error}"
        self.plugins[label].provides.clear()
        if self._manager.has_plugin(label):
            self._manager.unregister(name=label)
        for items in self._found.values():
            items[:] = [item for item in items if item.label != label]

    def _register(self, module: ModuleType, label: str) -> None:
        self._manager.register(module, name=label)
        if not self._manager.get_hookcallers(module):
            raise PluginError("the module has no function marked with harness.hookimpl")
        self._manager.check_pending()

    def _ask(self, kind: str) -> None:
        """Ask every plugin what it provides of a kind, once: what nobody wants to know imports nothing."""
        if kind in self._asked:
            return
        self._asked.add(kind)
        for label, plugin in self.plugins.items():
            if plugin.error:
                continue
            try:
                items = self._provided(kind, label, plugin.origin)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
                self._disable(label, error)
                continue
            for item in items:
                self._found.setdefault((item.kind, item.name), []).append(item)
                plugin.provides.append(f"{item.kind} {item.name}")

    def _provided(self, kind: str, label: str, origin: Origin) -> list[Provided]:
        base = base_of(kind)
        items = []
        for implementation in self._implementations(f"harness_{kind}s", label):
            found: Iterable[Any] = implementation() or ()
            for cls in found:
                if not (isinstance(cls, type) and issubclass(cls, base)):
                    raise PluginError(f"harness_{kind}s gave {cls!r}, which is no subclass of {base.__name__}")
                name = getattr(cls, "name", "")
                if not _NAME.fullmatch(name):
                    raise PluginError(f"{cls.__name__}.name must be lower-case letters, digits, '.', '_', '-'")
                if missing := sorted(getattr(cls, "__abstractmethods__", ())):
                    raise PluginError(f"{kind} {name} does not implement {', '.join(missing)}")
                items.append(Provided(kind, name, cls, origin, label))
        return items

    def _implementations(self, hook: str, label: str | None = None) -> list[Callable[..., Any]]:
        caller = getattr(self._manager.hook, hook)
        found = [i for i in caller.get_hookimpls() if label is None or i.plugin_name == label]
        return [i.function for i in found]

    # Asking

    def ask_all(self) -> None:
        """Ask every plugin for all it provides; until then, only what was wanted has been asked for."""
        for kind in KINDS:
            self._ask(kind)

    @property
    def broken(self) -> list[Plugin]:
        """The plugins that are disabled by their own error, as far as it has shown."""
        return [plugin for plugin in self.plugins.values() if plugin.error]

    def all(self, kind: str) -> list[Provided]:
        """Everything of a kind, collisions included, by name."""
        self._ask(kind)
        return sorted(
            (p for (k, _), items in self._found.items() if k == kind for p in items),
            key=lambda p: (p.name, p.origin.distribution),
        )

    def names(self, kind: str) -> list[str]:
        """The names of a kind."""
        return sorted({item.name for item in self.all(kind)})

    def provided(self, kind: str, name: str) -> Provided:
        """What provides a name.

        Raises:
            UnknownNameError: nothing does; broken plugins that might have are named.
            CollisionError: more than one distribution does.
        """
        self._ask(kind)
        items = self._found.get((kind, name), [])
        if not items:
            raise UnknownNameError(kind, name, self.names(kind), self.why_unknown(kind, name))
        if len(items) > 1:
            owners = " and ".join(f"{p.origin} ({p.origin.module})" for p in items)
            raise CollisionError(f"{kind} {name!r} is provided by {owners}. Uninstall one of them.")
        return items[0]

    def get(self, kind: str, name: str) -> type[Any]:
        """The class that a name stands for. Raises as `provided`."""
        return self.provided(kind, name).cls

    def why_unknown(self, kind: str, name: str) -> str:
        """What may help somebody who asked for a name that nothing provides: a package, or plugins that are broken."""
        hints = []
        if self._hint and (package := self._hint(kind, name)):
            hints.append(f"It comes with the package {package}: pip install {package}")
        for plugin in self.broken:
            hints.append(f"Plugin {plugin.origin.entry_point!r} of {plugin.origin} is broken: {plugin.error}.")
        return " ".join(hints)

    def versions(self) -> dict[str, str]:
        """Distribution -> version of every plugin that works."""
        return {p.origin.distribution: p.origin.version for p in self.plugins.values() if not p.error}

    def emit(self, event: str, arguments: Mapping[str, Any]) -> list[str]:
        """Tell every plugin of an event; gives a sentence for each plugin that failed."""
        problems = []
        caller = getattr(self._manager.hook, event)
        for implementation in caller.get_hookimpls():
            try:
                implementation.function(*(arguments[name] for name in implementation.argnames))
            except Exception as error:  # noqa: BLE001 - a logger must not stop a run
                problems.append(f"plugin {implementation.plugin_name}: {event}: {type(error).__name__}: {error}")
        return problems


@cache
def installed() -> Plugins:
    """The plugins of this environment, loaded once a process."""
    return Plugins(hint=package_hint)
