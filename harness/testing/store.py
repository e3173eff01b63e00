"""What every store promises (`harness.store.Store`)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from harness.records import Totals
from harness.store import Filters
from harness.testing.base import promise
from harness.testing.store_records import RecordPromises
from harness.testing.store_rows import cell, metric, put_results, row, rows_of
from harness.testing.store_trainings import TrainingViewPromises
from harness.testing.store_views import ViewPromises

__all__ = ["StorePromises", "write_until_killed"]

_CHUNK = 4
_WRITING = (
    "import pickle, sys; from harness.testing.store import write_until_killed; "
    "sys.path[:] = pickle.loads(bytes.fromhex(sys.argv[1])); write_until_killed(*sys.argv[2:])"
)


class StorePromises(RecordPromises, ViewPromises, TrainingViewPromises):
    """What every store promises. A class of tests of a store derives from it::

        from harness.testing import StorePromises

        class TestMyStore(StorePromises):
            spec = "my-store"       # opened as SCHEME:///FOLDER/results.db; or override url_in(folder)

    Each promise is tried with a new, empty store.
    """

    def test_seconds_of_stages_are_added_up(self) -> None:
        """Seconds of stages are added up, or none are kept and the view `profile` is empty."""
        store, key = self.store, cell().key
        store.register([cell()], self.run)
        store.claim([key], self.mine)
        store.add_stages(key, self.run, {"encode": 1.5, "predict": 2.0, "wall": 4.0, "workers": 2})
        store.add_stages(key, self.run, {"encode": 0.5, "wall": 1.0, "workers": 2})
        found = rows_of(store.view("profile"))
        kept = [(one["encode_seconds"], one["predict_seconds"], one["wall_seconds"], one["workers"]) for one in found]
        promise(kept in ([], [(2.0, 2.0, 5.0, 2)]), f"profile has {kept}: add seconds up, and replace `workers`.")

    def test_queries_cannot_write(self) -> None:
        """`select` refuses what would write, and what is no query, and changes nothing."""
        put_results(self.store)
        before = self.store.view("results")
        for sql in (
            "INSERT INTO results (metric) VALUES ('x')",
            "UPDATE results SET value = 1",
            "DELETE FROM results",
            "DROP VIEW results",
            "CREATE TABLE mine (a INTEGER)",
            "SELECT 1; DELETE FROM results",
            "not a query",
            "",
        ):
            with self.refused():
                self.store.select(sql)
        self.same(self.store.view("results"), before)

    def test_columns_can_be_read_alone(self) -> None:
        """`read` gives the columns that are asked for, as `view` has them."""
        put_results(self.store)
        whole = rows_of(self.store.view("results", Filters({"codec": ["jpeg"]})))
        found = list(self.store.read("results", ("metric", "value"), Filters({"codec": ["jpeg"]})))
        self.same(found, [(one["metric"], one["value"]) for one in whole])
        codecs = list(self.store.read("results", ("codec",), distinct=True))
        self.same(sorted(codecs), [("jpeg",), ("none",)])
        with self.refused():
            list(self.store.read("results", ("colour",)))

    def test_a_reader_sees_what_another_writes(self) -> None:
        """A store that is open for reading shows what was written since."""
        store, key = self.store, cell().key
        store.register([cell()], self.run)
        store.claim([key], self.mine)
        reader = self.another(self.url)
        reader.open(write=False)
        try:
            store.write([row(key, 0)], self.mine)
            store.finish(key, self.mine, Totals(1, 0), [metric("AP", 0.5)])
            self.same(reader.view("results"), store.view("results"))
            self.same(len(rows_of(reader.view("results"))), 1)
        finally:
            reader.close()

    def test_a_kill_leaves_whole_chunks(self) -> None:
        """A process that is killed while it writes loses no chunk that was written, and leaves no half of one."""
        import pickle

        key = cell().key
        self.store.register([cell()], self.run)
        module = sys.modules[type(self.store).__module__]
        own = str(Path(sys.modules["harness"].__file__ or "").parents[1])
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([own, *sys.path])}
        words = [pickle.dumps(sys.path).hex(), module.__name__, str(module.__file__), type(self.store).__qualname__]
        command = [sys.executable, "-c", _WRITING, *words, self.url, str(self.run)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as process:
            assert process.stdout is not None
            told = [process.stdout.readline() for _ in range(5)]
            time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            _, problem = process.communicate()
        promise(told[-1], f"a process could not write to the store: {problem.decode(errors='replace')[-300:]}")
        done = self.another(self.url)
        done.open()
        try:
            found = sorted(done.done(key))
            least = _CHUNK * len(told)
            promise(
                found == list(range(len(found))) and len(found) >= least and len(found) % _CHUNK == 0,
                f"after a kill there are {len(found)} rows of chunks of {_CHUNK}; {least} had been written: write each "
                "chunk in one transaction, and make it safe before write() returns.",
            )
            self.same([one.index for one in done.rows(key)], found)
            self.same([one.index for one in done.statistics(key)], found)
            self.same(done.states([key])[key].status, "interrupted")
            self.same(done.claim([key], self.mine), {key})
        finally:
            done.close()


def write_until_killed(module: str, file: str, name: str, url: str, run: str) -> None:
    """Write chunks of rows until the process is killed, and say so after each."""
    from functools import reduce

    from harness.keep.processes import this_process
    from harness.records import Claim
    from harness.testing.elsewhere import import_module

    store = reduce(getattr, name.split("."), import_module(module, file))(url)
    store.open()
    mine, key = Claim(this_process(), int(run)), cell().key
    store.claim([key], mine)
    for start in range(0, 10**6, _CHUNK):
        store.write([row(key, index) for index in range(start, start + _CHUNK)], mine)
        print(start, flush=True)  # noqa: T201 - the process that kills this one waits for it
