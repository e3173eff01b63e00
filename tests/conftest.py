"""What every test may ask for."""

import os
from pathlib import Path

import pytest

# One thread for each test's own torch: on a busy machine, two wait for each other by spinning.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder for commands, shared by all tests in all processes: each demo scene is rendered once."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of small parts of real data sets, from the environment's HARNESS_TEST_DATA."""
    asked = os.environ.get("HARNESS_TEST_DATA")
    if not asked:
        pytest.skip("HARNESS_TEST_DATA is not set: it names a folder with voc2007_mini, coco_mini, ...")
    return Path(asked)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests keep nothing in the user's cache."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path_factory.getbasetemp() / "harness-cache"))
