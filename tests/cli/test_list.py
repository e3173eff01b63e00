"""`harness list`: what it says of codecs, models and datasets, on narrow terminals and as JSON."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.weights import count_parameters
from kit.command import Session


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path, tmp_path / "cache")


def records(session: Session, *arguments: str) -> dict[str, dict[str, Any]]:
    return {record["name"]: record for record in json.loads(session.run("list", *arguments, "--json").stdout)}


def on_terminal(columns: int, *arguments: str) -> str:
    """What a command writes on a terminal of so many columns."""
    main, terminal = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "dumb"}
    command = [sys.executable, "-m", "harness", *arguments]
    with subprocess.Popen(command, stdout=terminal, stderr=subprocess.DEVNULL, env=environment) as process:
        os.close(terminal)
        written = b""
        while True:
            try:
                part = os.read(main, 65536)
            except OSError:  # the other side has closed
                break
            if not part:
                break
            written += part
    os.close(main)
    assert process.returncode == 0
    return written.decode().replace("\r\n", "\n")


def test_codecs_say_their_levels_options_and_the_levers(session: Session) -> None:
    text = session.run("list", "codecs")
    assert "quality 1-100, up is better; ladder 95, 75, 50, 15, 10, 5" in text.stdout
    assert "Every codec also takes scale= (" in text.stderr
    jpeg = records(session, "codecs")["jpeg"]
    assert jpeg["level"]["maximum"] == 100
    assert jpeg["ladder"] == [95, 75, 50, 15, 10, 5]
    (subsampling,) = [option for option in jpeg["options"] if option["name"] == "subsampling"]
    assert subsampling["choices"] == ["4:4:4", "4:2:2", "4:2:0"]
    assert [lever["name"] for lever in jpeg["levers"]] == ["scale", "fps"]
    assert records(session, "codecs")["none"]["level"] is None
    h264 = text.stdout.partition("\nh264 ")[2].partition("\nhevc ")[0]
    assert "profiles surveillance (bframes=0, gop=2s); low-latency (tune=zerolatency," in " ".join(h264.split())
    assert records(session, "codecs")["h264"]["profiles"]["surveillance"]["options"] == {"bframes": 0, "gop": "2s"}


def test_profiles_of_an_overlay_are_listed(session: Session) -> None:
    (session.folder / "mine.toml").write_text("[codecs.jpeg.profiles.scan]\noptions = { subsampling = '4:4:4' }\n")
    out = session.run("list", "codecs", "--registry", "mine.toml").stdout
    assert "profiles scan (subsampling=4:4:4)" in " ".join(out.split())


def test_models_say_task_kind_classes_parameters_and_weights(session: Session) -> None:
    from harness_tasks.detection.models.demo import WEIGHTS

    found = records(session, "models")
    kind, named = found["demo-faster-rcnn"], found["demo-detector"]
    assert (named["kind"], named["task"], kind["kind"]) == ("demo-faster-rcnn", "detection", None)
    for record in (kind, named):
        assert (record["classes"], record["weights"], record["file"]) == (6, "included", str(WEIGHTS))
        assert record["parameters"] == count_parameters(WEIGHTS)
    assert found["torchvision"]["weights"] == "torchvision's"
    assert (found["segnet"]["weights"], found["segnet"]["parameters"]) == ("by --weights", None)
    assert all(record["task"] for record in found.values())


def test_parameters_are_those_of_the_network(session: Session) -> None:
    from harness_tasks.detection.models.demo import WEIGHTS
    from harness_tasks.detection.models.demo_network import demo_network

    network = demo_network(7)
    assert count_parameters(WEIGHTS) == sum(parameter.numel() for parameter in network.parameters())


def test_a_registry_of_the_users_names_models_and_datasets(session: Session, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        '[models.mine]\nkind = "segnet"\nweights = "mine.safetensors"\noptions = { width = 0.5 }\n'
        '[models.other]\nkind = "segnet"\ncheckpoint = "known"\n[models.lost]\nkind = "absent"\n'
        '[checkpoints.known]\nclasses = ["road", "sky"]\nurl = "https://example.org/known"\n'
        '[datasets.drive]\nkind = "camvid"\nfolder = "elsewhere"\n'
    )
    (tmp_path / "elsewhere").mkdir()
    found = records(session, "models", "--registry", "mine.toml")
    assert (found["mine"]["weights"], found["mine"]["options"]) == ("missing", {"width": 0.5})
    assert found["other"]["weights"] == "by --weights; from https://example.org/known"
    assert found["other"]["classes"] == 2
    assert found["lost"]["state"] == "no plugin provides absent"
    drive = records(session, "datasets", "--registry", "mine.toml", "--data-root", str(tmp_path))["drive"]
    assert (drive["kind"], drive["data"], drive["folder"]) == ("camvid", "found", str(tmp_path / "elsewhere"))


def test_datasets_say_what_they_need_and_whether_it_is_there(session: Session, tmp_path: Path) -> None:
    (tmp_path / "voc").mkdir()
    found = records(session, "datasets", "--data-root", str(tmp_path), "--data-root", "coco=/nowhere")
    assert (found["voc"]["data"], found["voc"]["folder"]) == ("found", str(tmp_path / "voc"))
    assert found["coco"]["data"] == found["ucf101"]["data"] == "missing"
    assert found["demo"]["data"] == "nothing needed"
    assert "VOCdevkit" in found["voc"]["layout"]
    text = session.run("list", "datasets", "--data-root", str(tmp_path)).stdout
    # Where a line is broken depends on how long the folder's name is.
    assert f"missing: no folder {tmp_path / 'ucf101'}; to be had: https" in " ".join(text.split())
    assert found["voc"]["tasks"] == ["detection"]


@pytest.mark.parametrize("columns", [80, 100])
def test_a_narrow_terminal_shows_whole_names(columns: int) -> None:
    text = on_terminal(columns, "list", "models")
    lines = text.splitlines()
    table = [line for line in lines if not line.startswith("detectron2:")]  # says below the table that it is not there
    assert all(len(line) <= columns for line in table)
    for name in ("demo-faster-rcnn", "demo-detector", "torchvision", "segnet"):
        assert any(name in line.split() for line in lines)
    (row,) = [line for line in lines if "demo-detector" in line]
    assert row.split() == ["detection", "demo-detector", "demo-faster-rcnn", "6", "1.98", "M", "included"]


@pytest.mark.parametrize("what", ["tasks", "stores", "executors", "plugins"])
def test_other_lists(session: Session, what: str) -> None:
    assert "codec-harness" in session.run("list", what).stdout
    listed = json.loads(session.run("list", what, "--json").stdout)
    assert all(record["state"] == "ok" for record in listed)
