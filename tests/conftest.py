"""What every test may ask for."""

import os
import urllib.request
from pathlib import Path

import pytest

# The assertions of the shared helpers explain themselves, as those of tests do.
pytest.register_assert_rewrite("kit")

# One thread for each test's own torch: on a busy machine, two wait for each other by spinning.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# As the command line has it: before torch is imported, which is before any command here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

MOST_PROCESSES = 4
"""Each holds torch, and starts commands that hold it too."""


HEAVY = (
    "tasks/test_demo_scores.py",
    "tasks/detection/test_real_input.py",
    "page/test_page.py",
    "engine/test_runner.py",
    "engine/test_trainer.py",
    "engine/test_references.py",
    "engine/test_faults.py",
    "engine/test_again.py",
    "tasks/segmentation/test_real.py",
    "results/test_merge.py",
    "decide/test_comparison.py",
    "training/test_loop.py",
    "cli/test_recommend.py",
)
"""Files of tests that take long, most of all first. They are begun first, so that all processes end together."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Heavy files first; `--no-loadscope-reorder` hands the files out in this order."""
    order = {Path(__file__).parent / name: place for place, name in enumerate(HEAVY)}
    assert all(path.is_file() for path in order), "HEAVY names a file that is not there"
    items.sort(key=lambda item: order.get(item.path, len(order)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The whole suite is shared among the cores; tests that are named run in this process."""
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_PROCESSES)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder shared by all tests in all processes: each demo scene is rendered once."""
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


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Downloads fail at once: where the proxies are said to be, nothing listens."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    # urllib keeps the proxies of its first use for the rest of the process.
    monkeypatch.setattr(urllib.request, "_opener", None)


@pytest.fixture(autouse=True)
def _own_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests keep nothing in the user's cache."""
    monkeypatch.setenv("HARNESS_CACHE", str(cache))
