"""What every store promises (`harness.store.Store`)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from harness.records import Placed, Totals
from harness.store import Filters, Store
from harness.testing.stores.records import RecordPromises
from harness.testing.stores.trainings import TrainingViewPromises
from harness.testing.stores.views import ViewPromises
from harness.testing.tools.broken import promise
from harness.testing.tools.store_rows import cell, metric, put_results, row, rows_of

__all__ = ["StorePromises", "write_until_killed"]

_CHUNK, _TOLD = 4, 5
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

    def test_rows_are_counted_by_place(self) -> None:
        """Numbers of rows are added up by run, place and device, or none are kept."""
        self.optional("add_places")
        store, key, other, run = self.store, cell().key, cell("none", None).key, self.run
        store.register([cell(), cell("none", None)], run)
        store.claim([key, other], self.mine)
        store.add_places([Placed(key, run, "process 2", "cuda:1", 4), Placed(key, run, "", "cpu", 1)])
        store.add_places([Placed(key, run, "process 2", "cuda:1", 2), Placed(other, run, "", "cpu", 3)])
        whole = [Placed(key, run, "", "cpu", 1), Placed(key, run, "process 2", "cuda:1", 6)]
        self.same(store.places([key]), whole)
        self.same(store.places([other, "unknown"]), [Placed(other, run, "", "cpu", 3)])
        self.same(store.places([]), [])

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
        self.store.register([cell()], self.run)
        self._kill(0, _TOLD, idle=True)
        self._look(exactly=_CHUNK * _TOLD)
        self._kill(_CHUNK * _TOLD, 3, idle=False)
        self._look(least=_CHUNK * (_TOLD + 3))

    def _kill(self, start: int, told: int, idle: bool) -> None:
        """Kill a process that has told of some chunks, and that writes more, or waits."""
        import pickle

        module = sys.modules[type(self.store).__module__]
        own = str(Path(sys.modules["harness"].__file__ or "").parents[1])
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([own, *sys.path])}
        words = [pickle.dumps(sys.path).hex(), module.__name__, str(module.__file__), type(self.store).__qualname__]
        words += [self.url, str(self.run), str(start), str(start + _CHUNK * told if idle else 10**6)]
        command = [sys.executable, "-c", _WRITING, *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(told)]
            process.send_signal(signal.SIGKILL)
            _, problem = process.communicate()
        promise(lines[-1], f"a process could not write to the store: {problem.decode(errors='replace')[-300:]}")

    def _look(self, least: int = 0, exactly: int | None = None) -> None:
        """Open the store anew, and hold its rows against what was told to be written."""
        key = cell().key
        store = self.another(self.url)
        store.open()
        try:
            found = sorted(store.done(key))
            enough = len(found) == exactly if exactly is not None else len(found) >= least
            promise(
                found == list(range(len(found))) and enough and len(found) % _CHUNK == 0,
                f"after a kill there are {len(found)} rows of chunks of {_CHUNK}; {exactly or least} had been written: "
                "write each chunk in one transaction, and make it safe before write() returns.",
            )
            self.same([one.index for one in store.rows(key)], found)
            self.same([one.index for one in store.statistics(key)], found)
            self.same(store.states([key])[key].status, "interrupted")
        finally:
            store.close()


def write_until_killed(module: str, file: str, name: str, url: str, run: str, start: str, stop: str) -> None:
    """Write chunks of rows, say so after each, and wait in the end to be killed."""
    from harness.keep.processes import this_process
    from harness.records import Claim
    from harness.testing.tools.elsewhere import import_module

    found: Any = import_module(module, file)
    for part in name.split("."):
        found = getattr(found, part)
    store: Store = found(url)
    store.open()
    mine, key = Claim(this_process(), int(run)), cell().key
    store.claim([key], mine)
    for first in range(int(start), int(stop), _CHUNK):
        store.write([row(key, index) for index in range(first, first + _CHUNK)], mine)
        print(first, flush=True)  # noqa: T201 - the process that kills this one waits for it
    time.sleep(60)
