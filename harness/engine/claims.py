"""The experiments that this run has claimed, and how they are given up: failed, interrupted, or as the run stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.engine.work import label_of
from harness.keep.processes import describe
from harness.records import State

if TYPE_CHECKING:
    from harness.discovery.events import Events
    from harness.engine.outcome import Outcome
    from harness.planning.plan import Plan
    from harness.progress import Progress
    from harness.records import Claim
    from harness.store import Store
    from harness.unit import Cell

__all__ = ["Claims"]


class Claims:
    """The claims of a run.

    Args:
        store: the store, opened for writing.
        claim: the claim of this process.
        progress: receives warnings.
        outcome: is told what failed or was interrupted.
        events: calls the hook of experiments that another run has finished.

    Attributes:
        held: the keys of the claimed experiments that are neither done nor given up.
    """

    def __init__(self, store: Store, claim: Claim, progress: Progress, outcome: Outcome, events: Events) -> None:
        self._store = store
        self._claim = claim
        self._progress = progress
        self._outcome = outcome
        self._events = events
        self.held: set[str] = set()

    def obtain(self, cells: Sequence[Cell]) -> list[Cell]:
        """Claim cells; return those that no other run has."""
        obtained = self._store.claim([cell.experiment.key for cell in cells], self._claim)
        self.held |= obtained
        return [cell for cell in cells if cell.experiment.key in obtained]

    def are_settled(self, cells: Sequence[Cell]) -> bool:
        """Note which of some cells others have done; return whether none of them is held by another run."""
        owners = []
        states = self._store.states([cell.experiment.key for cell in cells])
        for cell in cells:
            key = cell.experiment.key
            state = states.get(key, State("interrupted"))
            if state.status == "finished":
                self._outcome.elsewhere.append(key)
                self._events.emit("harness_experiment_found", experiment=cell.experiment)
            elif state.status == "failed":
                self._outcome.failed[key] = state.reason or "failed in another run"
            else:
                owners.append(state.owner or "another run")
        text = f"waiting for {len(owners)} experiments held by {describe(owners[0])}" if owners else ""
        self._progress.status(text)
        return not owners

    def fail(self, cells: Sequence[Cell], reason: str) -> None:
        """Record that cells have failed."""
        keys = [cell.experiment.key for cell in cells]
        self._store.release(keys, self._claim, "failed", reason)
        self.held -= set(keys)
        self._outcome.failed.update(dict.fromkeys(keys, reason))
        self._progress.warning(f"{label_of(cells)}: {reason}")

    def interrupt(self, cells: Sequence[Cell], lost: Mapping[str, set[int]], executor: str) -> None:
        """Give up cells of which the executor did not give all rows. The next run continues them."""
        for cell in cells:
            key, label = cell.experiment.key, cell.experiment.label
            count = len(lost[key])
            text = (
                f"executor {executor} gave no result for {count} of {cell.experiment.samples} samples of "
                f"{label}, and none when it was asked again. The next run asks for them."
            )
            self._store.release([key], self._claim, "interrupted", text)
            self.held.discard(key)
            self._outcome.interrupted[key] = text
            self._progress.warning(text)

    def leave(self, cell: Cell, samples: int) -> None:
        """Give up a cell of which this shard of the plan is done. A merge with the other shards completes it."""
        key = cell.experiment.key
        text = f"{samples} of {cell.experiment.samples} samples; the others are in other shards"
        self._store.release([key], self._claim, "partial", text)
        self.held.discard(key)
        self._outcome.partial[key] = text

    def stop(self, plan: Plan, why: str) -> None:
        """Give up all that is not done, because this process can predict no more."""
        text = f"the run stopped: {why}. The next run continues."
        self.release(text)
        outcome = self._outcome
        done = {*outcome.found, *outcome.finished, *outcome.failed, *outcome.elsewhere, *outcome.partial}
        left = [experiment.key for experiment in plan.experiments if experiment.key not in done]
        outcome.interrupted.update(dict.fromkeys(left, text))
        self._progress.warning(text)

    def release(self, text: str | None = None) -> None:
        """Give up all claims, so that the next run continues."""
        self._store.release(sorted(self.held), self._claim, "interrupted", text)
        self.held.clear()
