"""What came of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Outcome", "Worked"]


@dataclass(frozen=True)
class Worked:
    """Where rows were computed.

    Args:
        place: the place, as the executor names it; "" for the main process.
        device: the torch device.
    """

    place: str
    device: str


@dataclass
class Outcome:
    """The outcome of a run.

    Args:
        found: the keys of experiments that were finished before the run.
        finished: the keys of experiments that this run finished.
        failed: key of a failed experiment -> reason.
        interrupted: key of an experiment of which samples are still missing -> reason.
        partial: key of an experiment of which this shard of the plan is done -> what is missing.
        elsewhere: the keys of experiments that another run finished meanwhile.
        places: experiment key -> how many rows came from where in this run.
    """

    found: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    interrupted: dict[str, str] = field(default_factory=dict)
    partial: dict[str, str] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)
    places: dict[str, dict[Worked, int]] = field(default_factory=dict)

    def done(self) -> set[str]:
        """Return the keys of all experiments of which nothing more is to be done in this run."""
        return {*self.found, *self.finished, *self.failed, *self.interrupted, *self.partial, *self.elsewhere}

    def worked(self, where: Worked, key: str) -> None:
        """Note where a row of an experiment was computed."""
        places = self.places.setdefault(key, {})
        places[where] = places.get(where, 0) + 1
