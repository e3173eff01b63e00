"""What a store promises of trainings, seeds and samples in its views."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from harness.experiment import Training
from harness.records import Checkpoint, Comparison, Totals
from harness.store import Filters
from harness.testing.stores.trial import Near, StoreTrial
from harness.testing.tools.store_rows import NONE_KEY, cell, failed, metric, put_results, row, rows_of

__all__ = ["TrainingViewPromises"]


class TrainingViewPromises(StoreTrial):
    """Views of trainings, of seeds and of samples."""

    def test_experiments_that_differ_in_anything_can_be_told_apart(self) -> None:
        """Experiments that differ in anything can be told apart."""
        store = self.store
        mine = self.mine
        cells = [cell(), cell(samples=2), cell(precision="bf16"), cell(batch=8), cell(compiled=True)]
        store.register(cells, mine.run)
        store.claim([one.key for one in cells], mine)
        for one in cells:
            store.finish(one.key, mine, Totals(2, 0, bpp=2.0), [metric("AP", 0.4)])
        for view in ("results", "curves"):
            names = ("planned_samples", "precision", "batch", "compiled")
            found = [tuple(r[name] for name in names) for r in rows_of(store.view(view))]
            expected = [(4, "fp32", 1, False), (2, "fp32", 1, False), (4, "bf16", 1, False), (4, "fp32", 8, False)]
            self.same(found, [*expected, (4, "fp32", 1, True)])
        self.same([one.compiled for one in store.experiments()], [False] * 4 + [True])

    def test_recovery_sets_pretrained_retrained_and_clean_side_by_side(self) -> None:
        """Recovery sets pretrained retrained and clean side by side."""
        store = self.store
        mine = self.mine
        put_results(store)
        (alone,) = rows_of(store.view("recovery", Filters({"metric": ["AP"]})))
        shown = ("baseline", "pretrained", "retrained", "clean", "recovery")
        self.same([alone[name] for name in shown], [0.5, 0.4, None, None, None])
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
        self.same([both[name] for name in shown], [0.5, 0.4, 0.48, 0.43, 0.8])
        self.same((both["train_mode"], both["retrained_experiment"]), ("level", matched.key))
        self.same((both["clean_experiment"], both["retrained_on_none"]), (clean.key, 0.49))
        self.holds(both["cost_on_none"] is None)
        store.compare([Comparison(unpacked.key, NONE_KEY, "AP", "drop", 0.01, -0.02, 0.03, 4)])
        (both,) = rows_of(store.view("recovery", Filters({"metric": ["AP"]})))
        cost = ("cost_on_none", "cost_on_none_ci_low", "cost_on_none_ci_high")
        self.same([both[name] for name in cost], [0.01, -0.02, 0.03])

    def test_seeds_of_a_training_are_averaged(self) -> None:
        """Seeds of a training are averaged."""
        store = self.store
        mine = self.mine
        _, jpeg = put_results(store)
        taught = ("retrained", "jpeg", 50.0, "level", None)
        trainings = [Training(*taught, seed, f"c{seed}", "k", "s") for seed in range(3)]
        other = Training(*taught, 0, "o0", "k", "other recipe")
        cells = [cell(training=training) for training in (*trainings, other)]
        store.register(cells, mine.run)
        store.claim([one.key for one in cells], mine)
        values, gains = ((0.41, 0.44, 0.47), (0.01, 0.04, 0.07))
        for one, value, gain in zip(cells, (*values, 0.9), (*gains, 0.5), strict=True):
            store.finish(one.key, mine, Totals(4, 0, bpp=2.0), [metric("AP", value), metric("AP_large", None)])
            store.compare([Comparison(one.key, jpeg.key, "AP", "gain", gain, None, None, 4)])
        store.compare([Comparison(cells[0].key, jpeg.key, "AP", "recovery", 0.1, 0.0, 0.2, 4)])
        found = {(r["series"], r["metric"]): r for r in rows_of(store.view("seeds"))}
        self.same(set(found), {("s", "AP"), ("s", "AP_large"), ("other recipe", "AP"), ("other recipe", "AP_large")})
        three = found["s", "AP"]
        half = 4.30265273 * 0.03 / 3**0.5
        self.same((three["seeds"], three["mean"], three["sd"]), (3, Near(0.44), Near(0.03)))
        self.same((three["ci_low"], three["ci_high"]), (Near(0.44 - half), Near(0.44 + half)))
        self.same((three["gain"], three["gain_ci_high"]), (Near(0.04), Near(0.04 + half)))
        self.same((three["recovery"], three["recovery_sd"], three["net_recovery"]), (None, None, None))
        self.same([found["s", "AP_large"][name] for name in ("seeds", "mean", "sd")], [3, None, None])
        self.same(found["s", "AP_large"]["reason"], "the metric is not defined for every seed")
        alone = found["other recipe", "AP"]
        shown = ("seeds", "mean", "sd", "ci_low", "ci_high", "reason")
        self.same([alone[name] for name in shown], [1, 0.9, None, None, None, "one seed has no spread"])

    def test_seeds_stay_together_when_a_file_was_renamed(self) -> None:
        """Seeds stay together when a file was renamed."""
        store = self.store
        mine = self.mine
        put_results(store)
        taught = ("retrained", "jpeg", 50.0, "level", None)
        cells = [cell(training=Training(*taught, seed, f"c{seed}", "k", "s")) for seed in range(3)]
        cells[2] = dataclasses.replace(cells[2], weights="w1-moved", dataset="roads", model="file.py")
        store.register(cells, mine.run)
        store.claim([one.key for one in cells], mine)
        for one, value in zip(cells, (0.41, 0.44, 0.47), strict=True):
            store.finish(one.key, mine, Totals(4, 0, bpp=2.0), [metric("AP", value)])
        (three,) = rows_of(store.view("seeds"))
        self.same((three["seeds"], three["mean"], three["sd"]), (3, Near(0.44), Near(0.03)))
        self.same((three["model"], three["weights"], three["dataset"]), ("file.py", "w1", "roads"))
        self.same(three["series"], "s")

    def test_drops_from_the_ladders_top(self) -> None:
        """Drops from the ladder's top."""
        store = self.store
        mine = self.mine
        put_results(store)
        strong, top = (cell(level=5.0), cell(level=95.0))
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

        self.same(told(NONE_KEY), [None] * 4)
        self.same(told(top.key), [95.0, 0.48, 0.0, 0.0])
        self.same(told(cell().key), [95.0, 0.48, Near(0.08), Near(0.08 / 0.48)])
        self.same(told(taught.key), [95.0, 0.48, Near(0.12), Near(0.25)])
        self.same(told(strong.key, "error")[2:], [Near(-0.38), Near(-0.38 / 0.48)])

    def test_a_checkpoint_is_recorded_and_replaced(self) -> None:
        """A checkpoint is recorded and replaced."""
        store = self.store
        mine = self.mine
        made = Checkpoint("k", {"seed": 0}, "/weights", "ab", 10, 3, None, "iteration,part,loss,value\n")
        store.keep_checkpoint(made, mine.run)
        store.keep_checkpoint(dataclasses.replace(made, sha256="cd"), mine.run)
        self.same(store.checkpoints(["k", "unknown"]), {"k": dataclasses.replace(made, sha256="cd")})

    def test_per_sample(self) -> None:
        """Per sample."""
        store = self.store
        mine = self.mine
        key = cell().key
        store.register([cell()], mine.run)
        store.claim([key], mine)
        store.write([row(key, 0), failed(key, 1), row(key, 2, squared_error=0)], mine)
        found = rows_of(store.view("per_sample", Filters({"experiment": [key]})))
        first = {"experiment": key, "sample": "img0", "group": "drive0", "bytes": 126, "pixels": 100, "seconds": 0.25}
        self.same(found[0].pop("psnr"), Near(10 * np.log10(255**2)))
        self.same(found[0], {**first, "status": "ok", "error": None, "score": 0.5})
        self.same(
            [found[1][name] for name in ("bytes", "psnr", "status", "error")], [None, None, "failed", "cut short"]
        )
        self.holds(found[2]["psnr"] is None)

    def test_an_image_coded_as_video_is_labelled(self) -> None:
        """An image coded as video is labelled."""
        store = self.store
        mine = self.mine
        video = cell("h264", 23.0, intra=True, codec_options={"preset": "fast"})
        store.register([video], mine.run)
        store.claim([video.key], mine)
        (found,) = rows_of(store.view("results"))
        self.same(found["codec_options"], '{"intra":true,"preset":"fast"}')
