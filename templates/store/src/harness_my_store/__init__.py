"""The store `my-store`: results in a SQLite file, of which each run first makes a copy.

`--db my-store:///results.db` writes to results.db in the working directory (`my-store:////data/results.db`: anywhere),
and keeps what was there when the last run began in results.db.before.
"""

import sqlite3
from contextlib import closing

from harness import hookimpl
from harness_plugins.sql_store import SqlStore
from harness_plugins.sql_store.location import file_of


class MyStore(SqlStore):
    """The harness's own store, under another scheme. A store from scratch implements `harness.store.Store`."""

    name = "my-store"
    summary = "SQLite file, with a copy of what was there before the last run"
    schemes = ("my-store",)

    def __init__(self, url):
        scheme, separator, rest = url.partition("://")
        super().__init__(f"sqlite://{rest}" if separator and scheme in self.schemes else url)

    def begin_run(self, info):
        """Copy the database as it is, as one whole, also while other processes write to it; then record the run."""
        path = file_of(self.url)
        with closing(sqlite3.connect(path)) as found, closing(sqlite3.connect(f"{path}.before")) as copy:
            found.backup(copy)
        return super().begin_run(info)


@hookimpl
def harness_stores():
    return [MyStore]
