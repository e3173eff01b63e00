"""Text lists, changed at random: the lines that Python's own reader finds, or a sentence with file and line."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from harness.dataset import Dataset
from harness_tasks.action.datasets.ucf101 import UCF101
from harness_tasks.action.datasets.video_folder import VideoFolder
from harness_tasks.depth.datasets.rgbd import Rgbd
from harness_tasks.detection.datasets.voc import Voc
from harness_tasks.segmentation.datasets.camvid import CamVid
from kit.fuzzing import TEXTS, encoded, fuzz, outcome

PLACE = re.compile(
    r"lines? \d+|is empty|names no clip|files are not in|are not there|two images are called .*: /.* and /"
)
CLASSES = "1 Run\n2 High Jump\n"
VOC_XML = (
    "<annotation><object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>3</ymax></bndbox>"
)
VOC_XML += "</object></annotation>"


def picture(path: Path, depth: bool = False, labels: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape, kind = ((4, 6), np.uint16 if depth else np.uint8) if depth or labels else ((4, 6, 3), np.uint8)
    Image.fromarray(np.full(shape, 7, kind)).save(path)


def voc(root: Path) -> tuple[Path, Callable[[], Dataset], str]:
    for name in ("000001", "IMG (1) 2", "c"):
        picture(root / "VOC2007/JPEGImages" / f"{name}.jpg")
        (root / "VOC2007/Annotations").mkdir(exist_ok=True)
        (root / "VOC2007/Annotations" / f"{name}.xml").write_text(VOC_XML)
    listed = root / "VOC2007/ImageSets/Main/val.txt"
    return listed, lambda: Voc("detection", "val", root), "000001\nIMG (1) 2\nc  -1\n"


def ucf101(root: Path) -> tuple[Path, Callable[[], Dataset], str]:
    text = "Run/v_Run_g01_c01.avi 1\nRun/v_Run_g01_c02.avi 1\nHigh Jump/v_HighJump_g02_c01.avi 2\n"
    for line in text.splitlines():
        clip = root / "UCF-101" / line[:-2]
        clip.parent.mkdir(parents=True, exist_ok=True)
        clip.touch()
    (root / "ucfTrainTestlist").mkdir()
    (root / "ucfTrainTestlist/classInd.txt").write_text(CLASSES)
    return root / "ucfTrainTestlist/trainlist01.txt", lambda: UCF101("action", "train", root), text


def ucf101_classes(root: Path) -> tuple[Path, Callable[[], Dataset], str]:
    listed, dataset, text = ucf101(root)
    listed.write_text(text.splitlines()[0])
    return root / "ucfTrainTestlist/classInd.txt", dataset, CLASSES


def video_folder(root: Path) -> tuple[Path, Callable[[], Dataset], str]:
    text = "run/a 1.avi\nrun/b.avi\njump/c.avi\n"
    for line in text.splitlines():
        (root / line).parent.mkdir(exist_ok=True)
        (root / line).touch()
    return root / "some.txt", lambda: VideoFolder("action", None, root, list="some.txt"), text


def camvid(root: Path) -> tuple[Path, Callable[[], Dataset], str]:
    text = ""
    for name in ("0001TP_1", "0001TP_2", "Seq05VD 3"):
        picture(root / "test" / f"{name}.png")
        picture(root / "testannot" / f"{name}.png", labels=True)
        text += f"/SegNet/My Data/test/{name}.png /SegNet/My Data/testannot/{name}.png\n"
    return root / "test.txt", lambda: CamVid("segmentation", None, root), text


def rgbd(root: Path) -> tuple[Path, Callable[[], Dataset], str]:
    for name in ("1", "2", "a 3"):
        picture(root / "rgb" / f"{name}.png")
        picture(root / "depth" / f"{name}.png", depth=True)
    text = "# colour, depth\n0.1 rgb/1.png 0.2 depth/1.png\nrgb/2.png depth/2.png\nrgb/a 3.png depth/a 3.png\n"
    return root / "pairs.txt", lambda: Rgbd("depth", None, root, list="pairs.txt"), text


def changed(text: str, operations: list[tuple[str, int, int, str]]) -> str:
    """The list after some operations, each on a line, or on a place in a line, by its number."""
    lines = text.splitlines()
    for name, first, second, inserted in operations:
        if not lines:
            break
        place, other = first % len(lines), second % len(lines)
        if name == "insert":
            cut = second % (len(lines[place]) + 1)
            lines[place] = lines[place][:cut] + inserted + lines[place][cut:]
        elif name == "word":
            words = re.split("([ /])", lines[place])
            words[second % len(words)] = inserted
            lines[place] = "".join(words)
        elif name == "line":
            lines.insert(place, inserted)
        elif name == "double":
            lines.insert(other, lines[place])
        elif name == "join":
            lines[place] += " " + lines.pop(other) if place < other else ""
        else:
            del lines[place]
    return "\n".join(lines) + "\n"


OPERATION = st.tuples(
    st.sampled_from(("insert", "word", "line", "double", "join", "remove")),
    st.integers(0, 200),
    st.integers(0, 200),
    TEXTS,
)


def lines_by_python(data: bytes, comment: str) -> list[str]:
    """The lines that are not empty, by Python's reader of text files with universal newlines."""
    mark = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32"}
    mark |= {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
    name = next((name for start, name in mark.items() if data.startswith(start)), "utf-8")
    lines = [line.strip(" \t\n") for line in io.TextIOWrapper(io.BytesIO(data), name)]
    return [line for line in lines if line and not (comment and line.startswith(comment))]


@pytest.mark.parametrize("kind", [voc, ucf101, ucf101_classes, video_folder, camvid, rgbd])
def test_lists(tmp_path: Path, kind: Callable[[Path], tuple[Path, Callable[[], Dataset], str]]) -> None:
    path, create, text = kind(tmp_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    read = refused = 0

    def check(content: bytes) -> None:
        nonlocal read, refused
        path.write_bytes(content)
        dataset = create()
        _, told = outcome(dataset.open)
        if told:
            assert path.name in told or re.search("files are not in|two images are called", told), told
            assert PLACE.search(told), told
            assert len(told) < 40_000, told
            refused += 1
            return
        read += 1
        lines = lines_by_python(content, "#" if kind is rgbd else "")
        if kind is ucf101_classes:
            assert [re.sub(r"^[^ \t]+[ \t]+", "", line) for line in lines] == list(dataset.classes)
            return
        assert len(dataset) == len(lines)
        if hasattr(dataset, "clips"):
            ids, files = [clip.id for clip in dataset.clips], [clip.path for clip in dataset.clips]
        else:
            ids = [dataset.outline(index).id for index in range(len(dataset))]
            files = [tmp_path]
            assert all(dataset[index].targets[0] is not None for index in range(len(dataset)))
        assert len(set(ids)) == len(ids)
        assert all(name.rpartition("/")[2].split(".")[0] in line for name, line in zip(ids, lines, strict=True))
        assert all(file.exists() and tmp_path in (file, *file.parents) for file in files)

    strategy = st.lists(OPERATION, max_size=3).flatmap(lambda some: encoded(changed(text, some)))
    fuzz(strategy, check)
    assert read
    assert refused
