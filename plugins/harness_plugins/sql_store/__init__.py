"""The results database in SQL: a SQLite file by default, or PostgreSQL by URL.

SQLAlchemy is imported when a store is opened, so that listing the stores is fast. The modules:

- `schema`: the tables; `views`: the public views; `migrations` and `upgrade`: the schema versions;
- `database`: the connection; `location` and `locks`: checks of the SQLite file and its locks;
- `runs`, `claims`, `records`, `outcomes`, `stages`, `places`, `resamples`, `trainings`: reading and writing the
  rows; `again`: experiments that are computed again; `viewed`: reading the views;
- `digests` and `check`: digests of the rows, and what was altered;
- `read_only`: the user's own queries; `merge` with `absorb` and `copies`: joining several databases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from harness import hookimpl
from harness.errors import StoreError
from harness.keep.texts import without_passwords
from harness.records import (
    Checkpoint,
    Claim,
    Comparison,
    Merged,
    MetricValue,
    Placed,
    RecordedRun,
    RunInfo,
    SampleRow,
    SampleStatistics,
    State,
    Status,
    Totals,
)
from harness.store import Filters, KeptResamples, Store

if TYPE_CHECKING:
    from harness.experiment import Experiment
    from harness_plugins.sql_store.database import Database


__all__ = ["SqlStore", "harness_stores"]

_ALL = Filters()


class SqlStore(Store):
    """The default store, `sqlite:///harness.db`. A plain path is opened as a SQLite file too.

    Several threads of one process can use it. Open it after a fork of the process, not before.
    """

    name: ClassVar[str] = "sql"
    summary: ClassVar[str] = "SQLite file, or PostgreSQL server"
    schemes: ClassVar[tuple[str, ...]] = ("sqlite", "postgresql")

    _opened: Database | None = None

    @property
    def _database(self) -> Database:
        if self._opened is None:
            raise StoreError(f"the store {without_passwords(self.url)} is not open.")
        return self._opened

    def open(self, write: bool = True) -> None:
        from harness_plugins.sql_store.database import Database

        self.close()
        self._opened = Database(self.url, write)

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def begin_run(self, info: RunInfo) -> int:
        from harness_plugins.sql_store import runs

        return self._database.write(runs.begin, info)

    def end_run(self, run: int, status: Status) -> None:
        from harness_plugins.sql_store import runs

        self._database.write(runs.end, run, status)

    def add_warnings(self, run: int, warnings: Sequence[str]) -> None:
        from harness_plugins.sql_store import runs

        with self._database.writing() as connection:
            runs.add_warnings(connection, run, warnings)

    def runs(self) -> list[RecordedRun]:
        from harness_plugins.sql_store import runs

        return self._database.read(runs.read)

    def register(self, experiments: Sequence[Experiment], run: int) -> None:
        from harness_plugins.sql_store import claims

        self._database.write(claims.register, experiments, run)

    def experiments(self) -> list[Experiment]:
        from harness_plugins.sql_store import claims

        return self._database.read(claims.registered)

    def states(self, keys: Sequence[str]) -> dict[str, State]:
        from harness_plugins.sql_store import claims

        return self._database.read(claims.states, keys)

    def identities(self, keys: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        from harness_plugins.sql_store import claims

        return self._database.read(claims.identities, keys)

    def classes(self, keys: Sequence[str]) -> dict[str, tuple[str, ...]]:
        from harness_plugins.sql_store import claims

        return self._database.read(claims.classes, keys)

    def claim(self, keys: Sequence[str], claim: Claim) -> set[str]:
        from harness_plugins.sql_store import claims

        return self._database.write(claims.claim, keys, claim)

    def renew(self, claim: Claim) -> set[str]:
        from harness_plugins.sql_store import claims

        return self._database.write(claims.renew, claim)

    def release(self, keys: Sequence[str], claim: Claim, status: Status, reason: str | None = None) -> None:
        from harness_plugins.sql_store import claims

        self._database.write(claims.release, keys, claim, status, reason)

    def done(self, key: str) -> set[int]:
        from harness_plugins.sql_store import records

        return self._database.read(records.done, key)

    def write(self, rows: Sequence[SampleRow], claim: Claim) -> None:
        from harness_plugins.sql_store import records

        data = records.packed(rows)
        self._database.write(records.append, rows, data, claim)

    def statistics(self, key: str) -> Iterator[SampleStatistics]:
        from harness_plugins.sql_store import records

        return records.read_statistics(self._database, key)

    def rows(self, key: str) -> Iterator[SampleRow]:
        from harness_plugins.sql_store import records

        return records.read_rows(self._database, key)

    def finish(
        self, key: str, claim: Claim, totals: Totals, metrics: Sequence[MetricValue], failed: str | None = None
    ) -> None:
        from harness_plugins.sql_store import outcomes

        self._database.write(outcomes.finish, key, claim, totals, metrics, failed)

    def uncompared(self, keys: Sequence[str]) -> set[str]:
        from harness_plugins.sql_store import outcomes

        return self._database.read(outcomes.uncompared, keys)

    def compare(self, comparisons: Sequence[Comparison]) -> None:
        from harness_plugins.sql_store import outcomes

        self._database.write(outcomes.compare, comparisons)

    def comparisons(self, key: str) -> list[Comparison]:
        from harness_plugins.sql_store import outcomes

        return self._database.read(outcomes.read_comparisons, key)

    def begin_again(self, keys: Sequence[str]) -> dict[str, str]:
        from harness_plugins.sql_store import again

        return self._database.write(again.begin, keys)

    def supersede(self, keys: Sequence[str]) -> dict[str, str]:
        from harness_plugins.sql_store import again

        return self._database.write(again.supersede, keys)

    def outdated(self, keys: Sequence[str], method: str) -> set[str]:
        from harness_plugins.sql_store import outcomes

        return self._database.read(outcomes.outdated, keys, method)

    def replace_metrics(self, key: str, metrics: Sequence[MetricValue], method: str, resamples: int, seed: int) -> None:
        from harness_plugins.sql_store import outcomes

        self._database.write(outcomes.replace_metrics, key, metrics, method, resamples, seed)

    def add_stages(self, key: str, run: int, seconds: Mapping[str, float]) -> None:
        from harness_plugins.sql_store import stages

        self._database.write(stages.add, key, run, seconds)

    def add_places(self, placed: Sequence[Placed]) -> None:
        from harness_plugins.sql_store import places

        self._database.write(places.add, placed)

    def places(self, keys: Sequence[str]) -> list[Placed]:
        from harness_plugins.sql_store import places

        return self._database.read(places.read, keys)

    def keep_resamples(self, kept: KeptResamples) -> None:
        from harness_plugins.sql_store import resamples

        self._database.write(resamples.keep, kept)

    def resamples(self, key: str) -> KeptResamples | None:
        from harness_plugins.sql_store import resamples

        return self._database.read(resamples.read, key)

    def keep_checkpoint(self, checkpoint: Checkpoint, run: int) -> None:
        from harness_plugins.sql_store import trainings

        self._database.write(trainings.keep, checkpoint, run)

    def checkpoints(self, keys: Sequence[str]) -> dict[str, Checkpoint]:
        from harness_plugins.sql_store import trainings

        return self._database.read(trainings.read, keys)

    def check(self) -> Iterator[str]:
        yield from self._database.check()

    def altered(self, keys: Sequence[str]) -> dict[str, str]:
        from harness_plugins.sql_store.database import chunks
        from harness_plugins.sql_store.digests import not_continued

        found: dict[str, str] = {}
        with self._database.reading() as connection:
            for batch in chunks(keys):
                found |= not_continued(connection, batch)
        return found

    def not_covered(self) -> Iterator[str]:
        from harness_plugins.sql_store import links

        with self._database.reading() as connection:
            yield from links.not_covered(connection)

    def why_not_writable(self) -> str | None:
        from harness_plugins.sql_store.location import check_file, file_of

        try:
            file = file_of(self.url)
            if file is not None:
                check_file(file, write=True)
        except StoreError as error:
            return str(error)
        return None

    def view(self, name: str, filters: Filters = _ALL) -> tuple[list[str], list[tuple[Any, ...]]]:
        from harness_plugins.sql_store import viewed

        return self._database.read(viewed.read_view, name, filters)

    def read(
        self, name: str, columns: Sequence[str], filters: Filters = _ALL, distinct: bool = False
    ) -> Iterator[tuple[Any, ...]]:
        from harness_plugins.sql_store import viewed

        with self._database.reading() as connection:
            yield from viewed.read_columns(connection, name, columns, filters, distinct)

    @classmethod
    def merge(
        cls, sources: Sequence[str], target: str, into: bool, join: Callable[[SqlStore], None]
    ) -> Sequence[Merged]:
        """Join several databases (files, servers) into one; `join` is called with it before it replaces a target file.

        Raises:
            StoreError: one of the files is not a results database.
        """
        from harness_plugins.sql_store.merge import merge_into

        return merge_into(cls, sources, target, into, join)

    def select(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        from harness_plugins.sql_store import read_only

        database = self._database
        if database.file:
            return read_only.select_from_file(database.file, sql, database.wait)
        with database.reading() as connection:
            return read_only.select_from_server(connection, sql)


@hookimpl
def harness_stores() -> Iterator[type[Store]]:
    """Register the SQL store."""
    yield SqlStore
