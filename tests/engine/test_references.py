"""Users without labels: the model's own output on uncompressed frames as the reference, by the real command line."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.discovery.plugins import installed
from harness.statistics.agreement import Agreement
from kit.command import EACH_BATCH, Session, kill_after_rows

TASKS = ("action", "depth", "detection", "pose", "segmentation")


def scenes(count: int, task: str = "detection", kind: str = "demo-world") -> Any:
    dataset = installed().get("dataset", kind)(task=task)
    dataset.open()
    return [dataset[index] for index in range(count)]


def write_video(path: Path, frames: Sequence[np.ndarray], fps: Fraction = Fraction(25, 2), crf: int = 12) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(crf)}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten street scenes and closeups as PNG, in two folders."""
    folder = tmp_path_factory.mktemp("images") / "my pictures"
    for place, sample in enumerate([*scenes(6), *scenes(4, "pose")]):
        target = folder / ("a" if place < 6 else "b") / f"{place:02d}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sample.frames[0]).save(target)
    return folder


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three rendered clips of 16 frames behind each other, as one H.264 file."""
    path = tmp_path_factory.mktemp("video") / "street.mp4"
    write_video(path, [frame for sample in scenes(3, kind="demo-clips") for frame in sample.frames])
    return path


@pytest.fixture
def session(tmp_path: Path, cache: Path) -> Session:
    return Session(tmp_path, cache)


REFERENCE = ("--reference", "predictions", "--quiet", "--resamples", "100")


def test_agreement_of_identical_predictions_is_perfect(session: Session, images: Path, video: Path) -> None:
    for data, tasks in ((images, TASKS[1:]), (video, ("action",))):
        asked = [word for task in tasks for word in ("--task", task)]
        session.run("run", "--codec", "jpeg@2", *asked, "--dataset", str(data), *REFERENCE)
    best = {"action": 1.0, "depth": 0.0, "detection": 1.0, "pose": 1.0, "segmentation": 1.0}
    primary = "SELECT task, metric, value FROM results WHERE is_primary AND codec = "
    names = {}
    for task, metric, value in session.select(primary + "'none'"):
        assert value == best[task], (task, metric)
        names[task] = metric
    assert names == {
        **{"action": "agreement fusion_top1", "depth": "agreement rmse", "detection": "agreement AP"},
        **{"pose": "agreement AP", "segmentation": "agreement mIoU"},
    }
    strong = {task: value for task, _, value in session.select(primary + "'jpeg'")}
    assert all(strong[task] != best[task] for task in TASKS[1:])
    metrics = [metric for (metric,) in session.select("SELECT DISTINCT metric FROM results")]
    assert all(metric.startswith("agreement ") for metric in metrics)
    assert session.select("SELECT DISTINCT reference FROM results") == [("predictions",)]
    # Every measure of the whole is at its best, not the primary one alone: AP75, AR, delta3, accuracy...
    for task, metric, value, up in session.select(
        "SELECT task, metric, value, higher_is_better FROM results WHERE codec = 'none' AND metric NOT LIKE '%[%'"
        " AND metric NOT LIKE '%confidence' AND metric NOT LIKE '%AR1%' AND metric NOT LIKE '%detections'"
        " AND metric NOT LIKE '%agreement persons'"
    ):
        if value is not None:
            assert value == pytest.approx(1.0 if up else 0.0, abs=1e-12), (task, metric)


def test_detections_below_the_references_confidence_take_nothing_from_agreement() -> None:
    from harness_tasks.detection.task import Detection
    from kit.detection import random_frames

    task = Agreement(Detection(tuple(f"class{n}" for n in range(4)), confidence=0.5))
    frames = [found for found, _ in random_frames(7, 40)]
    assert any((found.scores < 0.5).any() for found in frames)
    statistics = [task.score(found, task.as_target(found)) for found in frames]
    values = task.reduce(statistics)
    assert values["agreement AP50"][0] == pytest.approx(1.0)


def test_a_video_is_cut_into_segments_and_its_own_compression_is_told(session: Session, video: Path) -> None:
    out = session.run(
        "run", "--codec", "h264@40", "--task", "detection", "--dataset", f"{video}:frames=8,every=4", *REFERENCE[:2]
    )
    assert "are compressed themselves (h264, " in out.stderr
    assert "kbit/s" in out.stderr
    rows = session.select(
        "SELECT sample, pixels FROM per_sample JOIN results USING (experiment)"
        " WHERE codec = 'h264' AND is_primary ORDER BY sample"
    )
    assert [row[0] for row in rows] == [f"street.mp4#{start}" for start in (0, 16, 24, 32, 40, 8)]
    assert {row[1] for row in rows} == {8 * 256 * 192}
    ((dataset, kbps, bpp, groups),) = session.select(
        "SELECT dataset, kbps, bpp, groups FROM results WHERE codec = 'h264' AND is_primary"
    )
    assert dataset == "street.mp4:every=4,frames=8"
    assert kbps == pytest.approx(bpp * 256 * 192 * 12.5 / 1000)
    assert groups == 6
    ((source,),) = session.select("SELECT source_bpp FROM curves WHERE codec = 'h264' AND is_primary")
    assert source == pytest.approx(8 * video.stat().st_size / (48 * 256 * 192), rel=0.01)


def test_numbers_depend_on_no_worker_and_no_interruption(
    session: Session, tmp_path: Path, cache: Path, images: Path
) -> None:
    # A slow encoder, so that there is something to interrupt.
    codecs = ("--codec", "jpeg@60", "--codec", "avif:speed=1@30")
    asked = ("run", *codecs, "--task", "detection", "--dataset", str(images), *REFERENCE, "--threads", "1")
    session.run(*asked, "--workers", "2")
    (tmp_path / "other").mkdir()
    other = Session(tmp_path / "other", cache)
    process = other.start(*asked, "--workers", "0", before=EACH_BATCH)
    kill_after_rows(other, process, 8)
    process.communicate(timeout=60)
    other.run(*asked, "--workers", "1")
    assert other.values() == session.values()
    assert "all found" in session.run(*[word for word in asked if word != "--quiet"]).stderr


def test_a_labelled_dataset_can_be_judged_by_predictions_and_is_another_experiment(session: Session) -> None:
    few = ("--codec", "jpeg@10", "--task", "detection", "--limit", "6", "--quiet", "--resamples", "100")
    session.run("run", *few)
    session.run("run", *few, "--reference", "predictions")
    found = dict(session.select("SELECT reference, value FROM results WHERE codec = 'none' AND is_primary"))
    assert found["predictions"] == 1.0
    assert found["labels"] < 1.0


def test_what_does_not_fit_is_told(session: Session, images: Path, video: Path, tmp_path: Path) -> None:
    run = ("run", "--codec", "jpeg@50", "--task", "detection", "--dataset")
    assert "has no labels: --reference predictions" in session.run(*run, str(images), status=2).stderr
    retrain = session.run(*run, str(images), *REFERENCE, "--retrain", "matched", status=2).stderr
    assert "--retrain needs labels" in retrain
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed/a.png").write_bytes((images / "a/00.png").read_bytes())
    (tmp_path / "mixed/b.mp4").write_bytes(video.read_bytes())
    assert "holds 1 images and 1 videos" in session.run(*run, str(tmp_path / "mixed"), *REFERENCE, status=2).stderr
    (tmp_path / "empty").mkdir()
    assert "holds no image and no video" in session.run(*run, str(tmp_path / "empty"), *REFERENCE, status=2).stderr
    nowhere = session.run(*run, "nowhere", *REFERENCE, status=2).stderr
    assert "unknown dataset 'nowhere'." in nowhere
    assert "--data-root nowhere=PATH" in nowhere


def test_a_damaged_file_fails_alone_and_no_link_out_is_followed(session: Session, images: Path, tmp_path: Path) -> None:
    folder = tmp_path / "some"
    folder.mkdir()
    for name in ("00", "01"):
        (folder / f"{name}.png").write_bytes((images / f"a/{name}.png").read_bytes())
    (folder / "02.png").write_bytes((images / "a/02.png").read_bytes()[:500])
    (folder / "03.png").symlink_to(images / "a/03.png")
    session.run(
        "run", "--codec", "jpeg@50", "--task", "detection", "--dataset", str(folder), *REFERENCE, "--max-failures", "1"
    )
    rows = session.select("SELECT DISTINCT sample, status FROM per_sample ORDER BY sample")
    assert [(name, status) for name, status in rows if status == "ok"] == [("00.png", "ok"), ("01.png", "ok")]
    assert [name for name, status in rows if status == "failed"] == ["02.png"]


@pytest.mark.parametrize(
    ("damaged", "how", "words"),
    [("a.ts", "cut", "cannot be decoded"), ("c.ts", "cut", "cannot be decoded"), ("a.ts", "hole", "damaged at")],
)
def test_a_damaged_video_costs_its_own_samples_wherever_it_stands(
    session: Session, tmp_path: Path, damaged: str, how: str, words: str
) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    frames = [frame for sample in scenes(1, kind="demo-clips") for frame in sample.frames]
    write_video(folder / "b.ts", frames)
    write_video(folder / damaged, frames)
    whole = bytearray((folder / damaged).read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 1880] = bytes(1880)
    (folder / damaged).write_bytes(whole if how == "hole" else whole[: middle - 100])
    asked = ("run", "--codec", "h264@40", "--task", "action", "--dataset", str(folder), *REFERENCE)
    session.run(*asked, "--max-failures", "3")
    failed = session.select("SELECT sample, error FROM per_sample WHERE status = 'failed'")
    assert failed
    assert {damaged in sample for sample, _ in failed} == {True}, failed
    assert {f"{damaged}: {words}" in error for _, error in failed} == {True}, failed
    assert session.select("SELECT count(*) FROM per_sample WHERE status = 'ok'")[0][0] > 0


def test_sources_that_are_compressed_are_told_though_the_first_is_not(images: Path, tmp_path: Path) -> None:
    from harness.planning.reference import coded_sources

    dataset = installed().get("dataset", "folder")(task="detection")
    with Image.open(images / "a/00.png") as image:
        image.save(tmp_path / "0.png")
        dataset.root = tmp_path
        dataset.open()
        assert coded_sources(dataset, "mine") == []
        image.save(tmp_path / "1.jpg", quality=80)
    (tmp_path / "2.jpg").write_bytes(b"nothing")
    dataset.open()
    (told,) = coded_sources(dataset, "mine")
    assert told.startswith("some sources of dataset mine are compressed themselves (jpeg, quality 80,")
    (tmp_path / "0.png").unlink()
    dataset.open()
    (told,) = coded_sources(dataset, "mine")
    assert told.startswith("the sources of dataset mine")


def test_results_show_draws_the_reference(session: Session, images: Path) -> None:
    session.run("run", "--codec", "jpeg@50,5", "--task", "detection", "--dataset", str(images), *REFERENCE)
    show = ("results", "show", "--task", "detection", "--codec", "jpeg", "--sample", "a/00.png", "-o")
    assert "my pictures" in session.run(*show, "no.png", status=2).stderr  # it does not know where they are
    out = session.run_process(*show, "panel.png", "--dataset", str(images))
    assert "warning" not in out.stderr
    with Image.open(session.folder / "panel.png") as panel:
        assert panel.width > 500
    session.run("report", "-o", "page.html", "--data-root", f"my pictures={images}", "--samples", "1")
    page = (session.folder / "page.html").read_text("utf-8")
    assert "reference predictions" in page
    assert "No pictures" not in page
    assert page.count('id="p0-0-') == 4  # reference, uncompressed, two levels


def test_a_readers_parts_cost_one_decode_of_each_frame(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.video import Reader, read_clip
    from harness.video.stream import Video

    decoded = 0
    pictures = Video.decoded

    def counted(self: Video, first: int, leading: int) -> Any:
        nonlocal decoded
        for picture in pictures(self, first, leading):
            decoded += 1
            yield picture

    whole, _ = read_clip(video)
    monkeypatch.setattr(Video, "decoded", counted)
    reader = Reader(video)
    parts = [reader.read(start, 8) for start in range(0, 48, 8)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert decoded == 48
    assert np.array_equal(reader.read(16, 3, 2), whole[16:22:2])  # back: begun anew
    assert np.array_equal(reader.read(40, 20), whole[40:])
    reader.close()


def test_real_videos_and_photographs(session: Session, data_root: Path) -> None:
    session.run(
        "run",
        "--codec",
        "h264@23,45",
        "--task",
        "detection",
        "--dataset",
        f"{data_root / 'hmdb51_mini'}:frames=20",
        "--limit",
        "4",
        *REFERENCE,
    )
    session.run(
        "run",
        "--codec",
        "jpeg@75,5",
        "--task",
        "segmentation",
        "--dataset",
        str(data_root / "coco_mini"),
        "--limit",
        "4",
        *REFERENCE,
    )
    values = {row[:2]: row[2] for row in session.select("SELECT task, level, value FROM results WHERE is_primary")}
    assert values["segmentation", None] == 1.0
    assert values["segmentation", 75.0] > values["segmentation", 5.0]
    with sqlite3.connect(session.database) as connection:
        formats = {row[0] for row in connection.execute("SELECT DISTINCT source_format FROM samples")}
    assert "jpeg" in formats
