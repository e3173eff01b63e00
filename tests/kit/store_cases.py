"""What every store must do, as tests to inherit: a class that derives from `StoreCases` gives the fixture `url`."""

import dataclasses
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from harness.errors import StoreError
from harness.experiment import Training
from harness.keep.processes import this_process
from harness.records import Checkpoint, Claim, Comparison, Placed, Totals
from harness.results.profile import profile_of
from harness.store import STAGES, Filters, KeptResamples
from harness_plugins.sql_store import SqlStore
from kit.store_rows import INFO, NONE_KEY, cell, failed, metric, put_results, row, rows_of

WORK = {"predict": 30.0, "wall": 100.0}
BOTTLENECKS = [
    ({"predict": 5.0}, None),
    ({"predict": 5.0, "wall": 0.0}, None),
    ({"predict": 90.0, "wait": 8.0, "wall": 100.0}, "device"),
    ({"predict": 89.0, "wait": 8.0, "encode": 1.0, "wall": 100.0}, "codec"),
    ({**WORK, "wait": 60.0, "encode": 30.0, "decode": 25.0, "read": 50.0, "prepare": 40.0}, "codec"),
    ({**WORK, "wait": 60.0, "encode": 30.0, "decode": 15.0, "read": 50.0, "prepare": 40.0}, "read"),
    ({**WORK, "wait": 60.0, "encode": 30.0, "read": 20.0, "prepare": 40.0}, "prepare"),
    ({**WORK, "wait": 60.0, "hand_over": 60.0, "encode": 40.0, "score": 15.0}, "hand-over"),
    ({**WORK, "wait": 60.0, "hand_over": 60.0, "encode": 99.0, "score": 5.0, "workers": 2.0}, "hand-over"),
    ({**WORK, "wait": 60.0, "hand_over": 60.0, "encode": 119.0, "score": 5.0, "workers": 2.0}, "codec"),
    ({**WORK, "wait": 60.0, "encode": 30.0, "read": 20.0, "prepare": 40.0, "score": 41.0}, "score"),
    ({**WORK, "wait": 5.0, "hand_over": 5.0, "score": 40.0, "write": 5.0, "finish": 10.0}, "store"),
    ({**WORK, "wait": 5.0, "hand_over": 5.0, "score": 10.0, "write": 25.0, "finish": 20.0}, "store"),
    ({**WORK, "wait": 10.0, "hand_over": 5.0}, "other"),
    # Scoring that goes on beside the rest, in the workers, does not hold the device up.
    ({"predict": 80.0, "wait": 15.0, "hand_over": 2.0, "score": 70.0, "encode": 300.0, "wall": 100.0}, "codec"),
]
"""Seconds of stages, and what held the others up."""


class StoreCases:
    """Semantics of `harness.store.Store`."""

    @pytest.fixture
    def url(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    def store(self, url: str) -> Iterator[SqlStore]:
        made = SqlStore(url)
        made.open()
        yield made
        made.close()

    @pytest.fixture
    def run(self, store: SqlStore) -> int:
        return store.begin_run(INFO)

    @pytest.fixture
    def mine(self, run: int) -> Claim:
        return Claim(this_process(), run)

    def test_what_is_registered_but_never_claimed_is_unknown(self, store: SqlStore, run: int) -> None:
        store.register([cell()], run)
        store.register([cell()], run)
        assert store.states([cell().key, "other"]) == {}
        assert store.view("results")[1] == []

    def test_an_experiment_is_known_by_its_identity(self, store: SqlStore, run: int) -> None:
        store.register([cell(), cell("none", None)], run)
        assert store.identities([cell().key, "other"]) == {cell().key: cell().identity}

    def test_a_claim_is_held_against_others_until_given_up(self, store: SqlStore, mine: Claim) -> None:
        key, other = cell().key, Claim("somebody else", mine.run)
        store.register([cell()], mine.run)
        assert store.claim([key], mine) == {key}
        assert store.claim([key], mine) == {key}
        assert store.claim([key], other) == set()
        assert store.renew(mine) == {key}
        assert store.renew(other) == set()
        store.release([key], other, "interrupted")
        assert store.states([key])[key].status == "running"
        store.release([key], mine, "interrupted")
        assert store.states([key])[key].status == "interrupted"
        assert store.claim([key], other) == {key}

    def test_a_lapsed_lease_reads_interrupted_and_can_be_claimed(self, store: SqlStore, mine: Claim) -> None:
        key, late = cell().key, Claim("machine that froze", mine.run, lease=-1.0)
        store.register([cell()], mine.run)
        store.claim([key], late)
        store.write([row(key, 0)], late)
        state = store.states([key])[key]
        assert (state.status, state.owner, state.samples) == ("interrupted", "machine that froze", 1)
        assert rows_of(store.view("results"))[0]["status"] == "interrupted"
        assert store.claim([key], mine) == {key}
        assert store.done(key) == {0}
        with pytest.raises(StoreError, match="was lost"):
            store.write([row(key, 1)], late)
        with pytest.raises(StoreError, match="was lost"):
            store.finish(key, late, Totals(1, 0), [])
        assert store.done(key) == {0}

    def test_a_lease_far_in_the_future_was_given_under_a_wrong_clock(self, store: SqlStore, mine: Claim) -> None:
        key = cell().key
        store.register([cell()], mine.run)
        store.claim([key], Claim("clock a day ahead", mine.run, lease=86400.0))
        assert store.claim([key], mine) == set()
        store.renew(Claim("clock a day ahead", mine.run, lease=60.0))
        assert store.states([key])[key].status == "running"

    def test_rows_come_back_as_they_were_written(self, store: SqlStore, mine: Claim) -> None:
        key = cell().key
        store.register([cell()], mine.run)
        store.claim([key], mine)
        written = [row(key, index) for index in (2, 0, 3)] + [failed(key, 1)]
        store.write(written, mine)
        expected = sorted(written, key=lambda r: r.index)
        assert list(store.rows(key)) == [dataclasses.replace(r, statistics=()) for r in expected]
        found = list(store.statistics(key))
        assert [(s.index, s.group) for s in found] == [(0, "drive0"), (2, "drive1"), (3, "drive1")]
        assert found[1].statistics[0]["hits"].tolist() == [2, 2]
        assert found[1].statistics[0]["scores"].tolist() == [[0.25]]
        assert store.done(key) == {0, 1, 2, 3}

    def test_numbers_of_numpy_and_numbers_that_are_none(self, store: SqlStore, mine: Claim) -> None:
        key = cell().key
        store.register([cell()], mine.run)
        store.claim([key], mine)
        odd: dict[str, Any] = {"bits": np.int64(8), "squared_error": np.uint64(9), "score": np.float32(0.5)}
        store.write([row(key, 0, **odd, seconds=float("nan"))], mine)
        (found,) = store.rows(key)
        assert (found.bits, found.squared_error, found.score, found.seconds) == (8, 9, 0.5, None)

    def test_pages_of_rows_have_no_seams(self, store: SqlStore, mine: Claim) -> None:
        key = cell().key
        store.register([cell()], mine.run)
        store.claim([key], mine)
        store.write([row(key, index) for index in range(600)], mine)
        assert [r.index for r in store.rows(key)] == list(range(600))
        assert [s.index for s in store.statistics(key)] == list(range(600))

    def test_resampled_metrics_are_kept_once_for_each_experiment(self, store: SqlStore, run: int) -> None:
        key, other = cell().key, cell("none", None).key
        store.register([cell(), cell("none", None)], run)
        assert store.resamples(key) is None
        first = KeptResamples(key, 1000, 0, "ab", b"\x00\xff bytes")
        again = KeptResamples(key, 100, 2**40, "cd", b"others")
        store.keep_resamples(first)
        store.keep_resamples(KeptResamples(other, 200, 3, "ef", b""))
        assert store.resamples(key) == first
        store.keep_resamples(again)
        assert store.resamples(key) == again
        assert store.resamples(other) == KeptResamples(other, 200, 3, "ef", b"")
        assert store.resamples("unknown") is None

    def test_a_chunk_is_written_whole_or_not_at_all(self, store: SqlStore, mine: Claim) -> None:
        key = cell().key
        store.register([cell()], mine.run)
        store.claim([key], mine)
        store.write([row(key, 0)], mine)
        with pytest.raises(StoreError, match="written twice"):
            store.write([row(key, 1), row(key, 0)], mine)
        with pytest.raises(StoreError, match=r"was lost.*nobody"):
            store.write([row(key, 1), row(cell(level=5.0).key, 1)], mine)
        assert store.done(key) == {0}

    def test_a_failed_experiment_is_tried_again_without_its_failed_samples(self, store: SqlStore, mine: Claim) -> None:
        key = cell().key
        store.register([cell()], mine.run)
        store.claim([key], mine)
        store.write([row(key, 0), failed(key, 1)], mine)
        store.finish(key, mine, Totals(1, 1), [metric("AP", 0.5)], failed="1 sample failed")
        state = store.states([key])[key]
        assert (state.status, state.reason, state.samples) == ("failed", "1 sample failed", 2)
        (shown,) = rows_of(store.view("results"))
        assert (shown["status"], shown["metric"], shown["failed_samples"]) == ("failed", "AP", 1)
        assert store.view("curves")[1] == []
        assert store.claim([key], mine) == {key}
        assert store.done(key) == {0}
        (shown,) = rows_of(store.view("results"))
        assert (shown["status"], shown["metric"], shown["samples"]) == ("running", None, None)

    def test_an_interrupted_experiment_keeps_its_failed_samples(self, store: SqlStore, mine: Claim) -> None:
        key = cell().key
        store.register([cell()], mine.run)
        store.claim([key], mine)
        store.write([row(key, 0), failed(key, 1)], mine)
        store.release([key], mine, "interrupted")
        store.claim([key], mine)
        assert store.done(key) == {0, 1}

    def test_a_finished_experiment_is_never_claimed(self, store: SqlStore) -> None:
        none, jpeg = put_results(store)
        assert store.claim([none.key, jpeg.key], Claim("anybody", 1)) == set()
        assert {s.status for s in store.states([none.key, jpeg.key]).values()} == {"finished"}

    def test_claiming_what_was_never_registered_is_an_error(self, store: SqlStore, mine: Claim) -> None:
        with pytest.raises(StoreError, match="before they were registered"):
            store.claim(["f" * 64], mine)

    def test_a_baseline_that_comes_later_is_filled_in(self, store: SqlStore, mine: Claim) -> None:
        store.register([cell(baseline=None)], mine.run)
        store.claim([cell().key], mine)
        store.finish(cell().key, mine, Totals(4, 0, bpp=2.0), [metric("AP", 0.4)])
        (alone,) = rows_of(store.view("curves"))
        assert (alone["baseline"], alone["drop"], alone["relative_drop"]) == (None, None, None)
        none = cell("none", None)
        store.register([none, cell()], mine.run)
        store.claim([none.key], mine)
        store.finish(none.key, mine, Totals(4, 0, bpp=24.0), [metric("AP", 0.5)])
        assert rows_of(store.view("curves", Filters({"codec": ["jpeg"]})))[0]["baseline"] == 0.5

    def test_results(self, store: SqlStore) -> None:
        _, jpeg = put_results(store)
        found = rows_of(store.view("results"))
        assert [(r["codec"], r["metric"]) for r in found] == [
            ("none", "AP"),
            ("none", "AP50"),
            ("jpeg", "AP"),
            ("jpeg", "AP50"),
            ("jpeg", "AP_large"),
        ]
        assert found[0].items() >= {"level": None, "bpp": 24.0, "psnr": None, "is_primary": True}.items()
        expected = {
            **{"experiment": jpeg.key, "run": 1, "codec": "jpeg", "codec_options": "{}", "level": 50.0},
            **{"level_name": "quality", "task": "detection", "model": "rcnn", "weights": "w1", "dataset": "streets"},
            **{"split": "test", "training": "pretrained", "train_codec": None, "train_level": None},
            **{"train_mode": None, "parts": None, "reference": "labels", "seed": 0, "metric": "AP", "value": 0.4},
            **{"ci_low": 0.3, "ci_high": 0.5, "is_primary": True, "higher_is_better": True, "bpp": 2.0},
            **{"kbps": None, "bytes": 101, "psnr": 31.5, "encode_ms": 1.5, "decode_ms": 0.5, "samples": 4},
            **{"failed_samples": 0, "seconds": 1.0, "status": "finished"},
            **{"planned_samples": 4, "precision": "fp32", "batch": 1, "groups": 2, "cell": jpeg.cell, "series": None},
            **{"frame_pixels": 80.0, "dataset_options": None, "compiled": False},
        }
        assert found[2].pop("finished_at").endswith("Z")
        assert found[2] == expected
        assert found[4]["value"] is None

    def test_curves(self, store: SqlStore) -> None:
        put_results(store)
        found = {(r["codec"], r["metric"]): r for r in rows_of(store.view("curves"))}
        names = ("value", "baseline", "drop", "drop_ci_low", "drop_ci_high", "relative_drop")
        assert [found["jpeg", "AP"][n] for n in names] == [0.4, 0.5, 0.1, 0.05, 0.15, pytest.approx(0.2)]
        assert [found["none", "AP"][n] for n in names] == [0.5, 0.5, 0.0, 0.0, 0.0, 0.0]
        assert [found["jpeg", "AP50"][n] for n in names] == [0.7, 0.8, None, None, None, None]
        assert [found["jpeg", "AP_large"][n] for n in names] == [None] * 6
        rates = ("level", "bpp", "compression_ratio", "source_bpp")
        assert [found["jpeg", "AP"][n] for n in rates] == [50.0, 2.0, 12.0, 8.0]
        assert [found["none", "AP"][n] for n in rates] == [None, 24.0, 1.0, None]

    def test_none_behind_a_lever_is_no_baseline(self, store: SqlStore, mine: Claim) -> None:
        small = cell("none", None, codec_options={"scale": 0.25}, baseline=None)
        store.register([small], mine.run)
        store.claim([small.key], mine)
        assert rows_of(store.view("results"))[0]["bpp"] is None
        store.finish(small.key, mine, Totals(4, 0, bpp=1.5), [metric("AP", 0.2)])
        (found,) = rows_of(store.view("curves"))
        names = ("value", "baseline", "drop", "drop_ci_low", "drop_ci_high", "relative_drop", "bpp")
        assert [found[n] for n in names] == [0.2, None, None, None, None, None, 1.5]

    def test_how_intervals_were_computed_is_kept_with_them(self, store: SqlStore) -> None:
        put_results(store)
        query = "SELECT interval_method, resamples, interval_seed FROM experiments ORDER BY id"
        assert store.select(query)[1] == [(None, None, None), ("by hand", 1000, 7)]

    def test_experiments_that_differ_in_anything_can_be_told_apart(self, store: SqlStore, mine: Claim) -> None:
        cells = [cell(), cell(samples=2), cell(precision="bf16"), cell(batch=8), cell(compiled=True)]
        store.register(cells, mine.run)
        store.claim([one.key for one in cells], mine)
        for one in cells:
            store.finish(one.key, mine, Totals(2, 0, bpp=2.0), [metric("AP", 0.4)])
        for view in ("results", "curves"):
            names = ("planned_samples", "precision", "batch", "compiled")
            found = [tuple(r[name] for name in names) for r in rows_of(store.view(view))]
            expected = [(4, "fp32", 1, False), (2, "fp32", 1, False), (4, "bf16", 1, False), (4, "fp32", 8, False)]
            assert found == [*expected, (4, "fp32", 1, True)]
        assert [one.compiled for one in store.experiments()] == [False] * 4 + [True]

    def test_a_comparison_replaces_the_older_one(self, store: SqlStore) -> None:
        none, jpeg = put_results(store)
        store.compare([Comparison(jpeg.key, none.key, "AP", "drop", 0.2, 0.1, 0.3, 4)])
        store.compare([Comparison(jpeg.key, none.key, "AP", "other kind", 9.0, None, None, 4)])
        (found,) = rows_of(store.view("curves", Filters({"codec": ["jpeg"], "metric": ["AP"]})))
        assert (found["drop"], found["drop_ci_low"]) == (0.2, 0.1)

    def test_recovery_sets_pretrained_retrained_and_clean_side_by_side(self, store: SqlStore, mine: Claim) -> None:
        put_results(store)
        (alone,) = rows_of(store.view("recovery", Filters({"metric": ["AP"]})))
        shown = ("baseline", "pretrained", "retrained", "clean", "recovery")
        assert [alone[name] for name in shown] == [0.5, 0.4, None, None, None]
        taught = {"checkpoint": "b", "control": "c"}
        matched = cell(training=Training("retrained", "jpeg", 50.0, "level", **taught))
        clean = cell(training=Training("retrained", None, None, "clean", checkpoint="c", control="c"))
        other = cell(training=Training("retrained", None, None, "clean", checkpoint="d", control="d"))
        unpacked = cell("none", None, training=matched.training, baseline=NONE_KEY)
        store.register([matched, clean, other, unpacked], mine.run)
        store.claim([matched.key, clean.key, other.key, unpacked.key], mine)
        store.finish(other.key, mine, Totals(4, 0, bpp=2.0), [metric("AP", 0.1)])
        store.finish(unpacked.key, mine, Totals(4, 0), [metric("AP", 0.49)])
        store.finish(matched.key, mine, Totals(4, 0, bpp=2.0), [metric("AP", 0.48)])
        store.finish(clean.key, mine, Totals(4, 0, bpp=2.0), [metric("AP", 0.43)])
        store.compare([Comparison(matched.key, cell().key, "AP", "recovery", 0.8, 0.5, 1.1, 4)])
        (both,) = rows_of(store.view("recovery", Filters({"metric": ["AP"]})))
        assert [both[name] for name in shown] == [0.5, 0.4, 0.48, 0.43, 0.8]
        assert (both["train_mode"], both["retrained_experiment"]) == ("level", matched.key)
        assert (both["clean_experiment"], both["retrained_on_none"]) == (clean.key, 0.49)
        assert both["cost_on_none"] is None
        store.compare([Comparison(unpacked.key, NONE_KEY, "AP", "drop", 0.01, -0.02, 0.03, 4)])
        (both,) = rows_of(store.view("recovery", Filters({"metric": ["AP"]})))
        cost = ("cost_on_none", "cost_on_none_ci_low", "cost_on_none_ci_high")
        assert [both[name] for name in cost] == [0.01, -0.02, 0.03]

    def test_seeds_of_a_training_are_averaged(self, store: SqlStore, mine: Claim) -> None:
        _, jpeg = put_results(store)
        taught = ("retrained", "jpeg", 50.0, "level", None)
        trainings = [Training(*taught, seed, f"c{seed}", "k", "s") for seed in range(3)]
        other = Training(*taught, 0, "o0", "k", "other recipe")
        cells = [cell(training=training) for training in (*trainings, other)]
        store.register(cells, mine.run)
        store.claim([one.key for one in cells], mine)
        values, gains = (0.41, 0.44, 0.47), (0.01, 0.04, 0.07)
        for one, value, gain in zip(cells, (*values, 0.9), (*gains, 0.5), strict=True):
            store.finish(one.key, mine, Totals(4, 0, bpp=2.0), [metric("AP", value), metric("AP_large", None)])
            store.compare([Comparison(one.key, jpeg.key, "AP", "gain", gain, None, None, 4)])
        store.compare([Comparison(cells[0].key, jpeg.key, "AP", "recovery", 0.1, 0.0, 0.2, 4)])
        found = {(r["series"], r["metric"]): r for r in rows_of(store.view("seeds"))}
        assert set(found) == {("s", "AP"), ("s", "AP_large"), ("other recipe", "AP"), ("other recipe", "AP_large")}
        three = found["s", "AP"]
        half = 4.302652730 * 0.03 / 3**0.5  # Student's quantile for two degrees of freedom, from a table
        assert (three["seeds"], three["mean"], three["sd"]) == (3, pytest.approx(0.44), pytest.approx(0.03))
        assert (three["ci_low"], three["ci_high"]) == (pytest.approx(0.44 - half), pytest.approx(0.44 + half))
        assert (three["gain"], three["gain_ci_high"]) == (pytest.approx(0.04), pytest.approx(0.04 + half))
        assert (three["recovery"], three["recovery_sd"], three["net_recovery"]) == (None, None, None)
        assert [found["s", "AP_large"][name] for name in ("seeds", "mean", "sd")] == [3, None, None]
        assert found["s", "AP_large"]["reason"] == "the metric is not defined for every seed"
        alone = found["other recipe", "AP"]
        shown = ("seeds", "mean", "sd", "ci_low", "ci_high", "reason")
        assert [alone[name] for name in shown] == [1, 0.9, None, None, None, "one seed has no spread"]

    def test_seeds_stay_together_when_a_file_was_renamed(self, store: SqlStore, mine: Claim) -> None:
        put_results(store)
        taught = ("retrained", "jpeg", 50.0, "level", None)
        cells = [cell(training=Training(*taught, seed, f"c{seed}", "k", "s")) for seed in range(3)]
        cells[2] = dataclasses.replace(cells[2], weights="w1-moved", dataset="roads", model="file.py")
        store.register(cells, mine.run)
        store.claim([one.key for one in cells], mine)
        for one, value in zip(cells, (0.41, 0.44, 0.47), strict=True):
            store.finish(one.key, mine, Totals(4, 0, bpp=2.0), [metric("AP", value)])
        (three,) = rows_of(store.view("seeds"))
        assert (three["seeds"], three["mean"], three["sd"]) == (3, pytest.approx(0.44), pytest.approx(0.03))
        assert (three["model"], three["weights"], three["dataset"]) == ("file.py", "w1", "roads")
        assert three["series"] == "s"

    def test_drops_from_the_ladders_top(self, store: SqlStore, mine: Claim) -> None:
        put_results(store)  # quality 50 has 2 bpp
        strong, top = cell(level=5.0), cell(level=95.0)
        taught = cell(level=5.0, training=Training("retrained", "jpeg", 5.0, "level", None, 0, "c", "k", "s"))
        lower = [strong, top, taught]
        store.register(lower, mine.run)
        store.claim([one.key for one in lower], mine)
        for one, value, bpp in zip(lower, (0.1, 0.48, 0.36), (0.3, 4.0, 0.3), strict=True):
            found = [metric("AP", value), dataclasses.replace(metric("error", value), higher_is_better=False)]
            store.finish(one.key, mine, Totals(4, 0, bpp=bpp), found)
        rows = {(r["experiment"], r["metric"]): r for r in rows_of(store.view("curves"))}
        names = ("top_level", "top", "drop_from_top", "relative_drop_from_top")

        def told(key: str, name: str = "AP") -> list[Any]:
            return [rows[key, name][column] for column in names]

        assert told(NONE_KEY) == [None] * 4
        assert told(top.key) == [95.0, 0.48, 0.0, 0.0]
        assert told(cell().key) == [95.0, 0.48, pytest.approx(0.08), pytest.approx(0.08 / 0.48)]
        assert told(taught.key) == [95.0, 0.48, pytest.approx(0.12), pytest.approx(0.25)]
        assert told(strong.key, "error")[2:] == [pytest.approx(-0.38), pytest.approx(-0.38 / 0.48)]

    def test_a_checkpoint_is_recorded_and_replaced(self, store: SqlStore, mine: Claim) -> None:
        made = Checkpoint("k", {"seed": 0}, "/weights", "ab", 10, 3, None, "iteration,part,loss,value\n")
        store.keep_checkpoint(made, mine.run)
        store.keep_checkpoint(dataclasses.replace(made, sha256="cd"), mine.run)
        assert store.checkpoints(["k", "unknown"]) == {"k": dataclasses.replace(made, sha256="cd")}

    def test_seconds_of_stages_are_added_up_by_run(self, store: SqlStore, mine: Claim) -> None:
        key, other = cell().key, cell("none", None).key
        store.register([cell(), cell("none", None)], mine.run)
        store.claim([key, other], mine)
        assert store.view("profile")[1] == []
        store.write([row(key, index) for index in range(3)], mine)
        store.add_stages(key, mine.run, {"encode": 1.5, "predict": 2.0, "wall": 4.0, "workers": 2})
        store.add_stages(key, mine.run, {"encode": 0.5, "wait": 1.0, "wall": 1.0, "workers": 2})
        store.add_stages(key, mine.run, {})
        later = store.begin_run(INFO)
        store.add_stages(key, later, {"encode": 4.0, "wall": 3.0, "workers": 6})
        store.add_stages(other, later, {"predict": 1.0})
        stages = "SELECT run, stage, seconds FROM stages WHERE experiment = (SELECT key FROM experiments WHERE id = 1)"
        assert sorted(store.select(stages)[1]) == [
            *((mine.run, "encode", 2.0), (mine.run, "predict", 2.0), (mine.run, "wait", 1.0)),
            *((mine.run, "wall", 5.0), (mine.run, "workers", 2.0)),
            *((later, "encode", 4.0), (later, "wall", 3.0), (later, "workers", 6.0)),
        ]
        found, without = rows_of(store.view("profile"))
        assert (found["experiment"], found["codec"], found["level"], found["device"]) == (key, "jpeg", 50.0, "cpu")
        assert [found[name] for name in ("runs", "samples", "workers")] == [2, 3, 6]
        seconds = {name: found[f"{name}_seconds"] for name in STAGES if found[f"{name}_seconds"] is not None}
        assert seconds == {"encode": 6.0, "predict": 2.0, "wait": 1.0, "wall": 8.0}
        assert (found["image_levels_per_second"], found["busy_share"]) == (3 / 8, 0.25)
        assert (without["samples"], without["predict_seconds"], without["wall_seconds"]) == (0, 1.0, None)
        assert [without[name] for name in ("image_levels_per_second", "busy_share", "bottleneck")] == [None] * 3
        store.finish(key, mine, Totals(2, 1), [])
        (found,) = rows_of(store.view("profile", Filters({"codec": ["jpeg"]})))
        assert found["samples"] == 3

    @pytest.mark.parametrize("seconds", [{"brew": 1.0}, {"read": -1.0}, {"read": float("nan")}])
    def test_what_is_no_stage_or_no_time_is_refused(
        self, store: SqlStore, mine: Claim, seconds: dict[str, float]
    ) -> None:
        store.register([cell()], mine.run)
        with pytest.raises(StoreError, match=r"no stage 'brew'|is no time"):
            store.add_stages(cell().key, mine.run, {"encode": 1.0, **seconds})
        assert store.select("SELECT count(*) FROM stages")[1] == [(0,)]

    def test_seconds_of_an_unknown_experiment_are_refused(self, store: SqlStore, mine: Claim) -> None:
        with pytest.raises(StoreError):
            store.add_stages("f" * 64, mine.run, {"read": 1.0})

    @pytest.mark.parametrize(("seconds", "named"), BOTTLENECKS)
    def test_the_view_names_the_bottleneck_as_the_tables_do(
        self, store: SqlStore, mine: Claim, seconds: dict[str, float], named: str | None
    ) -> None:
        store.register([cell()], mine.run)
        store.claim([cell().key], mine)
        store.add_stages(cell().key, mine.run, seconds)
        (found,) = rows_of(store.view("profile"))
        assert found["bottleneck"] == profile_of(found).bottleneck == named

    def test_comparisons_of_an_experiment(self, store: SqlStore) -> None:
        none, jpeg = put_results(store)
        gain = Comparison(jpeg.key, none.key, "AP", "gain", 0.2, 0.1, 0.3, 4)
        store.compare([gain])
        assert gain in store.comparisons(jpeg.key)
        assert store.comparisons(none.key) == []

    def test_per_sample(self, store: SqlStore, mine: Claim) -> None:
        key = cell().key
        store.register([cell()], mine.run)
        store.claim([key], mine)
        store.write([row(key, 0), failed(key, 1), row(key, 2, squared_error=0)], mine)
        found = rows_of(store.view("per_sample", Filters({"experiment": [key]})))
        first = {"experiment": key, "sample": "img0", "group": "drive0", "bytes": 126, "pixels": 100, "seconds": 0.25}
        assert found[0].pop("psnr") == pytest.approx(10 * np.log10(255**2))
        assert found[0] == {**first, "status": "ok", "error": None, "score": 0.5}
        assert [found[1][name] for name in ("bytes", "psnr", "status", "error")] == [None, None, "failed", "cut short"]
        assert found[2]["psnr"] is None

    def test_filters(self, store: SqlStore) -> None:
        put_results(store)
        assert len(store.view("results", Filters({"codec": ["jpeg"], "metric": ["AP", "AP50"]}))[1]) == 2
        assert len(store.view("results", Filters({"level": [None, 50.0]}))[1]) == 5
        assert len(store.view("results", Filters({"level": [None]}))[1]) == 2
        assert store.view("results", Filters({"status": ["failed"]}))[1] == []
        with pytest.raises(StoreError, match="no column 'colour'"):
            store.view("results", Filters({"colour": ["red"]}))
        with pytest.raises(StoreError, match="no view 'samples'"):
            store.view("samples")

    def test_an_image_coded_as_video_is_labelled(self, store: SqlStore, mine: Claim) -> None:
        video = cell("h264", 23.0, intra=True, codec_options={"preset": "fast"})
        store.register([video], mine.run)
        store.claim([video.key], mine)
        (found,) = rows_of(store.view("results"))
        assert found["codec_options"] == '{"intra":true,"preset":"fast"}'

    def test_select_reads(self, store: SqlStore) -> None:
        put_results(store)
        columns, rows = store.select("SELECT metric, value FROM results WHERE codec = 'jpeg' AND metric = 'AP50'")
        assert (columns, rows) == (["metric", "value"], [("AP50", 0.7)])

    @pytest.mark.parametrize(
        "sql",
        [
            "INSERT INTO runs (id) VALUES (9)",
            "UPDATE experiments SET status = 'finished'",
            "DELETE FROM runs",
            "DROP TABLE runs",
            "CREATE TABLE mine (a INTEGER)",
            "SELECT 1; DELETE FROM runs",
            "DROP VIEW results",
            "BEGIN",
            "not a query",
            "",
        ],
    )
    def test_select_cannot_write(self, store: SqlStore, sql: str) -> None:
        put_results(store)
        before = store.select("SELECT count(*) FROM runs")
        with pytest.raises(StoreError, match="the query"):
            store.select(sql)
        assert store.select("SELECT count(*) FROM runs") == before

    def test_what_was_written_is_there_when_opened_again(self, store: SqlStore, url: str) -> None:
        put_results(store)
        expected = store.view("results")
        for write in (True, False):
            again = SqlStore(url)
            again.open(write)
            assert again.view("results") == expected
            again.close()

    def test_views_are_ordered(self, store: SqlStore, mine: Claim) -> None:
        cells = [cell(level=float(level)) for level in (10, 95, 50)]
        store.register(cells, mine.run)
        store.claim([c.key for c in cells], mine)
        for done in reversed(cells):
            store.finish(done.key, mine, Totals(4, 0), [metric("b", 1.0), metric("a", 2.0)])
        found = [(r["level"], r["metric"]) for r in rows_of(store.view("results"))]
        assert found == [(level, name) for level in (10.0, 95.0, 50.0) for name in ("b", "a")]
        ids = [r["level"] for r in rows_of(store.view("curves"))]
        assert sum(a != b for a, b in pairwise(ids)) == 2

    def test_an_experiment_is_computed_again_beside_its_record(self, store: SqlStore, mine: Claim) -> None:
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
        assert begun == store.begin_again([none.key, jpeg.key]), "what was interrupted is continued"
        assert not set(begun.values()) & set(begun)
        assert store.supersede(list(begun)) == {}, "nothing is finished"
        store.claim(list(begun.values()), mine)
        again = begun[jpeg.key]
        store.write([row(again, index, bits=77) for index in range(3)], mine)
        store.add_stages(again, mine.run, {"wall": 9.0})
        with pytest.raises(StoreError, match=r"computed again by .* at this time"):
            store.begin_again([jpeg.key])
        assert {name: rows_of(store.view(name)) for name in before} == before, "views have the record of before"
        assert [e.key for e in store.experiments()] == [none.key, jpeg.key, other.key]
        store.finish(again, mine, Totals(3, 0, 231, 300, 0.77), [metric("AP", 0.375), metric("AP50", 0.7)])
        assert {name: rows_of(store.view(name)) for name in before} == before
        records = store.supersede(list(begun))
        assert set(records) == {jpeg.key}, "the baseline is not finished"
        record = records[jpeg.key]
        assert store.supersede(list(begun)) == {}
        now = {name: rows_of(store.view(name)) for name in before}
        assert [r for r in now["results"] if r["experiment"] == none.key] == before["results"][:2]
        found = {r["metric"]: r for r in now["results"] if r["experiment"] == jpeg.key}
        assert {name: r["value"] for name, r in found.items()} == {"AP": 0.375, "AP50": 0.7}
        assert (found["AP"]["bpp"], found["AP"]["samples"], found["AP"]["cell"]) == (0.77, 3, jpeg.cell)
        assert {r["sample"] for r in now["per_sample"] if r["experiment"] == jpeg.key} == {"img0", "img1", "img2"}
        assert [r["wall_seconds"] for r in now["profile"]] == [9.0]
        old = {r["metric"]: r for r in rows_of(store.view("superseded"))}
        assert set(old) == {"AP", "AP50", "AP_large"}
        (first,) = (r for r in before["results"] if r["experiment"] == jpeg.key and r["metric"] == "AP")
        assert {name: value for name, value in old["AP"].items() if name in first} == {
            name: value for name, value in first.items() if name in old["AP"]
        }
        assert (old["AP"]["experiment"], old["AP"]["record"]) == (jpeg.key, record)
        assert old["AP"]["superseded_at"] >= old["AP"]["finished_at"]
        assert [c.other for c in store.comparisons(record)] == [none.key]
        assert store.comparisons(jpeg.key) == [], "its drop is of the record of before"
        assert store.uncompared([jpeg.key, other.key]) == {jpeg.key}
        assert store.identities([record]) == {record: jpeg.identity}

    def test_drops_against_a_superseded_baseline_are_forgotten(self, store: SqlStore, mine: Claim) -> None:
        none, jpeg = put_results(store)
        begun = store.begin_again([none.key])
        store.claim(list(begun.values()), mine)
        store.finish(begun[none.key], mine, Totals(4, 0), [metric("AP", 0.5)])
        records = store.supersede([none.key])
        assert store.comparisons(jpeg.key) == []
        assert store.uncompared([jpeg.key]) == {jpeg.key}
        assert rows_of(store.view("curves"))[0]["experiment"] in (none.key, jpeg.key)
        second = store.begin_again([none.key])
        store.claim(list(second.values()), mine)
        store.finish(second[none.key], mine, Totals(4, 0), [metric("AP", 0.5)])
        assert store.supersede([none.key]).keys() == records.keys()
        assert {r["experiment"] for r in rows_of(store.view("superseded"))} == {none.key}

    def test_only_finished_experiments_are_computed_again(self, store: SqlStore, mine: Claim) -> None:
        none, _ = put_results(store)
        new = cell(level=10.0)
        store.register([new], mine.run)
        for key in (new.key, "unknown"):
            with pytest.raises(StoreError, match="is not finished, so it cannot be computed again"):
                store.begin_again([none.key, key])
        assert store.begin_again([]) == {}

    def test_what_was_written_is_sound_and_what_was_altered_is_found(self, store: SqlStore, mine: Claim) -> None:
        put_results(store)
        one = cell(level=10.0)
        store.register([one], mine.run)
        store.claim([one.key], mine)
        store.write([row(one.key, 0), row(one.key, 1)], mine)
        store.release([one.key], mine, "interrupted")
        store.add_stages(one.key, mine.run, {"read": 1.5})
        store.add_places([Placed(one.key, mine.run, "process 1", "cpu", 2)])
        assert list(store.check()) == []
        for sql in (
            "UPDATE metrics SET is_primary = NOT is_primary WHERE metric = 'AP50'",
            "UPDATE samples SET score = 0.25",
            "UPDATE stages SET seconds = 2",
            "UPDATE places SET device = 'cuda:0'",
        ):
            with store._database.writing() as connection:
                connection.exec_driver_sql(sql)
        found = list(store.check())
        assert len(found) == 5  # two experiments with this metric, one with samples, a row of stages and one of places
        assert sum("its metrics or its samples are not as they were written" in text for text in found) == 3
