"""The SQL store on SQLite, and stores that have one fault each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import StoreError
from harness.store import Filters
from harness.testing import StorePromises
from harness_plugins.sql_store import SqlStore

ALL_ROWS = Filters()


class SqlitePromises(StorePromises):
    """How the store and its mutants are tested."""

    def url_in(self, folder: Path) -> str:
        return f"sqlite:///{folder}/results.db"


class ClaimsForAll(SqlStore):
    """Gives every claim to whoever asks."""

    broken = "a_claim_is_held_against_others_until_given_up"

    def claim(self, keys: Sequence[str], claim: Any) -> set[str]:
        super().claim(keys, claim)
        return set(keys)


class LeasesForEver(SqlStore):
    """Takes each lease for a minute, also one that has lapsed."""

    broken = "a_lapsed_lease_reads_interrupted_and_can_be_claimed"

    def claim(self, keys: Sequence[str], claim: Any) -> set[str]:
        return super().claim(keys, replace(claim, lease=60.0))


class LosesLastRow(SqlStore):
    """Loses the last row of each chunk."""

    broken = "rows_come_back_as_they_were_written"

    def write(self, rows: Sequence[Any], claim: Any) -> None:
        super().write(rows[: len(rows) - (len(rows) > 1)], claim)


class RowByRow(SqlStore):
    """Writes each row in a transaction of its own."""

    broken = "a_chunk_is_written_whole_or_not_at_all"

    def write(self, rows: Sequence[Any], claim: Any) -> None:
        for row in rows:
            super().write([row], claim)


class ForgetsStatistics(SqlStore):
    """Gives the statistics of each sample of the first one."""

    broken = "rows_come_back_as_they_were_written"

    def statistics(self, key: str) -> Iterator[Any]:
        found = list(super().statistics(key))
        yield from (replace(one, statistics=found[0].statistics) for one in found)


class RowsAsTheyCame(SqlStore):
    """Gives rows in the reverse order of their indices."""

    broken = "rows_come_back_as_they_were_written"

    def rows(self, key: str) -> Iterator[Any]:
        yield from list(super().rows(key))[::-1]


class PagesOverlap(SqlStore):
    """Gives a row twice where a page ends."""

    broken = "pages_of_rows_have_no_seams"

    def rows(self, key: str) -> Iterator[Any]:
        for row in super().rows(key):
            yield from [row] * (1 + (row.index == 512))


class KeepsFailures(SqlStore):
    """Counts failed samples as done, also where they are to be tried again."""

    broken = "a_failed_experiment_is_tried_again_without_its_failed_samples"
    seen: dict[str, set[int]] = {}

    def done(self, key: str) -> set[int]:
        before = self.seen.setdefault(self.url + key, set())
        before |= super().done(key)
        return set(before)

    def write(self, rows: Sequence[Any], claim: Any) -> None:
        super().write(rows, claim)
        for row in rows:
            self.done(row.key)


class ClaimsWhatIsFinished(SqlStore):
    """Says that a finished experiment is claimed."""

    broken = "a_finished_experiment_is_never_claimed"

    def claim(self, keys: Sequence[str], claim: Any) -> set[str]:
        got = super().claim(keys, claim)
        return got | {key for key, state in self.states(keys).items() if state.status == "finished"}


class UnknownIsKnown(SqlStore):
    """Registers what it is asked to claim."""

    broken = "claiming_what_was_never_registered_is_an_error"

    def claim(self, keys: Sequence[str], claim: Any) -> set[str]:
        try:
            return super().claim(keys, claim)
        except StoreError:
            return set()


class FiltersNothing(SqlStore):
    """Does not filter its views."""

    broken = "filters"

    def view(self, name: str, filters: Filters = ALL_ROWS) -> Any:
        return super().view(name)


class ViewsTurned(SqlStore):
    """Gives the rows of views in another order."""

    broken = "views_are_ordered"

    def view(self, name: str, filters: Filters = ALL_ROWS) -> Any:
        columns, rows = super().view(name, filters)
        return columns, rows[::-1]


class ComparisonsAddUp(SqlStore):
    """Keeps the first comparison of a pair."""

    broken = "a_comparison_replaces_the_older_one"

    def compare(self, comparisons: Sequence[Any]) -> None:
        known = {(one.other, one.metric, one.kind) for each in comparisons for one in self.comparisons(each.key)}
        super().compare([one for one in comparisons if (one.other, one.metric, one.kind) not in known])


class KeepsOldCheckpoints(SqlStore):
    """Keeps the first checkpoint of a training."""

    broken = "a_checkpoint_is_recorded_and_replaced"

    def keep_checkpoint(self, checkpoint: Any, run: int) -> None:
        if not self.checkpoints([checkpoint.key]):
            super().keep_checkpoint(checkpoint, run)


class QueriesWrite(SqlStore):
    """Takes what is no query for one that finds nothing."""

    broken = "queries_cannot_write"

    def select(self, sql: str) -> Any:
        try:
            return super().select(sql)
        except StoreError:
            return [], []


class SaysItIsWritten(SqlStore):
    """Keeps a chunk in memory until the next one comes."""

    broken = "a_kill_leaves_whole_chunks"
    waiting: tuple[Any, Any] | None = None

    def write(self, rows: Sequence[Any], claim: Any) -> None:
        if self.waiting is not None:
            super().write(*self.waiting)
        self.waiting = rows, claim


class IdentitiesExchanged(SqlStore):
    """Gives the identity of an experiment without its codec."""

    broken = "an_experiment_is_known_by_its_identity"

    def identities(self, keys: Sequence[str]) -> Any:
        return {key: {n: v for n, v in one.items() if n != "codec"} for key, one in super().identities(keys).items()}


class StagesAreReplaced(SqlStore):
    """Keeps only half of the seconds."""

    broken = "seconds_of_stages_are_added_up"

    def add_stages(self, key: str, run: int, seconds: Any) -> None:
        super().add_stages(key, run, {name: value / 2 for name, value in seconds.items()})


class PlacesAreReplaced(SqlStore):
    """Knows only the number of rows that came last from a place."""

    broken = "rows_are_counted_by_place"

    def add_places(self, placed: Any) -> None:
        with self._database.writing() as connection:
            for one in placed:
                connection.exec_driver_sql("DELETE FROM places WHERE place = ?", (one.place,))
        super().add_places(placed)


MUTANTS = [cls for cls in SqlStore.__subclasses__() if cls.__module__ == __name__]  # other stores derive from it, too
