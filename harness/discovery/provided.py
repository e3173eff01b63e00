"""What is known of a plugin, and of a class that it provides."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.discovery.sources import source_digest

__all__ = ["Hint", "Origin", "Plugin", "Provided"]


@dataclass(frozen=True)
class Origin:
    """Where a plugin comes from.

    Args:
        entry_point: the entry point's name.
        module: the module it names.
        distribution: the installed distribution (Python package) that declares the entry point.
        version: the distribution's version.
        file: the path of a plugin that is a file (`harness.discovery.files`), whose name stands for its distribution.
        source: the digest of such a plugin's source, as it was read.
    """

    entry_point: str
    module: str
    distribution: str
    version: str
    file: str | None = None
    source: str | None = None

    def __str__(self) -> str:
        return f"{self.distribution} (file)" if self.file else f"{self.distribution} {self.version}"

    @property
    def place(self) -> str:
        """Where the plugin lies, for messages: the module of a distribution, or the path of a file."""
        return self.file or self.module


@dataclass
class Plugin:
    """One plugin and its state.

    Args:
        origin: where the plugin comes from.
        error: why the plugin is disabled; None if it works, or is left out.
        provides: what the plugin provides, each as "kind name" ("codec jpeg").
        left_out: whether the user left the plugin out (`DISABLE`).
        seconds: how long its import took.
        registry: its own file of registry entries; None without one.
    """

    origin: Origin
    error: str | None = None
    provides: list[str] = field(default_factory=list)
    left_out: bool = False
    seconds: float = 0.0
    registry: Path | None = None

    @property
    def works(self) -> bool:
        """Whether the plugin was loaded, and has had no error so far."""
        return not self.error and not self.left_out


@dataclass(frozen=True)
class Provided:
    """A class that a plugin provides.

    Args:
        kind: the kind of the class ("codec", "task", ...).
        name: the class's name.
        cls: the class.
        origin: where the plugin comes from.
        label: the plugin's key in `Plugins.plugins`.
    """

    kind: str
    name: str
    cls: type[Any]
    origin: Origin
    label: str

    @property
    def source(self) -> str | None:
        """The digest of the plugin's source (`harness.discovery.sources`); None for a plugin of the harness itself.

        Raises:
            PluginError: the source cannot be read.
        """
        if self.origin.source:
            return self.origin.source
        return source_digest(self.origin.module.partition(":")[0], self.cls.__module__, self.origin.distribution)


class Hint(Protocol):
    """A function that returns the package that provides a name, or None if it is unknown."""

    def __call__(self, kind: str, name: str) -> str | None: ...
