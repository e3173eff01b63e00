"""Experiments of one codec, as the results hold them."""

from __future__ import annotations

from typing import Any

from harness.results.cells import MeasuredMetric, ResultCell
from harness.statistics.estimate import Estimate

__all__ = ["cell"]


def cell(level: float | None, **facts: Any) -> ResultCell:
    """An experiment of jpeg; `trained` is the level of a model that was retrained at one."""
    trained = facts.pop("trained", None)
    mode = "level" if trained is not None else facts.pop("mode", None)
    row = {
        **dict.fromkeys(("model", "weights", "dataset", "split", "reference", "precision", "train_level", "parts"), ""),
        **{"task": "detection", "codec": "jpeg", "codec_options": "{}", "level": level, "level_name": "quality"},
        **{"status": "finished", "bpp": level, "seed": 0, "run": 1, "finished_at": "2026-01-01", "cell": f"c{level}"},
        **{
            "planned_samples": 4,
            "batch": 1,
            "compiled": False,
            "train_mode": mode,
            "train_codec": None,
            "series": None,
            "parts": None,
        },
        **{"training": "retrained" if mode else "pretrained", "train_level": trained},
        **facts,
    }
    if level is None:
        row["codec"] = "none"
    if trained is not None:
        row |= {"train_codec": "jpeg", "series": facts.get("series", f"at {trained}")}
    row["experiment"] = str(sorted((name, str(value)) for name, value in row.items()))
    return ResultCell(row, {"AP": MeasuredMetric(Estimate(0.5), True, True)}, subject="same", ladder="jpeg")
