"""The example of a third party: installed, listed, run on detection, uninstalled; its results stay readable."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import harness
from kit.command import Session

EXAMPLE = Path(harness.__file__).parents[1] / "docs" / "examples" / "harness-codec-bits"


def test_the_example_codec_from_its_wheel(tmp_path: Path, cache: Path) -> None:
    source = next(EXAMPLE.glob("*.py"))
    code = [line for line in source.read_text().splitlines() if line.strip()]
    assert len(code) <= 30
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    wheels = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path / "wheels"), str(EXAMPLE)]
    subprocess.run(wheels, check=True)
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True)
    session = Session(tmp_path, cache, path=site)
    assert "harness-codec-bits" in session.run_process("list", "plugins").stdout
    run = ("run", "--codec", "bits", "--task", "detection", "--limit", "2", "--resamples", "100")
    session.run_process(*run)
    rates = session.select("select bpp from results where metric = 'AP' and codec = 'bits' order by bpp desc")
    assert len(rates) > 1
    assert rates == sorted(set(rates), reverse=True)
    without = Session(tmp_path, cache)
    assert "bits" in without.run("results").stdout
    assert "unknown codec 'bits'" in without.run(*run, status=2).stderr
