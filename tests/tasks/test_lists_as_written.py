"""The text lists of UCF101, video folders, CamVid and RGB-D sets, as people and tools write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.dataset import Dataset
from harness.errors import DatasetError, SampleError
from harness_tasks.action.datasets.ucf101 import UCF101
from harness_tasks.action.datasets.video_folder import VideoFolder
from harness_tasks.depth.datasets.rgbd import Rgbd
from harness_tasks.segmentation.datasets.camvid import CamVid
from harness_tasks.segmentation.datasets.cityscapes import Cityscapes

Write = Callable[[Path, bytes], Dataset]
"""Writes a small set whose list has the given bytes, and returns the dataset, not yet opened."""


def ucf101(root: Path, content: bytes, classes: bytes = b"1 Run\n2 High Jump\n", split: str = "train") -> Dataset:
    """Clips are empty files: nothing is decoded when a list is read."""
    lists = root / "ucfTrainTestlist"
    lists.mkdir(exist_ok=True)
    (lists / "classInd.txt").write_bytes(classes)
    (lists / f"{split}list01.txt").write_bytes(content)
    for name in ("Run/v_Run_g01_c01.avi", "Run/v_Run_g01_c02.avi", "High Jump/v_HighJump_g02_c01.avi"):
        (root / "UCF-101" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "UCF-101" / name).touch()
    return UCF101("action", split, root)


def folder(root: Path, content: bytes) -> Dataset:
    for name in ("run/a 1.avi", "run/b.avi", "jump/c.avi"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    (root / "some.txt").write_bytes(content)
    return VideoFolder("action", None, root, list="some.txt")


def camvid(root: Path, content: bytes, name: str = "test") -> Dataset:
    for number, stem in enumerate(("0001TP_1", "0001TP_2", "0001TP 3")):
        for part in ("test", "testannot"):
            (root / part).mkdir(exist_ok=True)
            pixels = np.full((4, 6, 3) if part == "test" else (4, 6), number, np.uint8)
            Image.fromarray(pixels).save(root / part / f"{stem}.png")
    (root / f"{name}.txt").write_bytes(content)
    return CamVid("segmentation", name, root)


def rgbd(root: Path, content: bytes) -> Dataset:
    for stem in ("1", "2", "a 3"):
        for part in ("rgb", "depth"):
            (root / part).mkdir(exist_ok=True)
            pixels = np.full((4, 6, 3), 9, np.uint8) if part == "rgb" else np.full((4, 6), 900, np.uint16)
            Image.fromarray(pixels).save(root / part / f"{stem}.png")
    (root / "pairs.txt").write_bytes(content)
    return Rgbd("depth", None, root, list="pairs.txt")


LISTS: dict[str, tuple[Write, str, list[str]]] = {
    "ucf101": (
        ucf101,
        "Run/v_Run_g01_c01.avi 1\nHigh Jump/v_HighJump_g02_c01.avi 2\n",
        ["v_Run_g01_c01", "v_HighJump_g02_c01"],
    ),
    "video-folder": (folder, "run/a 1.avi\njump/c.avi\n", ["run/a 1.avi", "jump/c.avi"]),
    "camvid": (
        camvid,
        "/My Data/test/0001TP 3.png /My Data/testannot/0001TP 3.png\n/d/test/0001TP_1.png /d/testannot/0001TP_1.png\n",
        ["0001TP 3", "0001TP_1"],
    ),
    "rgbd": (rgbd, "rgb/a 3.png depth/a 3.png\nrgb/1.png depth/1.png\n", ["rgb/a 3", "rgb/1"]),
}


def ids(dataset: Dataset) -> list[str]:
    dataset.open()
    if hasattr(dataset, "clips"):
        return [clip.id for clip in dataset.clips]
    return [dataset.outline(index).id for index in range(len(dataset))]


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize(
    "written",
    [
        lambda text: text.encode(),
        lambda text: text.replace("\n", "\r\n").encode("utf-8-sig"),
        lambda text: ("\n\n" + text.replace("\n", " \t\r\n\r\n")).encode("utf-16"),
        lambda text: text.replace(".png ", ".png\t").replace(".avi ", ".avi  ").encode(),
    ],
    ids=["plain", "windows", "utf-16", "columns"],
)
def test_every_list_is_read_line_by_line(tmp_path: Path, kind: str, written: Callable[[str], bytes]) -> None:
    write, text, names = LISTS[kind]
    assert ids(write(tmp_path, written(text))) == names


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: [lines[0], b"", b"\xe9" + lines[1]], r"line 3: the bytes e9 are not UTF-8"),
        (lambda lines: [lines[0], lines[1] + b"\0"], r"line 2: a byte 0"),
        (lambda lines: [lines[0], b"", lines[1], lines[0]], r"lines 1 and 4|two images are called"),
        (lambda lines: [lines[0], b"../" * 9 + b"x.png ../x.png"], r"line 2|files are missing"),
        (lambda lines: [lines[0], b"one"], r"line 2"),
        (lambda lines: [lines[0], b"x" * 300 + b".png " + b"y" * 300], r"line 2|files are missing"),
    ],
)
def test_lines_that_cannot_be_used_are_named(
    tmp_path: Path, kind: str, change: Callable[[list[bytes]], list[bytes]], message: str
) -> None:
    write, text, _ = LISTS[kind]
    with pytest.raises(DatasetError, match=message) as raised:
        write(tmp_path, b"\n".join(change(text.encode().splitlines()))).open()
    assert len(str(raised.value)) < 1000


@pytest.mark.parametrize("number", ["2", "02", "2.0", "\t2"])
def test_the_class_number_of_a_clip_is_a_number(tmp_path: Path, number: str) -> None:
    listed = f"High Jump/v_HighJump_g02_c01.avi {number}\n".encode()
    assert ids(ucf101(tmp_path, listed)) == ["v_HighJump_g02_c01"]


@pytest.mark.parametrize("number", ["1", "two", "2.5", "9" * 400, "nan"])
def test_another_class_number_is_said(tmp_path: Path, number: str) -> None:
    with pytest.raises(DatasetError, match=r"line 1: class number .*, but High Jump is 2 in classInd\.txt"):
        ucf101(tmp_path, f"High Jump/v_HighJump_g02_c01.avi {number}\n".encode()).open()


@pytest.mark.parametrize("classes", [b"1\tRun\r\n\r\n2\tHigh Jump", "1 Run\n2  High Jump\n".encode("utf-16")])
def test_class_lists_with_tabs_and_empty_lines(tmp_path: Path, classes: bytes) -> None:
    dataset = ucf101(tmp_path, b"Run/v_Run_g01_c01.avi 1", classes)
    dataset.open()
    assert dataset.classes == ("Run", "High Jump")


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (b"1 Run\n\n3 High Jump", r"classInd\.txt, line 3: '2 <Class>' was expected"),
        (b"1 Run\n\n2 Run", r"classInd\.txt: names come twice: Run in the lines 1 and 3"),
        (b"", r"classInd\.txt: it is empty"),
    ],
)
def test_class_lists_that_cannot_be_used(tmp_path: Path, classes: bytes, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        ucf101(tmp_path, b"Run/v_Run_g01_c01.avi 1", classes).open()


@pytest.mark.parametrize("name", ["small", "my split (2)", "v1.2"])
def test_a_camvid_list_is_a_split_whatever_its_name(tmp_path: Path, name: str) -> None:
    dataset = camvid(tmp_path, b"test/0001TP_1.png testannot/0001TP_1.png", name)
    assert ids(dataset) == ["0001TP_1"]
    assert CamVid("segmentation").split == "test"
    for absent in ("absent", "../x"):
        with pytest.raises(DatasetError, match=r"has no list absent\.txt \(there is: .*\)|'\.\./x' is no list"):
            CamVid("segmentation", absent, tmp_path).open()


def test_camvid_paths_as_windows_writes_them(tmp_path: Path) -> None:
    listed = b"C:\\My Data\\test\\0001TP_1.png C:\\My Data\\testannot\\0001TP_1.png\r\n"
    assert ids(camvid(tmp_path, listed)) == ["0001TP_1"]


def test_times_and_columns_of_rgbd_lists(tmp_path: Path) -> None:
    timed = b"# colour\n1305031102.1753 rgb/1.png 1305031102.16 depth/1.png\n"
    assert ids(rgbd(tmp_path, timed)) == ["rgb/1"]
    named = b"frame1 rgb/1.png frame1 depth/1.png\n"
    assert ids(rgbd(tmp_path, named)) == ["rgb/1"]
    with pytest.raises(DatasetError, match=r"line 2: 2 or 4 columns were expected, found 3"):
        rgbd(tmp_path, b"# c\nrgb/1.png depth/1.png depth/2.png").open()


def test_a_damaged_first_file_costs_one_sample(tmp_path: Path) -> None:
    """A dataset is refused when the first few pairs are all wrong: then it is the folder, or its encoding."""
    listed = b"".join(b"test/%s.png testannot/%s.png\n" % (name, name) for name in (b"0001TP_1", b"0001TP_2"))
    dataset = camvid(tmp_path, listed)
    (tmp_path / "testannot" / "0001TP_1.png").write_bytes(b"no picture")
    dataset.open()
    with pytest.raises(SampleError, match=r"testannot/0001TP_1\.png"):
        dataset[0]
    assert dataset[1].targets[0].tolist() == [[1] * 6] * 4
    (tmp_path / "testannot" / "0001TP_2.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"testannot/0001TP_1\.png"):
        dataset.open()


def test_cityscapes_names_that_come_twice(tmp_path: Path) -> None:
    for city in ("bonn", "ulm"):
        for part, suffix in (("leftImg8bit", "_leftImg8bit"), ("gtFine", "_gtFine_labelIds")):
            path = tmp_path / part / "val" / city / f"bonn_000000_000019{suffix}.png"
            path.parent.mkdir(parents=True)
            Image.new("L" if part == "gtFine" else "RGB", (4, 3)).save(path)
    with pytest.raises(DatasetError, match=r"two images are called 'bonn_000000_000019': .*bonn/.*ulm/"):
        Cityscapes("segmentation", None, tmp_path).open()


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04", b"\x93NUMPY\x01\0v\0{'descr': '<f8', 'shape': (99999999999,)}", b""]
)
def test_depth_arrays_that_are_none_are_that_samples_error(tmp_path: Path, content: bytes) -> None:
    dataset = rgbd(tmp_path, b"rgb/1.png depth/1.png\nrgb/2.png depth/2.npy")
    (tmp_path / "depth" / "2.npy").write_bytes(content)
    dataset.open()
    with pytest.raises(SampleError, match=r"2\.npy"):
        dataset[1]


@pytest.mark.parametrize("depth", [1e-60, 1e60])
def test_depths_that_would_become_0_or_infinite_are_that_samples_error(tmp_path: Path, depth: float) -> None:
    dataset = rgbd(tmp_path, b"rgb/1.png depth/1.png\nrgb/2.png depth/2.npy")
    np.save(tmp_path / "depth" / "2.npy", np.where(np.eye(4, 6), depth, 1000.0))
    dataset.open()
    with pytest.raises(SampleError, match=r"2\.npy: holds a depth of 1e[+-]\d+ m, which float32 does not hold"):
        dataset[1]


def test_several_arrays_in_one_file_are_no_depth_map(tmp_path: Path) -> None:
    dataset = rgbd(tmp_path, b"rgb/1.png depth/1.png\nrgb/2.png depth/2.npy")
    with (tmp_path / "depth" / "2.npy").open("wb") as file:
        np.savez(file, a=np.ones((4, 6)))
    dataset.open()
    with pytest.raises(SampleError, match=r"2\.npy: .*holds several arrays"):
        dataset[1]
