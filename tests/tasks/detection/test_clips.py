"""Detection on clips: coded as clips, scored on several frames, rated in kbit/s, resampled by clip."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.cli import main
from harness.discovery.plugins import installed
from harness.discovery.stores import open_store
from harness.model import NoMemo
from harness.statistics.intervals import interval, replicates
from harness_plugins.demo_world.clips_dataset import DemoClips
from harness_tasks.detection.models.demo import DemoDetector
from harness_tasks.detection.task import Detection

CLIPS, FRAMES, FPS, SCORED = 2, 16, 12.5, (0, 4, 8, 12)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips, uncompressed, as one group of pictures, and frame by frame."""
    file = tmp_path_factory.mktemp("clips") / "harness.db"
    arguments = ["run", "-t", "detection", "-d", "demo-clips", "--limit", str(CLIPS), "--db", str(file), "--quiet"]
    arguments += ["-c", "h264@40", "-c", "h264:gop=1@40", "--workers", "0", "--threads", "1", "--resamples", "100"]
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 0
    return file


def facts(database: Path, *columns: str) -> dict[str, tuple]:
    store = open_store(str(database), installed(), write=False)
    query = f"select codec_options, {', '.join(columns)} from results where is_primary"
    rows = store.select(query)[1]
    store.close()
    names = {None: "none", "1": "single", "250": "clip"}
    return {names[json.loads(row[0]).get("gop")]: row[1:] for row in rows}


def test_a_clip_is_coded_as_a_clip(database: Path) -> None:
    found = facts(database, "bpp", "kbps", "bytes", "samples", "groups", "codec_options")
    seconds = CLIPS * FRAMES / FPS
    for bpp, kbps, size, samples, groups, options in found.values():
        assert (samples, groups) == (CLIPS, CLIPS)
        assert kbps == pytest.approx(8 * size / seconds / 1000, rel=1e-3)
        assert bpp == pytest.approx(8 * size / (CLIPS * FRAMES * 192 * 256), rel=1e-3)
        assert "intra" not in options
    assert found["none"][0] == 24
    assert found["clip"][0] < 0.7 * found["single"][0]  # what frames have in common is coded once


def test_every_scored_frame_counts(database: Path) -> None:
    """The uncompressed value is that of all scored frames as single pictures, predicted one by one."""
    dataset = DemoClips("detection", "test")
    dataset.open()
    task, model = Detection(classes=dataset.classes), DemoDetector()
    model.load(model.resolve_weights(None, dataset.classes), dataset.classes, "cpu")
    store = open_store(str(database), installed(), write=False)
    key, value, low, high = store.select(
        "select experiment, value, ci_low, ci_high from results where codec = 'none' and is_primary"
    )[1][0]
    stored = list(store.statistics(key))
    store.close()
    frames, groups = [], []
    for sample in stored:
        assert len(sample.statistics) == len(SCORED)
        clip = dataset[sample.index]
        assert tuple(sorted(clip.targets)) == SCORED
        for number in SCORED:
            picture = clip.frames[number : number + 1]
            ((found,),) = model.predict(model.collate([model.prepare(picture, (0,), NoMemo())]))
            frames.append(task.score(found, clip.targets[number]))
            groups.append(sample.group)
    assert value == pytest.approx(float(task.reduce(frames)["AP"][0]), abs=1e-4)
    again = interval(replicates(task, frames, groups, 100, 0), "AP")
    assert (again.low, again.high) == (pytest.approx(low, abs=2e-3), pytest.approx(high, abs=2e-3))


def test_a_frame_of_a_clip_is_shown(database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["results", "show", "-t", "detection", "-c", "h264:gop=1", "-o", str(tmp_path / "p.png")]
    with pytest.raises(SystemExit) as stop:
        main([*common, "--db", str(database), "--frame", "12"])
    assert stop.value.code == 0, capsys.readouterr().err
    assert np.asarray(Image.open(tmp_path / "p.png")).shape[1] == 2 * 16 + 3 * 512 + 2 * 12
    with pytest.raises(SystemExit):
        main([*common, "--db", str(database), "--frame", "3"])
    assert "is scored on frames 0, 4, 8, 12 only" in capsys.readouterr().err
