"""What came of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Outcome"]


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
    """

    found: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    interrupted: dict[str, str] = field(default_factory=dict)
    partial: dict[str, str] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)
