"""Experiments, samples and metrics to put into a store."""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.experiment import Experiment, key_of
from harness.keep.processes import this_process
from harness.records import Claim, Comparison, MetricValue, RunInfo, SampleRow, Totals
from harness.store import Store

__all__ = ["INFO", "NONE_KEY", "cell", "failed", "metric", "put_results", "row", "rows_of"]

INFO = RunInfo("harness run --codec jpeg", "here", "cpu", {"codec-harness": "0.1"}, None, {"workers": 2})

NONE_KEY = key_of({"codec": {"name": "none"}, "task": {"name": "detection"}})


def cell(codec: str = "jpeg", level: float | None = 50.0, **changes: Any) -> Experiment:
    """An experiment whose baseline is `cell("none", None)`."""
    coded = {"name": codec} | ({} if level is None else {"level": level})
    identity = {"codec": coded, "task": {"name": changes.get("task", "detection")}}
    identity |= {name: repr(value) for name, value in changes.items() if name not in ("task", "baseline")}
    made = Experiment(
        key=key_of(identity),
        identity=identity,
        codec=codec,
        codec_options={},
        level=level,
        level_name=None if level is None else "quality",
        intra=False,
        task="detection",
        model="rcnn",
        weights="w1",
        dataset="streets",
        split="test",
        samples=4,
        baseline=None if codec == "none" else NONE_KEY,
    )
    return dataclasses.replace(made, **changes)


def row(key: str, index: int, **changes: Any) -> SampleRow:
    """A sample that went well, with one scored frame."""
    import numpy as np

    made = SampleRow(
        key=key,
        index=index,
        id=f"img{index}",
        group=f"drive{index // 2}",
        status="ok",
        bits=1001 + index,
        pixels=100,
        frames=1 + index,
        squared_error=300,
        encode_ms=1.5,
        decode_ms=0.5,
        seconds=0.25,
        score=0.5,
        statistics=[{"hits": np.array([index, 2]), "scores": np.array([[0.25]])}],
    )
    return dataclasses.replace(made, **changes)


def failed(key: str, index: int) -> SampleRow:
    """A sample that failed."""
    return SampleRow(key=key, index=index, id=f"img{index}", group="drive0", status="failed", error="cut short")


def metric(name: str, value: float | None, low: float | None = None, high: float | None = None) -> MetricValue:
    """A metric; the one named AP is the primary one."""
    return MetricValue(name, value, low, high, 4, name == "AP", True, "", None if value is not None else "no objects")


def rows_of(found: tuple[list[str], list[tuple[Any, ...]]]) -> list[dict[str, Any]]:
    """The rows of a view as dictionaries."""
    columns, rows = found
    return [dict(zip(columns, values, strict=True)) for values in rows]


def put_results(store: Store) -> tuple[Experiment, Experiment]:
    """A baseline and a JPEG cell with made-up, consistent numbers."""
    none, jpeg = cell("none", None), cell()
    run = store.begin_run(INFO)
    claim = Claim(this_process(), run)
    store.register([none, jpeg], run)
    store.claim([none.key, jpeg.key], claim)
    store.finish(
        none.key, claim, Totals(4, 0, 9600, 400, 24.0, 24.0), [metric("AP", 0.5, 0.4, 0.6), metric("AP50", 0.8)]
    )
    store.finish(
        jpeg.key,
        claim,
        Totals(4, 0, 801, 400, 2.0, 2.1, None, 31.5, 8.0, 1.5, 0.5, 1.0, 2, "by hand", 1000, 7, 5),
        [metric("AP", 0.4, 0.3, 0.5), metric("AP50", 0.7), metric("AP_large", None)],
    )
    store.compare([Comparison(jpeg.key, none.key, "AP", "drop", 0.1, 0.05, 0.15, 4)])
    store.end_run(run, "finished")
    return none, jpeg
