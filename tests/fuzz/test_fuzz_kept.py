"""One bit of a kept file is changed: the file is not believed. What can be made anew is; for the rest there is a word.

Every kind of file that is read back from the cache folder is here: rendered scenes and clips, encoded streams, derived
arrays, optical flow, outcomes of self-tests, batch sizes, digests of files, checkpoints, weights and loss curves.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.batches.keeper import Keeper
from harness.device.batch_size import BatchChoice, _keep, _kept
from harness.errors import TrainingError, WeightsError
from harness.files import sha256_file
from harness.keep.kept import Kept
from harness.training.loop import Runtime, train
from harness.training.state import Place
from harness.weights import from_file, load_state
from harness_codecs import jpeg_self_test
from harness_codecs.jpeg_opencv import JpegVariant
from harness_codecs.pillow_family import Jpeg
from harness_plugins.demo_world import action_clips, scene
from harness_plugins.demo_world.kept import kept
from harness_tasks.action.flow import Flow, kept_fields
from harness_tasks.action.sampling import Window
from kit.disks import flipped
from kit.fuzzing import MINUTES
from kit.small_training import Log, job
from kit.units import coded_cell, read_sample

FLIPS = 104
"""Changed bits without HARNESS_FUZZ_MINUTES."""
FRAMES = np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3)).astype(np.uint8)


@dataclass(frozen=True)
class KeptFile:
    """A kept file, and what reads it: True if the file was believed, False if what it holds was made anew.

    It raises one of `words` where it can only be refused, and fails if anything but the right content comes out.
    """

    path: Path
    believes: Callable[[], bool]
    words: tuple[type[Exception], ...] = ()


def same(found: Any, right: Any) -> bool:
    return found.keys() == right.keys() and all(
        value.dtype == right[name].dtype and np.array_equal(value, right[name]) for name, value in found.items()
    )


def rendered(root: Path) -> list[KeptFile]:
    street = scene.render("val", 7)
    cases = {
        "street": {name: getattr(street, name) for name in ("image", "boxes", "labels", "classes", "depth")},
        "clip": {"frames": action_clips.render("val", 3)},
    }

    def reader(name: str, arrays: dict[str, Any]) -> Callable[[], bool]:
        def believes() -> bool:
            made: list[int] = []
            found = kept(Path(f"{name}.scene"), tuple(arrays), lambda: made.append(1) or arrays)  # type: ignore[func-returns-value]
            assert same(found, arrays)
            return not made

        return believes

    return [KeptFile(root / "demo-world" / f"{n}.scene", reader(n, arrays)) for n, arrays in cases.items()]


def only_file(folder: Path, before: set[Path]) -> Path:
    (path,) = {path for path in folder.rglob("*") if path.is_file()} - before
    return path


def cached(root: Path) -> list[KeptFile]:
    """Streams, derived arrays, flow fields and the self-test, which `Kept` keeps: a file that is believed is not
    written again."""

    class Slow(Jpeg):
        costly = True

    def slow() -> Any:
        end = time.process_time() + 0.02
        while time.process_time() < end:
            pass
        return np.arange(600.0).reshape(20, 30)

    flow, window = Flow(), Window(0, 0, 48, 64, (48, 64))
    calls: dict[str, Callable[[], Any]] = {
        "self-test": lambda: asdict(jpeg_self_test._find(JpegVariant())),
        "encoded": lambda: Keeper().encode(coded_cell(Slow(), 50), read_sample(FRAMES))[0],
        "derived": lambda: Keeper().memo(coded_cell(Jpeg(), 50), read_sample(FRAMES))("slow", slow).tolist(),
        "flow": lambda: kept_fields(FRAMES, flow, (0, 1), window, (24, 32)).tolist(),
    }
    cases = []
    for name, call in calls.items():
        before = {path for path in root.rglob("*") if path.is_file()}
        right = call()
        path = only_file(root, before)

        def believes(call: Callable[[], Any] = call, right: Any = right, path: Path = path, name: str = name) -> bool:
            changed = path.read_bytes()
            assert call() == right, name
            return path.read_bytes() == changed

        cases.append(KeptFile(path, believes))
    return cases


def batch_sizes(root: Path) -> list[KeptFile]:
    path = root / "batches" / "a"
    choice = BatchChoice(4, ((1, 10.0), (2, 19.5), (4, 30.25)))
    _keep(path, choice, {"model": "m"})

    def believes() -> bool:
        found = _kept(path)
        assert found in (choice, None)
        return found is not None

    return [KeptFile(path, believes)]


def file_digests(root: Path) -> list[KeptFile]:
    files = [root.parent / f"file{number}" for number in range(30)]
    for number, path in enumerate(files):
        path.write_bytes(bytes([number]) * number)
        os.utime(path, (1, 1))
    time.sleep(2.1)
    right = [sha256_file(path) for path in files]

    def believes() -> bool:
        # A bit that no row depends on may be changed: what counts is that every digest is right.
        assert [sha256_file(path) for path in files] == right
        return False

    return [KeptFile(root / "files.sqlite", believes)]


def trained(root: Path) -> list[KeptFile]:
    place = Place(root / "training" / "t")
    first = train(job(), place, Runtime(workers=0), Log())
    whole = {path: path.read_bytes() for path in (place.weights, place.curve, Path(f"{place.weights}.sha256"))}
    weights = from_file("player", str(place.weights))

    def believes() -> bool:
        changed = {path: path.read_bytes() for path in whole}
        found = train(job(), place, Runtime(workers=0), Log())
        assert (found.sha256, found.iterations) == (first.sha256, 0)
        assert {path: path.read_bytes() for path in whole} == whole
        return changed == whole

    def loads() -> bool:
        load_state(weights)
        return True

    return [
        KeptFile(place.checkpoint, believes, (TrainingError,)),
        *(KeptFile(path, believes) for path in whole),
        KeptFile(place.weights, loads, (WeightsError,)),
    ]


def test_no_changed_bit_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "cache"
    monkeypatch.setenv("HARNESS_CACHE", str(root))
    # Flow remembers its cache folder for the whole process, which may be that of an earlier test.
    monkeypatch.setattr("harness_tasks.action.flow._kept", cache(lambda: Kept("derived")))
    makers = (rendered, cached, batch_sizes, file_digests, trained)
    cases = [case for maker in makers for case in maker(root)]
    for case in cases:  # the first call keeps what is not kept yet; whole files are believed
        case.believes()
    assert sum(case.believes() for case in cases) == len(cases) - 1
    draw = random.Random(0 if not MINUTES else None)
    tried: Counter[str] = Counter()
    end = time.monotonic() + 60 * MINUTES
    flips = 0
    while flips < FLIPS or time.monotonic() < end:
        case, flips = cases[flips % len(cases)], flips + 1
        whole = case.path.read_bytes()
        case.path.write_bytes(flipped(whole, draw))
        try:
            assert not case.believes(), f"{case.path} was believed"
            tried["made anew"] += 1
        except case.words as error:
            tried["refused"] += case.path.name in str(error)
        case.path.write_bytes(whole)
    print(dict(tried))
    assert sum(tried.values()) == flips, "a refusal does not name the file"
    assert min(tried["made anew"], tried["refused"]) > FLIPS // 20
