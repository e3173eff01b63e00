"""Calls the hooks of plugins when something happened in a run. A hook that raises costs nothing but a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.progress import Progress

__all__ = ["Events"]


class Events:
    """The events of one run.

    Args:
        plugins: the plugins whose hooks are called.
        progress: receives a warning for each hook that raised an error.
        run: the run's id.

    Attributes:
        problems: the warnings so far, each once. The run records them.
    """

    def __init__(self, plugins: Plugins, progress: Progress, run: int) -> None:
        self._plugins = plugins
        self._progress = progress
        self._run = run
        self.problems: dict[str, None] = {}

    def emit(self, event: str, **arguments: Any) -> None:
        """Call a hook in every plugin.

        Args:
            event: the hook's name ("harness_run_started", ...).
            arguments: the hook's arguments by name; `run` is added.
        """
        for problem in self._plugins.emit(event, {"run": self._run, **arguments}):
            if problem not in self.problems:
                self._progress.warning(problem)
            self.problems[problem] = None
