"""`harness plot` draws what the database holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.results.figures.curves import curve_figure
from kit.command import Session


def record(codec: str, level: float | None, bpp: float, value: float | None, **more: Any) -> dict[str, Any]:
    common: dict[str, Any] = {
        "model": "m",
        "dataset": "d",
        "split": "test",
        "task": "detection",
        "metric": "AP",
        "weights": "w",
    }
    common |= {
        "reference": "labels",
        "seed": 0,
        "planned_samples": 9,
        "precision": "fp32",
        "batch": 1,
        "compiled": False,
        "samples": 9,
        "groups": 9,
    }
    common |= dict.fromkeys(("train_codec", "train_level", "train_mode", "parts"))
    ends = {"ci_low": None if value is None else value - 0.1, "ci_high": None if value is None else value + 0.1}
    named = {"codec_options": "{}", "training": "pretrained", "level_name": "quality" if level else None}
    return {"codec": codec, "level": level, "bpp": bpp, "value": value, **common, **ends, **named, **more}


RECORDS = [
    record("none", None, 24.0, 0.8),
    record("jpeg", 10.0, 0.3, 0.3),
    record("jpeg", 95.0, 3.0, 0.75),
    record("jpeg", 5.0, 0.2, None),
    record("webp", 50.0, 0.8, 0.7),
]


@pytest.mark.parametrize("against", ["bpp", "level"])
def test_a_line_a_codec_with_its_points_and_the_baseline(against: str) -> None:
    (axes,) = curve_figure(RECORDS, against).axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert set(lines) == {"jpeg", "webp", "uncompressed"}
    assert list(lines["jpeg"].get_ydata()) == [0.3, 0.75]  # by rising rate, the undefined value left out
    assert list(lines["jpeg"].get_xdata()) == ([0.3, 3.0] if against == "bpp" else [10.0, 95.0])
    assert set(lines["uncompressed"].get_ydata()) == {0.8}
    assert axes.get_ylabel() == "AP"
    assert [type(one).__name__ for one in axes.collections] == ["FillBetweenPolyCollection", "LineCollection"]
    ((low, high),) = [segment[:, 1] for segment in axes.collections[1].get_segments()]  # webp is a single point
    assert (low, high) == pytest.approx((0.6, 0.8))


def test_the_title_says_on_how_many_samples_and_by_what_reference() -> None:
    (axes,) = curve_figure(RECORDS).axes
    assert axes.get_title() == "detection: m on d/test, n = 9 (few)"
    clips = {"reference": "predictions", "samples": 100, "groups": 20, "dataset_options": '{"every": 5}'}
    (axes,) = curve_figure([{**record, **clips} for record in RECORDS]).axes
    assert axes.get_title() == "detection: m on d/test, reference: its own predictions, n = 100 in 20 groups, every=5"


def test_lines_never_look_alike() -> None:
    many = [record("jpeg", q, q / 30, 0.6, weights=f"w{n:02d}") for n in range(28) for q in (10.0, 95.0)]
    (axes,) = curve_figure(many).axes
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.get_lines()}) == 28


def test_a_codec_has_one_colour_and_its_trainings_differ_otherwise() -> None:
    matched = {"training": "retrained", "train_codec": "jpeg", "train_mode": "matched"}
    clean = {"training": "retrained", "train_mode": "clean"}
    more = [record("jpeg", q, q / 30, 0.6, **how) for q in (10.0, 95.0) for how in (matched, clean)]
    (axes,) = curve_figure([*RECORDS, *more]).axes
    jpeg = [line for line in axes.get_lines() if str(line.get_label()).startswith("jpeg")]
    assert len(jpeg) == 3
    assert len({line.get_color() for line in jpeg}) == 1
    assert len({line.get_linestyle() for line in jpeg}) == len({line.get_marker() for line in jpeg}) == 3
    assert [line.get_markerfacecolor() == "white" for line in jpeg] == [
        ", pretrained" not in str(line.get_label()) for line in jpeg
    ]
    (webp,) = [line for line in axes.get_lines() if str(line.get_label()).startswith("webp")]
    assert webp.get_color() != jpeg[0].get_color()


@pytest.mark.parametrize("against", ["bpp", "psnr"])
def test_numbers_at_the_points_do_not_lie_on_each_other(against: str) -> None:
    crowded = [
        record(codec, 10.0 * n, 0.1 * n + shift, 0.3 + 0.05 * n, psnr=25 + n + shift)
        for codec, shift in (("jpeg", 0.0), ("webp", 0.004), ("avif", 0.03))
        for n in range(1, 9)
    ]
    figure = curve_figure(crowded, against)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) > 10
    assert not [1 for n, one in enumerate(boxes) for other in boxes[:n] if one.overlaps(other)]


def test_psnr_can_be_the_axis() -> None:
    records = [{**one, "psnr": None if one["bpp"] is None else 30 + one["bpp"]} for one in RECORDS]
    (axes,) = curve_figure(records, "psnr").axes
    (line,) = [one for one in axes.get_lines() if one.get_label() == "jpeg"]
    assert list(line.get_xdata()) == [30.3, 33.0]
    assert axes.get_xlabel().startswith("PSNR in dB")
    assert {text.get_text() for text in axes.texts} >= {"10", "95"}


def labels(records: list[dict[str, Any]], against: str = "bpp") -> list[str]:
    (axes,) = curve_figure(records, against).axes
    return [str(line.get_label()) for line in axes.get_lines()]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"weights": "other"}, ("w", "other")),
        ({"model": "m:arch=x"}, ("m", "m:arch=x")),
        ({"split": "val"}, ("d/test", "d/val")),
        ({"reference": "predictions"}, ("labels", "predictions")),
        ({"seed": 3}, ("seed 0", "seed 3")),
        ({"planned_samples": 4}, ("samples 9", "samples 4")),
        ({"precision": "bf16"}, ("fp32", "bf16")),
        ({"batch": 8}, ("batch 1", "batch 8")),
        ({"compiled": True}, ("not compiled", "compiled")),
    ],
)
def test_what_differs_has_a_line_and_a_baseline_of_its_own(changes: dict[str, Any], told: tuple[str, str]) -> None:
    found = labels(RECORDS[:3] + [{**r, **changes, "value": 0.5} for r in RECORDS[:3]])
    assert sorted(found) == sorted(f"{codec}, {word}" for codec in ("jpeg", "uncompressed") for word in told)


def test_levers_and_training_make_lines_of_their_own() -> None:
    small = record("none", None, 1.5, 0.4, codec_options='{"scale": 0.25}')
    matched = {"training": "retrained", "train_codec": "jpeg", "train_mode": "matched"}
    trained = [record("jpeg", q, q / 30, 0.6, train_level=q, **matched) for q in (10.0, 95.0)]
    found = labels([*RECORDS, small, *trained])
    assert sorted(found) == sorted(
        [
            *("jpeg, pretrained", "jpeg, matched jpeg", "webp, pretrained"),
            *("none:scale=0.25, pretrained", "uncompressed"),
        ]
    )
    assert "none:scale=0.25, pretrained" not in labels([*RECORDS, small, *trained], "level")  # it has no level


def test_the_command_writes_a_picture_or_says_why_not(tmp_path: Path, cache: Path) -> None:
    session = Session(tmp_path, cache)
    session.run("run", "--codec", "jpeg@50,10", "--task", "detection", "--limit", "2", "--resamples", "100")
    for name, run in (("curve.png", session.run_process), ("curve.svg", session.run)):
        run("plot", "--task", "detection", "-o", name)
        assert (tmp_path / name).stat().st_size > 5000
    assert b"\x89PNG" in (tmp_path / "curve.png").read_bytes()[:8]
    for arguments, message in (
        (("--task", "detection", "-o", "curve.bmp"), ".png, .svg, .pdf"),
        (("--task", "pose", "-o", "curve.png"), "no finished results of task pose"),
        (("--task", "detecton", "-o", "curve.png"), "unknown task 'detecton'. Did you mean 'detection'?"),
        (("--task", "detection", "-c", "jpg", "-o", "curve.png"), "unknown codec 'jpg'. Did you mean 'jpeg'?"),
        (("--task", "detection", "-c", "webp", "-o", "curve.png"), "of codec webp. It has: jpeg, none."),
        (("--task", "detection", "--metric", "Ap50", "-o", "curve.png"), "no such metric 'Ap50' in these results. Did"),
        (("--task", "detection", "--metric", "Ap50", "--kind", "matrix", "-o", "m.png"), "no such metric 'Ap50'"),
        (("--task", "detection", "--kind", "matrix", "--against", "psnr", "-o", "m.png"), "--against is of curves"),
        (("--task", "detection", "--kind", "matrix", "--training", "clean", "-o", "m.png"), "--training is of curves"),
        (("--task", "detection", "--db", "none.db", "-o", "curve.png"), "none.db"),
    ):
        assert message in session.run("plot", *arguments, status=2).stderr
