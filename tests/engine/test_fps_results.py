"""`fps=` in whole runs: drops that do not depend on which frames are judged, pairs, pictures, refusals, costs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.decide.cost import Camera, cost_of
from harness.discovery.plugins import installed
from harness.discovery.stores import open_store
from harness.planning.recorded_task import task_of
from harness.results.cells import ResultCell, read_cells
from harness.results.resampled import RATE, Resampler
from harness.store import Filters, Store
from kit.command import Session

FPS = (12.5, 6.25, 5)
EVERY = (4, 5, 10)
REFERENCE = ("--reference", "predictions", "--resamples", "200")


def write_pan(path: Path, first: int, frames: int) -> None:
    """Write a video of 25 frames a second, 256x192, without loss: a camera that pans over six scenes of the demo."""
    import av

    from harness_plugins.demo_world.dataset import DemoWorld

    data = DemoWorld("detection", "test")
    data.open()
    scenes = [data[first + number].frames[0] for number in range(6)]
    wall = np.concatenate([np.concatenate(scenes[row : row + 3], axis=1) for row in (0, 3)])
    height, width = scenes[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "bgr0"
        for number in range(frames):
            left = round((wall.shape[1] - width) * (0.5 - 0.5 * math.cos(number / 28)))
            top = round((wall.shape[0] - height) * (0.5 - 0.5 * math.cos(number / 45)))
            picture = np.ascontiguousarray(wall[top : top + height, left : left + width])
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="bgr0")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    """Two videos of 240 frames: eight segments of 30 frames each; three rates, and every 4th, 5th and 10th frame."""
    folder = tmp_path_factory.mktemp("fps")
    (folder / "pans").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(cache))
        for number in range(2):
            write_pan(folder / "pans" / f"pan{number}.mkv", 6 * number, 240)
    session = Session(folder, cache)
    codecs = [text for fps in FPS for text in ("--codec", f"none:fps={fps:g}")]
    datasets = [text for every in EVERY for text in ("--dataset", f"pans:every={every}")]
    session.run("run", *codecs, "--task", "detection", *datasets, *REFERENCE)
    return session


@pytest.fixture
def store(session: Session) -> Iterator[Store]:
    opened = open_store(str(session.database), installed(), write=False)
    yield opened
    opened.close()


def cells_of(store: Store, every: int) -> dict[float | None, ResultCell]:
    """The experiments on every n-th frame, by the rate; None for uncompressed frames."""
    cells = read_cells(store, Filters({"dataset": [dataset_name(every)]}))
    return {cell.options.get("fps"): cell for cell in cells}


def dataset_name(every: int) -> str:
    return "pans" if every == 10 else f"pans:every={every}"  # 10 is the default


def test_drops_at_one_rate_agree_whichever_frames_are_judged(store: Store) -> None:
    """With the first frame of every clip sent, every 5th frame at 5 of 25 a second had lost nothing."""
    for fps in FPS:
        drops = {every: cells_of(store, every)[fps].metrics["agreement AP"].drop for every in EVERY}
        ends = [(drop.value, drop.low, drop.high) for drop in drops.values()]
        assert all(None not in end for end in ends)
        for value, low, high in ends:
            assert 0.03 < low <= value, "frames that were dropped are missed"
            for other, other_low, other_high in ends:
                apart = math.hypot((high - low) / 2, (other_high - other_low) / 2)
                assert abs(value - other) <= apart, (fps, drops)


def test_fewer_frames_lose_more_and_cost_less(store: Store) -> None:
    for every in EVERY:
        cells = cells_of(store, every)
        drops = [cells[fps].metrics["agreement AP"].drop.value for fps in FPS]
        assert drops == sorted(drops)
        for fps in FPS:
            # Of 16 segments of 30 frames at 25 a second, spread evenly over the phases.
            assert cells[fps].facts["bpp"] == pytest.approx(24 * fps / 25, rel=0.02)
            assert cells[fps].facts["kbps"] == pytest.approx(24 * 256 * 192 * fps / 1000, rel=0.02)


@pytest.mark.parametrize("every", EVERY)
def test_a_drop_is_that_of_the_frames_that_both_judged(session: Session, store: Store, every: int) -> None:
    cells = cells_of(store, every)
    base = cells[None].facts["experiment"]
    whole = {sample.index: sample.statistics for sample in store.statistics(base)}
    scored = [frame for frame in range(30) if frame % every == 0]
    assert {len(frames) for frames in whole.values()} == {len(scored)}
    identity = store.identities([base])[base]
    task = task_of(identity, store.classes([base])[base], installed())
    for fps in FPS:
        key = cells[fps].facts["experiment"]
        some = {sample.index: sample.statistics for sample in store.statistics(key)}
        judged = [frame for frame in scored if frame >= math.ceil(25 / fps) - 1]
        assert {len(frames) for frames in some.values()} == {len(judged)}
        assert len(judged) < len(scored), "frame 0 is not judged"
        own = task.reduce([frame for index in sorted(some) for frame in some[index]])
        other = task.reduce([frame for index in sorted(whole) for frame in whole[index][-len(judged) :]])
        for metric in ("agreement AP", "agreement AP50"):
            expected = float(other[metric][0] - own[metric][0])
            assert cells[fps].metrics[metric].drop.value == pytest.approx(expected, abs=1e-12)
        counts = session.select(f"select distinct n from comparisons where experiment = '{key}'")
        assert counts == [(16,)]


def test_decisions_pair_the_frames_that_all_judged(store: Store) -> None:
    cells = cells_of(store, 5)
    keys = [cell.facts["experiment"] for cell in cells.values()]
    identities = store.identities(keys)
    resampler = Resampler(dict.fromkeys(keys, store), identities, installed(), 200, 0)
    for fps in FPS:
        own, base, rate = resampler.together(
            [([cells[fps]], "agreement AP"), ([cells[None]], "agreement AP"), ([cells[fps]], RATE)]
        )
        assert own.replicates.source == base.replicates.source == rate.replicates.source
        assert own.samples == 16
        drop = cells[fps].metrics["agreement AP"].drop
        assert base.value - own.value == pytest.approx(drop.value)
        assert rate.value == pytest.approx(cells[fps].facts["bpp"])
    both = resampler.together([([cells[5]], "agreement AP"), ([cells[12.5]], "agreement AP")])
    assert both[0].replicates.source == both[1].replicates.source


def test_what_is_kept_counts_the_judged_frames(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone, an experiment is answered from what is kept; beside one that judged fewer frames, from its statistics."""
    cells = cells_of(store, 5)
    keys = [cell.facts["experiment"] for cell in cells.values()]
    identities = store.identities(keys)

    def answers() -> list[Any]:
        draws = Resampler(dict.fromkeys(keys, store), identities, installed(), 200, 0, warn=pytest.fail)
        asked = [[cells[5]], [cells[12.5], cells[5]], [cells[None], cells[12.5]], [cells[None]]]
        found = [draws.together([([one], name) for one in some for name in ("agreement AP", RATE)]) for some in asked]
        return [
            (one.value, one.samples, one.groups, one.replicates.source, one.replicates.resampled[one.metric].tobytes())
            for some in found
            for one in some
        ]

    from_kept = answers()
    monkeypatch.setattr(type(store), "resamples", Store.resamples)
    assert answers() == from_kept


def test_every_stands_in_results(session: Session) -> None:
    names = {row[0] for row in session.select("select distinct dataset from results")}
    assert names == {dataset_name(every) for every in EVERY}
    told = session.run("results").stdout
    assert "pans:every=4/all" in told
    assert "fps=: the frames of a clip's first period are not judged" in told
    for table in (
        session.run("results", "--format", "json"),
        session.run("results", "sql", "select * from results", "--format", "json"),
    ):
        rows = [(row["dataset"], json.loads(row["dataset_options"])["every"]) for row in json.loads(table.stdout)]
        assert set(rows) == {(dataset_name(every), every) for every in EVERY}, "the default too"


def test_a_picture_shows_the_frames_of_the_run(session: Session) -> None:
    """The recorded score comes out again, at a phase other than 0; the frame is the first that is judged."""
    shown = session.run(
        *("results", "show", "--task", "detection", "--codec", "none:fps=5", "--dataset", "pans:every=4"),
        *("--sample", "1", "--sample", "2", "--sample", "9", "--output", "panel.png"),
    )
    assert "3 samples" in shown.stdout
    assert "warning" not in shown.stderr
    assert (session.folder / "panel.png").stat().st_size > 1000


def test_a_rate_that_leaves_nothing_to_judge_is_refused_before_the_run(session: Session) -> None:
    short = ("--task", "detection", "--dataset", "pans:frames=8,every=8", *REFERENCE)
    told = session.run("run", "--codec", "none:fps=5", *short, status=2).stderr
    assert "codec none on dataset pans:every=8,frames=8: with fps=5 of 25 frames a second, the first 4 frames" in told
    assert "pan0.mkv#0 has no scored frame after them (it has 0). Ask for a higher fps=" in told


def test_a_clip_is_judged_as_a_whole(session: Session, cache: Path) -> None:
    """The target of an action is at frame 0, and belongs to all frames: every clip counts."""
    session.run("run", "--codec", "none:fps=5", "--task", "action", "--limit", "3")
    rows = session.select(
        "select m.n, c.n from experiments e join metrics m on m.experiment = e.key join comparisons c on "
        "c.experiment = e.key and c.metric = m.metric where e.task = 'action' and m.metric = 'fusion_top1'"
    )
    assert rows == [(3, 3)]


def test_the_camera_that_was_tested_sends_what_was_measured(tmp_path: Path, session: Session, cache: Path) -> None:
    """For codecs with `fps=` and levels in kbit/s too. A camera of other frames: in proportion, or refused."""
    filmed = Session(tmp_path, cache)
    codecs = ("h264@30", "h264:fps=5@30", "h264:rate=abr@200", "h264:rate=cbr,fps=12.5@200")
    pans = str(session.folder / "pans")
    chosen = [text for codec in codecs for text in ("--codec", codec)]
    filmed.run("run", *chosen, "--task", "detection", "--dataset", pans, "--limit", "4", *REFERENCE)

    def asked(*camera: str) -> dict[str, dict[str, Any]]:
        told = filmed.run("recommend", "--max-drop", "0.99", *camera, "--json", status=None).stdout
        (case,) = json.loads(told)
        return {one["codec"]: (one["chosen"] or one["next"])["cost"] for one in case["recommendations"]}

    measured = asked()
    assert len(measured) == 4
    same = asked("--fps", "25", "--resolution", "256x192")
    larger = asked("--fps", "25", "--resolution", "512x384")
    faster = asked("--fps", "50", "--resolution", "256x192")
    slower = asked("--fps", "10", "--resolution", "256x192")
    for codec, cost in measured.items():
        assert same[codec]["kbps"] == pytest.approx(cost["kbps"], rel=1e-6), codec
        assert larger[codec]["kbps"] == pytest.approx(4 * cost["kbps"], rel=1e-6), codec
        sends_all = "fps=" not in codec
        assert faster[codec]["kbps"] == pytest.approx((2 if sends_all else 1) * cost["kbps"], rel=1e-6), codec
        level = (
            {"same": 200, "larger": 800, "faster": 400 if sends_all else 200}
            if "rate=abr" in codec or "rate=cbr" in codec
            else {}
        )
        for name, costs in (("same", same), ("larger", larger), ("faster", faster)):
            assert costs[codec]["camera_level"] == (pytest.approx(level[name]) if level else None), (codec, name)
            assert "on frames of 49,152" in costs[codec]["assumed"]
        if "fps=12.5" in codec:
            assert slower[codec]["kbps"] is None
            assert (
                "fps=12.5 sends 12.5 frames/s, and a camera of 10 frames/s has not that many"
                in slower[codec]["assumed"]
            )
        else:
            assert slower[codec]["kbps"] == pytest.approx((0.4 if sends_all else 1) * cost["kbps"], rel=1e-6)
    table = filmed.run("recommend", "--max-drop", "0.99", "--fps", "25", "--resolution", "512x384", status=None).stdout
    if "kbps 200" in table:
        assert "kbps 200 (camera: 800)" in table


def test_a_level_in_kbits_without_the_tested_size_is_said_to_be_as_tested() -> None:
    """Results of 0.1.0 do not have the number of frames, so nobody knows the size of one."""
    facts = {
        **{"level": 200.0, "level_name": "kbps", "bpp": 0.2, "source_bpp": None, "kbps": 190.0, "samples": 4},
        **{"psnr": 30.0, "bytes": 1000, "experiment": "e", "codec": "h264", "training": "pretrained"},
        **{"codec_options": json.dumps({"fps": 5.0}), "frame_pixels": None},
    }
    cell = ResultCell(facts, {})
    cost = cost_of(cell, cell, Camera.parse(25, "1920x1080"))
    assert (cost.kbps, cost.camera_level) == (None, None)
    assert "the database does not have the size of the tested frames (a result of 0.1.0; run it again)" in cost.assumed
    plain = ResultCell({**facts, "codec_options": "{}"}, {})
    scaled = cost_of(plain, plain, Camera.parse(25, "1920x1080"))
    assert scaled.kbps == pytest.approx(0.2 * 1920 * 1080 * 25 / 1000)
    assert scaled.camera_level == pytest.approx(200 * scaled.kbps / 190)
