"""The resampled metrics that stores keep, for questions to several experiments: read, checked, and refused if wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.errors import StoreError
from harness.planning.recorded_task import made_by
from harness.statistics.kept import origin_of, outline_of, restored

if TYPE_CHECKING:
    from harness.discovery.plugins import Plugins
    from harness.statistics.kept import Restored
    from harness.store import Store

__all__ = ["KeptMetrics"]


@dataclass
class KeptMetrics:
    """The resampled metrics that the stores of some experiments keep.

    Args:
        home: experiment key -> the store that contains the experiment.
        identities: experiment key -> the experiment's identity.
        plugins: the plugins that provide the tasks.
        resamples: the number of resamples (R).
        seed: the seed of the resamples.
        warn: is called with a sentence if what is kept cannot be used; once for each reason.
    """

    home: Mapping[str, Store]
    identities: Mapping[str, Mapping[str, Any]]
    plugins: Plugins
    resamples: int
    seed: int
    warn: Callable[[str], None]
    _read: dict[str, Restored | None] = field(default_factory=dict)
    _warned: set[str] = field(default_factory=set)

    def of(self, key: str, classes: Callable[[], tuple[str, ...]]) -> Restored | None:
        """Return what is kept of an experiment, with this number of resamples and this seed; None if nothing is.

        Its statistics are read for the check, but not unpacked.

        Args:
            key: the experiment's key.
            classes: is called for the experiment's class names.

        Raises:
            UnknownNameError: no installed plugin has the experiment's task.
        """
        if key not in self._read:
            self._read[key] = self._restored(key, classes)
        return self._read[key]

    def _restored(self, key: str, classes: Callable[[], tuple[str, ...]]) -> Restored | None:
        kept = self.home[key].resamples(key)
        if kept is None or (kept.resamples, kept.seed) != (self.resamples, self.seed):
            return None
        outline = outline_of(self.home[key].statistics(key))
        version = made_by(self.identities[key], self.plugins)
        origin = origin_of(outline.digest, self.identities[key], classes(), version, self.resamples, self.seed)
        try:
            return restored(kept, outline, origin)
        except StoreError as error:
            reason = str(error)
        if reason not in self._warned:
            self._warned.add(reason)
            self.warn(
                f"the resampled metrics that are kept of experiment {key[:12]} are not used: {reason}. They are "
                "computed from its statistics; `harness results refresh` keeps them again."
            )
        return None
