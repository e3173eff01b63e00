"""VOC's XML, changed at random: targets that an independent reader has too, or a sentence with file and place."""

from __future__ import annotations

import copy
import re
import warnings
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from harness_tasks.detection.datasets.voc import Voc
from harness_tasks.detection.task import Detection
from kit.detection import detections
from kit.fuzzing import TEXTS, encoded, fuzz, outcome

Node = list  # a tag, a text, and nodes
PLACE = re.compile(r"line \d+|object \d+|in <size>|<size> comes|its root is|not directly under the root|Forbidden")
TAGS = (
    "annotation",
    "object",
    "name",
    "difficult",
    "bndbox",
    "xmin",
    "ymax",
    "size",
    "width",
    "part",
    "Object",
    "{n}a",
)
ENCODINGS = (
    "UTF-8",
    "utf-16",
    "latin-1",
    "ascii",
    "hex",
    "rot13",
    "GBK",
    "idna",
    "unicode_escape",
    "klingon",
    "",
    "cp037",
)


def box(*corners: int) -> Node:
    return [
        "bndbox",
        "",
        *([key, str(value)] for key, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)),
    ]


VALID: Node = [
    "annotation",
    "",
    ["filename", "bad.jpg"],
    ["size", "", ["width", "40"], ["height", "30"], ["depth", "3"]],
    ["object", "", ["name", "cat"], ["truncated", "0"], ["difficult", "1"], box(1, 2, 20, 25)],
    [
        "object",
        "",
        ["name", "person"],
        ["difficult", "0"],
        box(5, 6, 40, 30),
        ["part", "", ["name", "head"], box(1, 1, 2, 2)],
    ],
    ["object", "", ["name", "cat"], box(9, 9, 9, 9)],
]


def nodes(node: Node) -> list[Node]:
    return [node, *(below for child in node[2:] for below in nodes(child))]


def changed(operations: list[tuple[str, int, int, str, str]]) -> Node:
    """The valid document after some operations, each on a node by its number."""
    document = copy.deepcopy(VALID)
    for name, first, second, text, tag in operations:
        every = nodes(document)
        node, other = every[first % len(every)], every[second % len(every)]
        parents = [one for one in every if any(child is node for child in one[2:])]
        if name == "text":
            node[1] = text
        elif name == "tag":
            node[0] = tag
        elif parents and name in ("remove", "move"):
            place = next(place for place, child in enumerate(parents[0]) if child is node)
            del parents[0][place]
            if name == "move" and not any(one is other for one in nodes(node)):
                other.append(node)
        elif parents and name == "double":
            parents[0].append(copy.deepcopy(node))
    return document


def written(node: Node, raw: bool) -> str:
    text = node[1] if raw else escape(node[1])
    return f"<{node[0]}>{text}{''.join(written(child, raw) for child in node[2:])}</{node[0]}>\n"


OPERATION = st.tuples(
    st.sampled_from(("text", "text", "text", "tag", "remove", "move", "double")),
    st.integers(0, 60),
    st.integers(0, 60),
    TEXTS,
    st.sampled_from(TAGS),
)
HEAD = st.sampled_from(("",) * 20 + tuple(f'<?xml version="1.0" encoding="{name}"?>\n' for name in ENCODINGS))
FILE = st.tuples(st.lists(OPERATION, max_size=3), HEAD, st.booleans()).flatmap(
    lambda drawn: encoded(drawn[1] + written(changed(drawn[0]), drawn[2]))
)


def by_the_standard_library(path: Path) -> tuple[list[list[float]], list[bool]]:
    """The boxes and flags as VOC's development kit describes them, with float() for every number."""
    boxes, difficult = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the codec unicode_escape
        root = ElementTree.parse(path).getroot()
    for element in root.findall("object"):
        left, top, right, bottom = (
            float(element.find("bndbox").findtext(key)) for key in ("xmin", "ymin", "xmax", "ymax")
        )
        boxes.append([left - 1, top - 1, right, bottom])
        difficult.append(float(element.findtext("difficult", "0")) == 1)
    return boxes, difficult


def test_voc_annotations(tmp_path: Path) -> None:
    folder = tmp_path / "VOC2007"
    for part in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / part).mkdir(parents=True)
    for name in ("bad", "good"):
        (folder / "Annotations" / f"{name}.xml").write_text(written(VALID, raw=False))
        Image.new("RGB", (40, 30)).save(folder / "JPEGImages" / f"{name}.jpg")
    (folder / "ImageSets/Main/val.txt").write_text("bad\ngood\n")
    path, task = folder / "Annotations" / "bad.xml", Detection(Voc("detection").classes)
    read = refused = 0

    def check(content: bytes) -> None:
        nonlocal read, refused
        path.write_bytes(content)
        dataset = Voc("detection", None, tmp_path)
        _, told = outcome(dataset.open)
        if told:
            assert re.search(r"bad\.xml: object \d+: class ", told), told
            refused += 1
            return
        assert [dataset.outline(index).id for index in range(2)] == ["bad", "good"]
        assert len(dataset[1].targets[0].boxes) == 3, "another file's objects are as they were"
        sample, told = outcome(lambda: dataset[0])
        if sample is None:
            assert re.search(r"bad\.xml cannot be read|bad\.jpg: the annotations say", told), told
            assert "bad.jpg" in told or PLACE.search(told), told
            assert len(told) < 600, told
            refused += 1
            return
        target = sample.targets[0]
        read += 1
        boxes, difficult = by_the_standard_library(path)
        assert target.boxes.tolist() == boxes
        assert target.difficult.tolist() == difficult
        statistics = task.score(detections([[1, 1, 20, 25]], [0.5], [7]), target)
        assert all(np.isfinite(values).all() for values in statistics.values())

    fuzz(FILE, check)
    assert read
    assert refused
