"""What a store promises of claims, rows and records."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from harness.records import Claim, Comparison, Totals
from harness.store import KeptResamples
from harness.testing.stores.trial import StoreTrial
from harness.testing.tools.store_rows import cell, failed, metric, put_results, row, rows_of

__all__ = ["RecordPromises"]


class RecordPromises(StoreTrial):
    """Claims, rows, and experiments that are computed again."""

    def test_what_is_registered_but_never_claimed_is_unknown(self) -> None:
        """What is registered but never claimed is unknown."""
        store = self.store
        run = self.run
        store.register([cell()], run)
        store.register([cell()], run)
        self.same(store.states([cell().key, "other"]), {})
        self.same(store.view("results")[1], [])

    def test_an_experiment_is_known_by_its_identity(self) -> None:
        """An experiment is known by its identity."""
        store = self.store
        run = self.run
        store.register([cell(), cell("none", None)], run)
        self.same(store.identities([cell().key, "other"]), {cell().key: cell().identity})

    def test_a_claim_is_held_against_others_until_given_up(self) -> None:
        """A claim is held against others until given up."""
        store = self.store
        mine = self.mine
        key, other = (cell().key, Claim("somebody else", mine.run))
        store.register([cell()], mine.run)
        self.same(store.claim([key], mine), {key})
        self.same(store.claim([key], mine), {key})
        self.same(store.claim([key], other), set())
        self.same(store.renew(mine), {key})
        self.same(store.renew(other), set())
        store.release([key], other, "interrupted")
        self.same(store.states([key])[key].status, "running")
        store.release([key], mine, "interrupted")
        self.same(store.states([key])[key].status, "interrupted")
        self.same(store.claim([key], other), {key})

    def test_a_lapsed_lease_reads_interrupted_and_can_be_claimed(self) -> None:
        """A lapsed lease reads interrupted and can be claimed."""
        store = self.store
        mine = self.mine
        key, late = (cell().key, Claim("machine that froze", mine.run, lease=-1.0))
        store.register([cell()], mine.run)
        store.claim([key], late)
        store.write([row(key, 0)], late)
        state = store.states([key])[key]
        self.same((state.status, state.owner, state.samples), ("interrupted", "machine that froze", 1))
        self.same(rows_of(store.view("results"))[0]["status"], "interrupted")
        self.same(store.claim([key], mine), {key})
        self.same(store.done(key), {0})
        with self.refused("was lost"):
            store.write([row(key, 1)], late)
        with self.refused("was lost"):
            store.finish(key, late, Totals(1, 0), [])
        self.same(store.done(key), {0})

    def test_a_lease_far_in_the_future_was_given_under_a_wrong_clock(self) -> None:
        """A lease far in the future was given under a wrong clock."""
        store = self.store
        mine = self.mine
        key = cell().key
        store.register([cell()], mine.run)
        store.claim([key], Claim("clock a day ahead", mine.run, lease=86400.0))
        self.same(store.claim([key], mine), set())
        store.renew(Claim("clock a day ahead", mine.run, lease=60.0))
        self.same(store.states([key])[key].status, "running")

    def test_rows_come_back_as_they_were_written(self) -> None:
        """Rows come back as they were written."""
        store = self.store
        mine = self.mine
        key = cell().key
        store.register([cell()], mine.run)
        store.claim([key], mine)
        written = [row(key, index) for index in (2, 0, 3)] + [failed(key, 1)]
        store.write(written, mine)
        expected = sorted(written, key=lambda r: r.index)
        self.same(list(store.rows(key)), [dataclasses.replace(r, statistics=()) for r in expected])
        found = list(store.statistics(key))
        self.same([(s.index, s.group) for s in found], [(0, "drive0"), (2, "drive1"), (3, "drive1")])
        self.same(found[1].statistics[0]["hits"].tolist(), [2, 2])
        self.same(found[1].statistics[0]["scores"].tolist(), [[0.25]])
        self.same(store.done(key), {0, 1, 2, 3})

    def test_numbers_of_numpy_and_numbers_that_are_none(self) -> None:
        """Numbers of numpy and numbers that are none."""
        store = self.store
        mine = self.mine
        key = cell().key
        store.register([cell()], mine.run)
        store.claim([key], mine)
        odd: dict[str, Any] = {"bits": np.int64(8), "squared_error": np.uint64(9), "score": np.float32(0.5)}
        store.write([row(key, 0, **odd, seconds=float("nan"))], mine)
        (found,) = store.rows(key)
        self.same((found.bits, found.squared_error, found.score, found.seconds), (8, 9, 0.5, None))

    def test_pages_of_rows_have_no_seams(self) -> None:
        """Pages of rows have no seams."""
        store = self.store
        mine = self.mine
        key = cell().key
        store.register([cell()], mine.run)
        store.claim([key], mine)
        store.write([row(key, index) for index in range(600)], mine)
        self.same([r.index for r in store.rows(key)], list(range(600)))
        self.same([s.index for s in store.statistics(key)], list(range(600)))

    def test_resampled_metrics_are_kept_once_for_each_experiment(self) -> None:
        """Resampled metrics are kept once for each experiment."""
        store = self.store
        run = self.run
        key, other = (cell().key, cell("none", None).key)
        store.register([cell(), cell("none", None)], run)
        self.holds(store.resamples(key) is None)
        first = KeptResamples(key, 1000, 0, "ab", b"\x00\xff bytes")
        again = KeptResamples(key, 100, 2**40, "cd", b"others")
        store.keep_resamples(first)
        store.keep_resamples(KeptResamples(other, 200, 3, "ef", b""))
        self.same(store.resamples(key), first)
        store.keep_resamples(again)
        self.same(store.resamples(key), again)
        self.same(store.resamples(other), KeptResamples(other, 200, 3, "ef", b""))
        self.holds(store.resamples("unknown") is None)

    def test_a_chunk_is_written_whole_or_not_at_all(self) -> None:
        """A chunk is written whole or not at all."""
        store = self.store
        mine = self.mine
        key = cell().key
        store.register([cell()], mine.run)
        store.claim([key], mine)
        store.write([row(key, 0)], mine)
        with self.refused("written twice"):
            store.write([row(key, 1), row(key, 0)], mine)
        with self.refused("was lost.*nobody"):
            store.write([row(key, 1), row(cell(level=5.0).key, 1)], mine)
        self.same(store.done(key), {0})

    def test_a_failed_experiment_is_tried_again_without_its_failed_samples(self) -> None:
        """A failed experiment is tried again without its failed samples."""
        store = self.store
        mine = self.mine
        key = cell().key
        store.register([cell()], mine.run)
        store.claim([key], mine)
        store.write([row(key, 0), failed(key, 1)], mine)
        store.finish(key, mine, Totals(1, 1), [metric("AP", 0.5)], failed="1 sample failed")
        state = store.states([key])[key]
        self.same((state.status, state.reason, state.samples), ("failed", "1 sample failed", 2))
        (shown,) = rows_of(store.view("results"))
        self.same((shown["status"], shown["metric"], shown["failed_samples"]), ("failed", "AP", 1))
        self.same(store.view("curves")[1], [])
        self.same(store.claim([key], mine), {key})
        self.same(store.done(key), {0})
        (shown,) = rows_of(store.view("results"))
        self.same((shown["status"], shown["metric"], shown["samples"]), ("running", None, None))

    def test_an_interrupted_experiment_keeps_its_failed_samples(self) -> None:
        """An interrupted experiment keeps its failed samples."""
        store = self.store
        mine = self.mine
        key = cell().key
        store.register([cell()], mine.run)
        store.claim([key], mine)
        store.write([row(key, 0), failed(key, 1)], mine)
        store.release([key], mine, "interrupted")
        store.claim([key], mine)
        self.same(store.done(key), {0, 1})

    def test_a_finished_experiment_is_never_claimed(self) -> None:
        """A finished experiment is never claimed."""
        store = self.store
        none, jpeg = put_results(store)
        self.same(store.claim([none.key, jpeg.key], Claim("anybody", 1)), set())
        self.same({s.status for s in store.states([none.key, jpeg.key]).values()}, {"finished"})

    def test_claiming_what_was_never_registered_is_an_error(self) -> None:
        """Claiming what was never registered is an error."""
        store = self.store
        mine = self.mine
        with self.refused("before they were registered"):
            store.claim(["f" * 64], mine)

    def test_what_was_written_is_there_when_opened_again(self) -> None:
        """What was written is there when opened again."""
        store = self.store
        url = self.url
        put_results(store)
        expected = store.view("results")
        for write in (True, False):
            again = self.another(url)
            again.open(write)
            self.same(again.view("results"), expected)
            again.close()

    def test_an_experiment_is_computed_again_beside_its_record(self) -> None:
        """An experiment is computed again beside its record."""
        store = self.store
        mine = self.mine
        none, jpeg = put_results(store)
        other = cell(level=10.0)
        store.register([other], mine.run)
        store.claim([other.key], mine)
        store.write([row(other.key, 0)], mine)
        store.finish(other.key, mine, Totals(1, 0), [metric("AP", 0.3)])
        store.compare([Comparison(other.key, none.key, "AP", "drop", 0.2, 0.1, 0.3, 1)])
        store.add_stages(jpeg.key, mine.run, {"wall": 1.0})
        before = {name: rows_of(store.view(name)) for name in ("results", "curves", "profile", "per_sample")}
        begun = store.begin_again([jpeg.key, none.key])
        self.same(begun, store.begin_again([none.key, jpeg.key]))
        self.holds(not set(begun.values()) & set(begun))
        self.same(store.supersede(list(begun)), {})
        store.claim(list(begun.values()), mine)
        again = begun[jpeg.key]
        store.write([row(again, index, bits=77) for index in range(3)], mine)
        store.add_stages(again, mine.run, {"wall": 9.0})
        with self.refused("computed again by .* at this time"):
            store.begin_again([jpeg.key])
        self.same({name: rows_of(store.view(name)) for name in before}, before)
        self.same([e.key for e in store.experiments()], [none.key, jpeg.key, other.key])
        store.finish(again, mine, Totals(3, 0, 231, 300, 0.77), [metric("AP", 0.375), metric("AP50", 0.7)])
        self.same({name: rows_of(store.view(name)) for name in before}, before)
        records = store.supersede(list(begun))
        self.same(set(records), {jpeg.key})
        record = records[jpeg.key]
        self.same(store.supersede(list(begun)), {})
        now = {name: rows_of(store.view(name)) for name in before}
        self.same([r for r in now["results"] if r["experiment"] == none.key], before["results"][:2])
        found = {r["metric"]: r for r in now["results"] if r["experiment"] == jpeg.key}
        self.same({name: r["value"] for name, r in found.items()}, {"AP": 0.375, "AP50": 0.7})
        self.same((found["AP"]["bpp"], found["AP"]["samples"], found["AP"]["cell"]), (0.77, 3, jpeg.cell))
        self.same({r["sample"] for r in now["per_sample"] if r["experiment"] == jpeg.key}, {"img0", "img1", "img2"})
        self.same([r["wall_seconds"] for r in now["profile"]], [9.0])
        old = {r["metric"]: r for r in rows_of(store.view("superseded"))}
        self.same(set(old), {"AP", "AP50", "AP_large"})
        (first,) = (r for r in before["results"] if r["experiment"] == jpeg.key and r["metric"] == "AP")
        self.same(
            {name: value for name, value in old["AP"].items() if name in first},
            {name: value for name, value in first.items() if name in old["AP"]},
        )
        self.same((old["AP"]["experiment"], old["AP"]["record"]), (jpeg.key, record))
        self.holds(old["AP"]["superseded_at"] >= old["AP"]["finished_at"])
        self.same([c.other for c in store.comparisons(record)], [none.key])
        self.same(store.comparisons(jpeg.key), [])
        self.same(store.uncompared([jpeg.key, other.key]), {jpeg.key})
        self.same(store.identities([record]), {record: jpeg.identity})

    def test_drops_against_a_superseded_baseline_are_forgotten(self) -> None:
        """Drops against a superseded baseline are forgotten."""
        store = self.store
        mine = self.mine
        none, jpeg = put_results(store)
        begun = store.begin_again([none.key])
        store.claim(list(begun.values()), mine)
        store.finish(begun[none.key], mine, Totals(4, 0), [metric("AP", 0.5)])
        records = store.supersede([none.key])
        self.same(store.comparisons(jpeg.key), [])
        self.same(store.uncompared([jpeg.key]), {jpeg.key})
        self.holds(rows_of(store.view("curves"))[0]["experiment"] in (none.key, jpeg.key))
        second = store.begin_again([none.key])
        store.claim(list(second.values()), mine)
        store.finish(second[none.key], mine, Totals(4, 0), [metric("AP", 0.5)])
        self.same(store.supersede([none.key]).keys(), records.keys())
        self.same({r["experiment"] for r in rows_of(store.view("superseded"))}, {none.key})

    def test_only_finished_experiments_are_computed_again(self) -> None:
        """Only finished experiments are computed again."""
        store = self.store
        mine = self.mine
        none, _ = put_results(store)
        new = cell(level=10.0)
        store.register([new], mine.run)
        for key in (new.key, "unknown"):
            with self.refused("is not finished, so it cannot be computed again"):
                store.begin_again([none.key, key])
        self.same(store.begin_again([]), {})
