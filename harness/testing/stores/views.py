"""What a store promises of results and their views."""

from __future__ import annotations

from itertools import pairwise

from harness.records import Comparison, Totals
from harness.store import Filters
from harness.testing.stores.trial import Near, StoreTrial
from harness.testing.tools.store_rows import cell, metric, put_results, rows_of

__all__ = ["ViewPromises"]


class ViewPromises(StoreTrial):
    """Results, curves, filters and queries."""

    def test_a_baseline_that_comes_later_is_filled_in(self) -> None:
        """A baseline that comes later is filled in."""
        store = self.store
        mine = self.mine
        store.register([cell(baseline=None)], mine.run)
        store.claim([cell().key], mine)
        store.finish(cell().key, mine, Totals(4, 0, bpp=2.0), [metric("AP", 0.4)])
        (alone,) = rows_of(store.view("curves"))
        self.same((alone["baseline"], alone["drop"], alone["relative_drop"]), (None, None, None))
        none = cell("none", None)
        store.register([none, cell()], mine.run)
        store.claim([none.key], mine)
        store.finish(none.key, mine, Totals(4, 0, bpp=24.0), [metric("AP", 0.5)])
        self.same(rows_of(store.view("curves", Filters({"codec": ["jpeg"]})))[0]["baseline"], 0.5)

    def test_results(self) -> None:
        """Results."""
        store = self.store
        _, jpeg = put_results(store)
        found = rows_of(store.view("results"))
        self.same(
            [(r["codec"], r["metric"]) for r in found],
            [("none", "AP"), ("none", "AP50"), ("jpeg", "AP"), ("jpeg", "AP50"), ("jpeg", "AP_large")],
        )
        self.holds(found[0].items() >= {"level": None, "bpp": 24.0, "psnr": None, "is_primary": True}.items())
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
        self.holds(found[2].pop("finished_at").endswith("Z"))
        self.same(found[2], expected)
        self.holds(found[4]["value"] is None)

    def test_curves(self) -> None:
        """Curves."""
        store = self.store
        put_results(store)
        found = {(r["codec"], r["metric"]): r for r in rows_of(store.view("curves"))}
        names = ("value", "baseline", "drop", "drop_ci_low", "drop_ci_high", "relative_drop")
        self.same([found["jpeg", "AP"][n] for n in names], [0.4, 0.5, 0.1, 0.05, 0.15, Near(0.2)])
        self.same([found["none", "AP"][n] for n in names], [0.5, 0.5, 0.0, 0.0, 0.0, 0.0])
        self.same([found["jpeg", "AP50"][n] for n in names], [0.7, 0.8, None, None, None, None])
        self.same([found["jpeg", "AP_large"][n] for n in names], [None] * 6)
        rates = ("level", "bpp", "compression_ratio", "source_bpp")
        self.same([found["jpeg", "AP"][n] for n in rates], [50.0, 2.0, 12.0, 8.0])
        self.same([found["none", "AP"][n] for n in rates], [None, 24.0, 1.0, None])

    def test_none_behind_a_lever_is_no_baseline(self) -> None:
        """None behind a lever is no baseline."""
        store = self.store
        mine = self.mine
        small = cell("none", None, codec_options={"scale": 0.25}, baseline=None)
        store.register([small], mine.run)
        store.claim([small.key], mine)
        self.holds(rows_of(store.view("results"))[0]["bpp"] is None)
        store.finish(small.key, mine, Totals(4, 0, bpp=1.5), [metric("AP", 0.2)])
        (found,) = rows_of(store.view("curves"))
        names = ("value", "baseline", "drop", "drop_ci_low", "drop_ci_high", "relative_drop", "bpp")
        self.same([found[n] for n in names], [0.2, None, None, None, None, None, 1.5])

    def test_a_comparison_replaces_the_older_one(self) -> None:
        """A comparison replaces the older one."""
        store = self.store
        none, jpeg = put_results(store)
        store.compare([Comparison(jpeg.key, none.key, "AP", "drop", 0.2, 0.1, 0.3, 4)])
        store.compare([Comparison(jpeg.key, none.key, "AP", "other kind", 9.0, None, None, 4)])
        (found,) = rows_of(store.view("curves", Filters({"codec": ["jpeg"], "metric": ["AP"]})))
        self.same((found["drop"], found["drop_ci_low"]), (0.2, 0.1))

    def test_comparisons_of_an_experiment(self) -> None:
        """Comparisons of an experiment."""
        store = self.store
        none, jpeg = put_results(store)
        gain = Comparison(jpeg.key, none.key, "AP", "gain", 0.2, 0.1, 0.3, 4)
        store.compare([gain])
        self.holds(gain in store.comparisons(jpeg.key))
        self.same(store.comparisons(none.key), [])

    def test_filters(self) -> None:
        """Filters."""
        store = self.store
        put_results(store)
        self.same(len(store.view("results", Filters({"codec": ["jpeg"], "metric": ["AP", "AP50"]}))[1]), 2)
        self.same(len(store.view("results", Filters({"level": [None, 50.0]}))[1]), 5)
        self.same(len(store.view("results", Filters({"level": [None]}))[1]), 2)
        self.same(store.view("results", Filters({"status": ["failed"]}))[1], [])
        with self.refused("no column 'colour'"):
            store.view("results", Filters({"colour": ["red"]}))
        with self.refused("no view 'samples'"):
            store.view("samples")

    def test_select_reads(self) -> None:
        """Select reads."""
        store = self.store
        put_results(store)
        columns, rows = store.select("SELECT metric, value FROM results WHERE codec = 'jpeg' AND metric = 'AP50'")
        self.same((columns, rows), (["metric", "value"], [("AP50", 0.7)]))

    def test_views_are_ordered(self) -> None:
        """Views are ordered."""
        store = self.store
        mine = self.mine
        cells = [cell(level=float(level)) for level in (10, 95, 50)]
        store.register(cells, mine.run)
        store.claim([c.key for c in cells], mine)
        for done in reversed(cells):
            store.finish(done.key, mine, Totals(4, 0), [metric("b", 1.0), metric("a", 2.0)])
        found = [(r["level"], r["metric"]) for r in rows_of(store.view("results"))]
        self.same(found, [(level, name) for level in (10.0, 95.0, 50.0) for name in ("b", "a")])
        ids = [r["level"] for r in rows_of(store.view("curves"))]
        self.same(sum((a != b for a, b in pairwise(ids))), 2)
