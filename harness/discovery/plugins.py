"""Finds and loads plugins. A broken plugin does not affect the others.

pluggy's own loader of entry points stops at the first error, so this module loads them one by one. A plugin that fails
to import is disabled and is listed with its error. Error messages about unknown names mention it, because it might
provide the name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from types import ModuleType
from typing import Any

import pluggy

from harness import hookspecs
from harness.discovery.kinds import KINDS, base_of
from harness.discovery.provided import Hint, Origin, Plugin, Provided
from harness.discovery.registry import package_hint
from harness.errors import CollisionError, PluginError, UnknownNameError

__all__ = ["GROUP", "OWN", "Plugins", "installed"]

GROUP = "harness"
"""The group of entry points that name plugins."""
OWN = "codec-harness"
"""The distribution of the harness and its own plugins."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_COMMAND = re.compile(r"(?:results )?[a-z][a-z0-9-]*")
DISABLE = "HARNESS_DISABLE"
"""The environment variable that names plugins, by their entry points and with commas between, that are not loaded."""


class Plugins:
    """All plugins of this Python environment.

    Args:
        points: the entry points to load; by default those of all installed distributions.
        hint: a function that names the package for a name that no installed plugin provides.
    """

    def __init__(self, points: Iterable[EntryPoint] | None = None, hint: Hint | None = None) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._classes: dict[tuple[str, str], list[Provided]] = {}
        self._queried: set[str] = set()
        self._commands: dict[str, Any] | None = None
        self._hint = hint
        self._distributions: dict[Distribution | None, tuple[str, str]] = {}
        self.plugins: dict[str, Plugin] = {}
        for point in entry_points(group=GROUP) if points is None else points:
            self._load(point)

    # Loading

    def _load(self, point: EntryPoint) -> None:
        # Cached, because reading a distribution's name or version parses all its metadata each time.
        if point.dist not in self._distributions:
            distribution = point.dist
            self._distributions[distribution] = (
                (distribution.name, distribution.version) if distribution else ("unknown", "0")
            )
        origin = Origin(point.name, point.value, *self._distributions[point.dist])
        label = f"{origin.distribution}:{point.name}"
        left_out = point.name in os.environ.get(DISABLE, "").split(",")
        self.plugins[label] = Plugin(origin, left_out=left_out)
        if left_out:
            return
        try:
            self._register(point.load(), label)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an error of a plugin disables only that plugin
            self._disable(label, error)

    def _disable(self, label: str, error: BaseException) -> None:
        """Disable a plugin: record its error and remove every class that it provides."""
        self.plugins[label].error = f"{type(error).__name__}: {error}"
        self.plugins[label].provides.clear()
        if self._manager.has_plugin(label):
            self._manager.unregister(name=label)
        for items in self._classes.values():
            items[:] = [item for item in items if item.label != label]

    def _register(self, module: ModuleType, label: str) -> None:
        self._manager.register(module, name=label)
        if not self._manager.get_hookcallers(module):
            raise PluginError("the module has no function marked with harness.hookimpl")
        self._manager.check_pending()

    def _query(self, kind: str) -> None:
        """Call the hook of a kind in every plugin, once, and record the classes.

        Hooks are called only when their kind is needed, so that a plugin's modules are not imported needlessly.
        """
        if kind in self._queried:
            return
        self._queried.add(kind)
        for label, plugin in self.plugins.items():
            if not plugin.works:
                continue
            try:
                items = self._provided(kind, label, plugin.origin)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
                self._disable(label, error)
                continue
            for item in items:
                self._classes.setdefault((item.kind, item.name), []).append(item)
                plugin.provides.append(f"{item.kind} {item.name}")

    def _provided(self, kind: str, label: str, origin: Origin) -> list[Provided]:
        """Return the classes of a kind that one plugin provides, after checking them.

        Raises:
            PluginError: a class is not of the kind, has an invalid name, or lacks a method.
        """
        base = base_of(kind)
        items = []
        for implementation in self._implementations(f"harness_{kind}s", label):
            classes: Iterable[Any] = implementation() or ()
            for cls in classes:
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
        hooks = [i for i in caller.get_hookimpls() if label is None or i.plugin_name == label]
        return [i.function for i in hooks]

    # Queries

    def ask_all(self) -> None:
        """Call the hooks of all kinds in every plugin.

        Otherwise a hook is called only when a class of its kind is needed.
        """
        for kind in KINDS:
            self._query(kind)
        self.commands()

    @property
    def broken(self) -> list[Plugin]:
        """The plugins that are disabled because of an error, as far as their hooks have been called."""
        return [plugin for plugin in self.plugins.values() if plugin.error]

    def all(self, kind: str) -> list[Provided]:
        """Return all classes of a kind, sorted by name, including classes with the same name."""
        self._query(kind)
        return sorted(
            (p for (k, _), items in self._classes.items() if k == kind for p in items),
            key=lambda p: (p.name, p.origin.distribution),
        )

    def names(self, kind: str) -> list[str]:
        """Return the names of all classes of a kind, sorted."""
        return sorted({item.name for item in self.all(kind)})

    def provided(self, kind: str, name: str) -> Provided:
        """Return the class with a name, together with the plugin that provides it.

        Raises:
            UnknownNameError: no plugin provides the name. The message lists broken plugins, which might provide it.
            CollisionError: more than one plugin provides the name.
        """
        self._query(kind)
        items = self._classes.get((kind, name), [])
        if not items:
            raise UnknownNameError(kind, name, self.names(kind), self.why_unknown(kind, name))
        if len(items) > 1:
            owners = " and ".join(f"{p.origin} ({p.origin.module})" for p in items)
            raise CollisionError(f"{kind} {name!r} is provided by {owners}. Uninstall one of them.")
        return items[0]

    def get(self, kind: str, name: str) -> type[Any]:
        """Return the class with a name. Raises the same errors as `provided`."""
        return self.provided(kind, name).cls

    def why_unknown(self, kind: str, name: str) -> str:
        """Return hints for an unknown name: the package that provides it, and the broken plugins. "" without hints."""
        hints = []
        if self._hint and (package := self._hint(kind, name)):
            hints.append(f"It comes with the package {package}: pip install {package}")
        left_out = [plugin.origin.entry_point for plugin in self.plugins.values() if plugin.left_out]
        if left_out:
            hints.append(f"{DISABLE} leaves out {', '.join(left_out)}.")
        for plugin in self.broken:
            hints.append(f"Plugin {plugin.origin.entry_point!r} of {plugin.origin} is broken: {plugin.error}.")
        return " ".join(hints)

    def module(self, label: str) -> Any:
        """Return the module of a plugin by its key in `plugins`; None if it is disabled."""
        return self._manager.get_plugin(label)

    def versions(self) -> dict[str, str]:
        """Return distribution -> version for every plugin that works."""
        return {p.origin.distribution: p.origin.version for p in self.plugins.values() if p.works}

    def commands(self) -> Mapping[str, Any]:
        """Return the commands that plugins add (`harness.hookspecs.harness_commands`), by their names.

        A plugin is disabled if its hook fails, gives what is no command, or a name that another plugin gives too.
        """
        if self._commands is None:
            self._commands = {}
            for label in [label for label, plugin in self.plugins.items() if plugin.works]:
                try:
                    found = self._commands_of(label)
                except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
                    self._disable(label, error)
                    continue
                self._commands |= found
                self.plugins[label].provides += [f"command {name}" for name in found]
        return self._commands

    def _commands_of(self, label: str) -> dict[str, Any]:
        """Return the commands of one plugin, after checking them.

        Raises:
            PluginError: something is no command, has an invalid name, or a name that another plugin gives too.
        """
        import click

        commands: dict[str, Any] = {}
        for implementation in self._implementations("harness_commands", label):
            commands |= implementation() or {}
        for name, command in commands.items():
            if not isinstance(command, click.Command):
                raise PluginError(f"harness_commands gave {command!r} for {name!r}, which is no click.Command")
            if not _COMMAND.fullmatch(name):
                raise PluginError(f"harness_commands gave the name {name!r}: NAME or 'results NAME' is expected")
            if name in (self._commands or {}):
                raise PluginError(f"another plugin has the command {name!r}")
        return commands

    def gather(self, hook: str, arguments: Mapping[str, Any]) -> tuple[list[tuple[str, Any]], list[str]]:
        """Call a hook that gives several things in every plugin.

        Args:
            hook: the hook's name ("harness_report_sections").
            arguments: the hook's arguments by name.

        Returns:
            the things, each with the plugin's key in `plugins`; and a sentence for each plugin that raised an error.
        """
        things: list[tuple[str, Any]] = []
        problems = []
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            name = implementation.plugin_name
            try:
                given = implementation.function(*(arguments[name] for name in implementation.argnames))
                things += [(name, thing) for thing in given or ()]
            except Exception as error:  # noqa: BLE001 - the rest of the page is shown without it
                problems.append(f"plugin {name}: {hook}: {type(error).__name__}: {error}")
        return things, problems

    def emit(self, event: str, arguments: Mapping[str, Any]) -> list[str]:
        """Call the hook of an event in every plugin; return a sentence for each plugin that raised an error.

        Args:
            event: the hook's name ("harness_run_started", ...).
            arguments: the hook's arguments by name.
        """
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
    """Return the plugins of this Python environment; they are loaded once per process."""
    return Plugins(hint=package_hint)
