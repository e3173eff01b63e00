"""The examples for authors of plugins: each is built to a wheel, installed, listed, and used in a small real run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import harness
from kit.command import Session

EXAMPLES = Path(harness.__file__).parents[1] / "docs" / "examples"
COUNTING = ("harness-task-counting", "harness-dataset-counting", "harness-model-counting")
RUN = ("--resamples", "100", "--workers", "0")


def installed(folder: Path, *names: str) -> Path:
    """A folder with the packages, installed from their wheels."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    sources = [str(EXAMPLES / name) for name in names]
    wheels = folder / "wheels"
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(wheels), *sources]
    subprocess.run(build, check=True)
    site = folder / "site"
    install = [
        *pip,
        "install",
        "--no-deps",
        "--no-index",
        "--target",
        str(site),
        *map(str, sorted(wheels.glob("*.whl"))),
    ]
    subprocess.run(install, check=True)
    return site


PLUGINS = sorted(path for path in EXAMPLES.glob("*/*.py") if path.stem != "train")


@pytest.mark.parametrize("source", PLUGINS, ids=lambda path: path.stem)
def test_an_example_is_short(source: Path) -> None:
    assert len(source.read_text("utf-8").splitlines()) < 100


def test_task_dataset_and_model(tmp_path: Path, cache: Path) -> None:
    root = tmp_path / "dots"
    root.mkdir()
    lines = []
    for number in range(6):
        image = np.zeros((48, 64, 3), np.uint8)
        for dot in range(number):
            image[8 * (dot % 3) + 8 :, 10 * dot + 4 :][:4, :4] = 255
        Image.fromarray(image).save(root / f"{number}.png")
        lines.append(f"{number}.png,{number}\n")
    (root / "counts.csv").write_text("".join(lines))
    session = Session(tmp_path, cache, path=installed(tmp_path, *COUNTING))
    listed = session.run_process("list", "plugins").stdout
    assert all(name in listed for name in COUNTING)
    what = ("--task", "counting", "--model", "dot-counter", "--dataset", "counted", "--data-root", str(root))
    session.run_process("run", "--codec", "jpeg@90,1", *what, *RUN)
    query = "select codec, level, value from results where metric = 'mae' order by codec, level"
    worst, mild, none = session.select(query)
    assert (none[0], none[2]) == ("none", 0.0)
    assert mild[2] < worst[2] or mild[2] == 0.0


def test_codecs_that_are_programs(tmp_path: Path, cache: Path) -> None:
    missing = [name for name in ("SvtAv1EncApp", "x265") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    session = Session(tmp_path, cache, path=installed(tmp_path, "harness-codec-programs"))
    assert "harness-codec-programs" in session.run_process("list", "codecs").stdout
    codecs = [f"{name}@{levels}" for name, levels in (("svt-av1", "30,60"), ("x265", "24,42"))]
    words = [word for codec in codecs for word in ("--codec", codec)]
    session.run_process("run", *words, "--task", "detection", "--limit", "2", *RUN)
    query = "select bpp, psnr from results where metric = 'AP' and codec = '{}' order by level"
    for codec in ("svt-av1", "x265"):
        mild, strong = session.select(query.format(codec))
        assert mild > strong
        assert mild[1] > 30


def test_codecs_by_imagecodecs(tmp_path: Path, cache: Path) -> None:
    if find_spec("imagecodecs") is None:
        pytest.skip("imagecodecs is not installed")
    session = Session(tmp_path, cache, path=installed(tmp_path, "harness-codec-imagecodecs"))
    words = ("--codec", "jxl@0.5,8", "--codec", "htj2k@0.002,0.1")
    session.run_process("run", *words, "--task", "detection", "--limit", "2", *RUN)
    for codec in ("jxl", "htj2k"):
        order = f"select bpp, psnr from results where metric = 'AP' and codec = '{codec}' order by level"
        mild, strong = session.select(order)
        assert mild > strong
        assert mild[1] > 30


def test_a_logger(tmp_path: Path, cache: Path) -> None:
    if find_spec("mlflow") is None:
        pytest.skip("mlflow is not installed")
    session = Session(tmp_path, cache, path=installed(tmp_path, "harness-logger-mlflow"))
    session.run_process("run", "--codec", "jpeg@50", "--task", "detection", "--limit", "2", *RUN)
    logged = [path.read_text().split() for path in (tmp_path / "mlruns").glob("*/*/metrics/AP")]
    values = sorted(float(words[1]) for words in logged)
    assert values == sorted(value for (value,) in session.select("select value from results where metric = 'AP'"))
