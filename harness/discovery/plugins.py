"""Finds and loads plugins. A broken plugin does not affect the others.

pluggy's own loader of entry points stops at the first error, so this module loads them one by one. A plugin that fails
to import is disabled and is listed with its error. Error messages about unknown names mention it, because it might
provide the name.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pluggy

from harness import hookspecs
from harness.discovery.files import PluginFile, given_files, import_file, use_files
from harness.discovery.kinds import KINDS
from harness.discovery.provided import Hint, Origin, Plugin, Provided
from harness.discovery.reading import (
    check_class,
    check_commands,
    check_hooks,
    check_version,
    has_hooks,
    hooks_of_classes,
    misnamed,
    registry_beside,
)
from harness.discovery.registry import package_hint, read_registry
from harness.discovery.sources import digest_of, other_modules, sources_of
from harness.errors import CollisionError, PluginError, RegistryError, UnknownNameError, in_words, plain_text

__all__ = ["GROUP", "OWN", "Plugins", "installed"]

GROUP = "harness"
"""The group of entry points that name plugins."""
OWN = "codec-harness"
"""The distribution of the harness and its own plugins."""
DISABLE = "HARNESS_DISABLE"
"""The environment variable that names plugins, by their entry points and with commas between, that are not loaded."""


class Plugins:
    """All plugins of this Python environment.

    Args:
        points: the entry points to load; by default those of all installed distributions.
        hint: a function that names the package for a name that no installed plugin provides.
        files: the plugins that are files; by default those of `HARNESS_PLUGINS`, beside all installed plugins.
    """

    def __init__(
        self,
        points: Iterable[EntryPoint] | None = None,
        hint: Hint | None = None,
        files: Iterable[PluginFile] | None = None,
    ) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._classes: dict[tuple[str, str], list[Provided]] = {}
        self._queried: set[str] = set()
        self._commands: dict[str, Any] | None = None
        self._registries: list[Path] = []
        self._hint = hint
        self.recall: Hint | None = None  # says which file gave a name to an earlier run; set before names are looked up
        self._distributions: dict[Distribution | None, tuple[str, str]] = {}
        self.plugins: dict[str, Plugin] = {}
        for point in entry_points(group=GROUP) if points is None else points:
            self._load(point)
        if points is None and files is None:
            use_files(())  # relative paths become absolute, for processes that work in another folder
        for file in given_files() if points is None and files is None else files or ():
            self._load_file(file)

    @property
    def never_disabled(self) -> list[str]:
        """The names in the environment's `HARNESS_DISABLE` that no plugin has."""
        known = {plugin.origin.entry_point for plugin in self.plugins.values()}
        return [name for name in dict.fromkeys(os.environ.get(DISABLE, "").split(",")) if name and name not in known]

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
        started = time.perf_counter()
        try:
            module = point.load()
            self.plugins[label].seconds = time.perf_counter() - started
            check_version(module, point.dist)
            if not has_hooks(module):
                raise PluginError("the module has no function marked with harness.hookimpl")
            self._register(module, label)
            if origin.distribution != OWN:
                self.plugins[label].registry = registry_beside(point.module)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an error of a plugin disables only that plugin
            self._disable(label, misnamed(point, error) or error)

    def _load_file(self, file: PluginFile) -> None:
        """Load a plugin that is a file: its hooks, or else its classes."""
        label = f"file:{file.path}"
        origin = Origin(file.name, file.module, file.name, "file", str(file.path))
        left_out = file.name in os.environ.get(DISABLE, "").split(",")
        plugin = self.plugins[label] = Plugin(origin, left_out=left_out)
        if left_out:
            return
        started = time.perf_counter()
        try:
            sources = sources_of((file.module,), file.name)
            digest = digest_of(sources)
            plugin.origin = replace(origin, source=digest)
            for name, other in other_modules(sources, file.path.parent).items():
                raise PluginError(
                    f"it imports {name}, which is {other}, and not the file of that name beside it. Rename that, or "
                    f"write `from . import {name}`."
                )
            module = import_file(file, {one.path: one.content for one in sources}, [one.module for one in sources])
            plugin.seconds = time.perf_counter() - started
            check_version(module, None)
            self._register(module if has_hooks(module) else hooks_of_classes(module), label)
            plugin.registry = registry_beside(file.module)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
            self._disable(label, error)

    def _disable(self, label: str, error: BaseException) -> None:
        """Disable a plugin: record its error and remove every class that it provides."""
        self.plugins[label].error = in_words(error).rstrip(".")
        self.plugins[label].provides.clear()
        if self._manager.has_plugin(label):
            self._manager.unregister(name=label)
        for items in self._classes.values():
            items[:] = [item for item in items if item.label != label]

    def _register(self, module: object, label: str) -> None:
        check_hooks(module)
        self._manager.register(module, name=label)

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
                classes = [cls for hook in self._implementations(f"harness_{kind}s", label) for cls in hook() or ()]
                items = [Provided(kind, check_class(kind, cls), cls, plugin.origin, label) for cls in classes]
            except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
                self._disable(label, error)
                continue
            for item in items:
                self._classes.setdefault((item.kind, item.name), []).append(item)
                plugin.provides.append(f"{item.kind} {item.name}")

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
            owners = " and ".join(f"{p.origin} ({p.origin.place})" for p in items)
            way = "Leave one of them out" if any(p.origin.file for p in items) else "Uninstall one of them"
            raise CollisionError(f"{kind} {name!r} is provided by {owners}. {way}.")
        return items[0]

    def get(self, kind: str, name: str) -> type[Any]:
        """Return the class with a name. Raises the same errors as `provided`."""
        return self.provided(kind, name).cls

    def why_unknown(self, kind: str, name: str) -> str:
        """Return hints for an unknown name: the package that provides it, and the broken plugins. "" without hints."""
        hints = []
        if self._hint and (package := self._hint(kind, name)):
            hints.append(f"It comes with the package {package}: pip install {package}")
        # What an earlier run had stands in the database, which an unknown store cannot open.
        if kind != "store" and self.recall and (file := self.recall(kind, name)):
            hints.append(f"An earlier run had it from a file: add --plugin {file}.")
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
        """Return distribution -> version for every plugin that works; for a file, its path -> digest."""
        origins = [plugin.origin for plugin in self.plugins.values() if plugin.works]
        return {one.file or one.distribution: (one.source or "")[:12] or one.version for one in origins}

    def registries(self) -> list[Path]:
        """Return the registry files of the plugins that work, each once. A plugin with a wrong file is disabled."""
        for label, plugin in self.plugins.items():
            if plugin.works and plugin.registry and plugin.registry not in self._registries:
                try:
                    read_registry(plugin.registry)
                except RegistryError as error:
                    self._disable(label, error)
                else:
                    self._registries.append(plugin.registry)
        return [one for one in self._registries if any(p.works and p.registry == one for p in self.plugins.values())]

    def files(self) -> dict[str, list[str]]:
        """Return path -> what it provides, as far as that was asked for, for every plugin that is a file and works."""
        return {file: list(p.provides) for p in self.plugins.values() if p.works and (file := p.origin.file)}

    def commands(self) -> Mapping[str, Any]:
        """Return the commands that plugins add (`harness.hookspecs.harness_commands`), by their names.

        A plugin is disabled if its hook fails, gives what is no command, or a name that another plugin gives too.
        """
        if self._commands is None:
            self._commands = {}
            for label in [label for label, plugin in self.plugins.items() if plugin.works]:
                try:
                    found: dict[str, Any] = {}
                    for implementation in self._implementations("harness_commands", label):
                        found |= implementation() or {}
                    check_commands(found, self._commands)
                except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
                    self._disable(label, error)
                    continue
                self._commands |= found
                self.plugins[label].provides += [f"command {name}" for name in found]
        return self._commands

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
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the rest of the page is shown without it
                problems.append(f"plugin {name}: {hook}: {in_words(error)}")
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
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a logger must not stop a run
                problems.append(f"plugin {implementation.plugin_name}: {event}: {in_words(error)}")
        return problems


@cache
def installed() -> Plugins:
    """Return the plugins of this Python environment; they are loaded once per process."""
    plugins = Plugins(hint=package_hint)
    for name in plugins.never_disabled:
        there = ", ".join(sorted(plugin.origin.entry_point for plugin in plugins.plugins.values()))
        text = f"{DISABLE}: no plugin is named {name!r}, so nothing is left out by that. There is: {there}."
        print(f"warning: {plain_text(text)}", file=sys.stderr)  # noqa: T201 - a command has no other place for it yet
    return plugins
