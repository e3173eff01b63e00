"""Annotations as tools and people write them: each gets its value, or a sentence with file and place."""

from __future__ import annotations

import contextlib
import io
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.discovery.plugins import installed
from harness.errors import DatasetError, SampleError, UsageError
from harness.results.superseded import superseded
from harness_tasks.datasets.coco import Coco
from harness_tasks.detection.datasets.voc import Voc
from harness_tasks.detection.task import Detection
from harness_tasks.pose.types import KEYPOINTS
from kit.detection import coco_numbers, detections, evaluate

DATA = next(folder / "data" for folder in Path(__file__).parents if (folder / "data" / "annotations").is_dir())
FILES = DATA / "annotations"
CLASSES = "person|car|truck|bus|sign|light"
HUGE = 10**400


def voc(root: Path, split: str | None = None, **options: object) -> Voc:
    dataset = Voc("detection", split, root, **options)
    dataset.open()
    return dataset


def write_voc(root: Path, files: dict[str, str | bytes], listed: str | bytes | None = None, name: str = "val") -> Path:
    """A set with one XML file and one grey picture of 40x30 for each name; the list has the names."""
    folder = root / "VOC2007"
    for part in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for stem, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (folder / "Annotations" / f"{stem}.xml").write_bytes(data)
        Image.new("RGB", (40, 30)).save(folder / "JPEGImages" / f"{stem}.jpg")
    text = "".join(f"{stem}\n" for stem in files) if listed is None else listed
    (folder / "ImageSets" / "Main" / f"{name}.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def xml(difficult: str = "<difficult>0</difficult>", box: tuple[object, ...] = (5, 6, 20, 25), more: str = "") -> str:
    corners = "".join(
        f"<{key}>{value}</{key}>" for key, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    return f"<annotation><object><name>cat</name>{difficult}{more}<bndbox>{corners}</bndbox></object></annotation>"


# The numbers in VOC's files


def test_difficult_on_a_line_of_its_own(tmp_path: Path) -> None:
    """Seven of the 23 objects are difficult, as a reader of the public kind, int(text), says."""
    files = {path.stem: path.read_text() for path in sorted((FILES / "voc_difficult").glob("*.xml"))}
    spaced = voc(write_voc(tmp_path, files), classes=CLASSES)
    found = [spaced._annotations[index] for index in range(len(files))]
    told = [int(text.partition("</")[0]) for content in files.values() for text in content.split("<difficult>")[1:]]
    flags = [bool(flag) for boxes, _ in found for flag in boxes.difficult]  # type: ignore[misc, union-attr]
    assert flags == [bool(number) for number in told]
    assert (len(flags), sum(flags)) == (23, 7)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<difficult>1</difficult>", True),
        ("<difficult>\n\t\t1\n\t</difficult>", True),
        ("<difficult>1.0</difficult>", True),
        ("<difficult>01</difficult>", True),
        ("<difficult>0.0</difficult>", False),
        ("<difficult> 0 </difficult>", False),
        ("", False),
    ],
)
def test_difficult_is_a_number(tmp_path: Path, text: str, value: bool) -> None:
    assert voc(write_voc(tmp_path, {"a": xml(text)}))[0].targets[0].difficult.tolist() == [value]


@pytest.mark.parametrize("text", ["yes", "true", "", "2", "-1", "0.5", "nan", "1 0", "9" * 400, "<b>1</b>"])
def test_difficult_that_is_neither_0_nor_1_is_that_samples_error(tmp_path: Path, text: str) -> None:
    dataset = voc(write_voc(tmp_path, {"bad": xml(f"<difficult>{text}</difficult>"), "good": xml()}))
    with pytest.raises(
        SampleError, match=r"bad\.xml cannot .*<difficult> of object 1 \(cat\) is '.*', 0 or 1 was expected"
    ):
        dataset[0]
    assert dataset.outline(0).id == "bad"
    assert dataset[1].targets[0].difficult.tolist() == [False]


def test_results_of_the_old_reading_of_difficult_are_marked() -> None:
    old = {"codec": {"name": "none", "fingerprint": {}, "options": {}}, "dataset": {"kind": "voc", "decoders": {}}}
    assert superseded(old, installed()) == "dataset voc: revision 1 (now 2)"
    assert superseded({**old, "dataset": {**old["dataset"], "revision": 2}}, installed()) is None


def test_what_the_voc_kit_does_not_use_changes_nothing(tmp_path: Path) -> None:
    plain = voc(write_voc(tmp_path / "plain", {"a": xml()}))[0].targets[0]
    more = "<truncated>yes</truncated><occluded/><pose>Unspecified</pose>"
    other = voc(write_voc(tmp_path / "more", {"a": xml(more=more)}))[0].targets[0]
    assert other.boxes.tolist() == plain.boxes.tolist()
    assert other.difficult.tolist() == plain.difficult.tolist()


@pytest.mark.parametrize(
    ("box", "corners"),
    [
        ((5, 6, 5, 6), [4, 5, 5, 6]),
        ((" 5.5 ", "+6", "2e1", "25."), [4.5, 5, 20, 25]),
        ((-3, 0, 500, 400), [-4, -1, 500, 400]),
        ((100, 100, 120, 130), [99, 99, 120, 130]),
    ],
)
def test_boxes_of_one_pixel_and_outside_the_picture_keep_their_numbers(
    tmp_path: Path, box: tuple[object, ...], corners: list[float]
) -> None:
    assert voc(write_voc(tmp_path, {"a": xml(box=box)}))[0].targets[0].boxes.tolist() == [corners]


@pytest.mark.parametrize(
    ("box", "message"),
    [
        (("nan", 6, 20, 25), "<xmin> in <bndbox> of object 1 .cat. is 'nan', a number was expected"),
        ((5, "", 20, 25), "<ymin> in <bndbox> of object 1 .cat. is ''"),
        ((5, 6, "1_0", 25), "<xmax> .* is '1_0'"),
        ((5, 6, "9" * 400, 25), r"<xmax> .* is '9+\.\.\.9+'"),
        ((5, 6, "1e300", 25), "<xmax> .* is '1e300'"),
        ((20, 6, 5, 25), "the box of object 1 .cat. has its corners the wrong way round"),
        ((5, 6, "20</xmax><xmax>21", 25), "<xmax> comes 2 times in <bndbox> of object 1"),
    ],
)
def test_boxes_that_are_none_are_that_samples_error(tmp_path: Path, box: tuple[object, ...], message: str) -> None:
    dataset = voc(write_voc(tmp_path, {"bad": xml(box=box), "good": xml()}))
    with pytest.raises(SampleError, match=rf"bad\.xml cannot be read as VOC's XML: .*{message}"):
        dataset[0]
    assert len(dataset[1].targets[0].boxes) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<html><body/></html>", "its root is <html>, and has no <object>"),
        ("<annotation><objects>" + xml()[12:-13] + "</objects></annotation>", "not directly under the root"),
        (xml(more="<name>dog</name>"), "<name> comes 2 times in object 1"),
        (xml(more="<difficult>1</difficult>"), "<difficult> comes 2 times"),
        ("<annotation><size><width>40.5</width><height>30</height></size></annotation>", "<width> in <size> is 40.5"),
        ("<annotation><size><width>-4</width><height>30</height></size></annotation>", "<width> in <size> is -4"),
    ],
)
def test_objects_that_would_be_lost_are_said(tmp_path: Path, content: str, message: str) -> None:
    """An image without objects makes every detection false: what is not understood must not look like one."""
    with pytest.raises(SampleError, match=rf"bad\.xml .*{message}"):
        voc(write_voc(tmp_path, {"bad": content}))[0]


# The encodings, lists and splits of VOC


def test_one_file_of_an_unknown_encoding_costs_one_sample(tmp_path: Path) -> None:
    names = ("hex", "klingon", "GBK", "UTF-16", "idna")
    bad = {name: f'<?xml version="1.0" encoding="{name}"?>{xml()}' for name in names}
    files = {"given": (FILES / "voc_encoding_hex.xml").read_bytes(), **bad, "good": xml()}
    dataset = voc(write_voc(tmp_path, files))
    for index in range(6):
        assert dataset.outline(index).id == list(files)[index]
        with pytest.raises(SampleError, match=rf"{list(files)[index]}\.xml cannot be read as VOC's XML: .*line 1"):
            dataset[index]
    assert len(dataset[len(files) - 1].targets[0].boxes) == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_files_that_name_their_encoding_are_read(tmp_path: Path, encoding: str) -> None:
    head = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>\r\n'
    data = (head + xml().replace("cat", "Zürich")).encode(encoding)
    assert voc(write_voc(tmp_path, {"a": data}), classes="Zürich")[0].targets[0].boxes.tolist() == [[4, 5, 20, 25]]


def test_names_with_spaces_and_lists_of_one_class(tmp_path: Path) -> None:
    names = ["IMG (1) im00", "IMG (1) im01", "photo 1", "# 照片　2"]
    files: dict[str, str | bytes] = dict.fromkeys(names, xml())
    dataset = voc(write_voc(tmp_path, files))
    assert [dataset.outline(index).id for index in range(4)] == names
    two_columns = write_voc(
        tmp_path,
        files,
        "".join(f"{name}  {flag}\r\n" for name, flag in zip(names, ("1", "0", "-1", "+1"), strict=True)),
    )
    assert [voc(two_columns).outline(index).id for index in range(4)] == names
    # "photo 1" is an image's name here, and no image "photo" of which the class is in the picture.
    assert voc(write_voc(tmp_path, files, "photo 1\n")).outline(0).id == "photo 1"


@pytest.mark.parametrize("name", ["cat_val", "my split (2)", "v1.2", "fold/1"])
def test_a_list_is_a_split_whatever_its_name(tmp_path: Path, name: str) -> None:
    write_voc(tmp_path, {"a": xml(), "b": xml()})
    (tmp_path / "VOC2007/ImageSets/Main/fold").mkdir()
    write_voc(tmp_path, {"b": xml()}, "b  1\n", name)
    dataset = voc(tmp_path, name)
    assert [dataset.outline(index).id for index in range(len(dataset))] == ["b"]
    assert len(voc(tmp_path)) == 2, "the usual split is still the default"
    with pytest.raises(DatasetError, match=r"no list of the split '\.\./\.\./x'"):
        voc(tmp_path, "../../x")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_lists_as_windows_writes_them(tmp_path: Path, encoding: str) -> None:
    dataset = voc(write_voc(tmp_path, {"a": xml(), "ü": xml()}, "a\r\n\r\nü\r\n".encode(encoding)))
    assert [dataset.outline(index).id for index in range(2)] == ["a", "ü"]


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ("a\n\nb\na\n", r"val\.txt: .* 'a' comes twice, in the lines 1 and 4"),
        ("a b\n", r"val\.txt, line 1: .* found 'a b'\. There is no annotation file"),
        ("a\nb  2\n", r"val\.txt, line 2: .* found 'b  2'"),
        ("a\n../b\n", r"val\.txt, line 2: .* '\.\./b' is no image's name"),
        (b"a\n\xe9\n", r"val\.txt, line 2: the bytes e9 are not UTF-8"),
        (b"a\0\n", r"val\.txt, line 1: a byte 0"),
        ("", r"val\.txt: .* it is empty"),
        ("a\n" + "x" * 5000, "1 of 2 files are not in"),
    ],
)
def test_lists_that_cannot_be_used(tmp_path: Path, listed: str | bytes, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        voc(write_voc(tmp_path, {"a": xml(), "b": xml()}, listed))


@pytest.mark.parametrize("classes", ["cat|cat", "cat||dog"])
def test_classes_that_come_twice_or_have_no_name(tmp_path: Path, classes: str) -> None:
    with pytest.raises(UsageError, match="option classes="):
        voc(write_voc(tmp_path, {"a": xml()}), classes=classes)


# COCO


def entries() -> dict[str, Any]:
    return {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 40, "height": 30} for n in (1, 2)],
        "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "car"}],
        "annotations": [
            {"id": n, "image_id": 1 + n % 2, "category_id": 1 + n % 2, "bbox": [n, 2, 9, 8], "area": 50, "iscrowd": 0}
            for n in (10, 11, 12)
        ],
    }


def coco(root: Path, content: dict[str, Any] | bytes, task: str = "detection") -> Coco:
    prefix = "instances" if task == "detection" else "person_keypoints"
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    (root / "mine").mkdir(exist_ok=True)
    for name in ("1.png", "2.png"):
        Image.new("RGB", (40, 30)).save(root / "mine" / name)
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (root / "annotations" / f"{prefix}_mine.json").write_bytes(data)
    dataset = Coco(task, "mine", root)
    dataset.open()
    return dataset


def changed(part: str, **values: object) -> dict[str, Any]:
    content = entries()
    content[part][0].update(values)
    return content


def reference(content: dict[str, Any]) -> Any:
    """The same content in pycocotools."""
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = content
        truth.createIndex()
    return truth


@pytest.mark.parametrize(
    "values",
    [
        {"iscrowd": 1.0},
        {"iscrowd": True},
        {"iscrowd": False},
        {"iscrowd": None},
        {"iscrowd": 1, "segmentation": {"size": [30, 40], "counts": [0, 300, 900]}},
        {"iscrowd": 1, "segmentation": {"size": [30, 40], "counts": "0T9T<"}},
        {"image_id": 1.0, "category_id": 2.0},
        {"bbox": [5, 5, 0, 0]},
        {"bbox": [-10, -10, 500, 400]},
        {"bbox": [100, 100, 20, 30]},
        {"area": 0},
        {"area": 1e11},
    ],
)
def test_values_that_pycocotools_reads_are_the_same(tmp_path: Path, values: dict[str, object]) -> None:
    content = changed("annotations", **values)
    dataset = coco(tmp_path, content)
    truth = reference(json.loads(json.dumps(content)))
    for index, image in enumerate(sorted(truth.getImgIds())):
        target, theirs = dataset[index].targets[0], truth.loadAnns(truth.getAnnIds(imgIds=image))
        boxes = np.array([a["bbox"] for a in theirs], float)
        assert np.array_equal(target.boxes, np.column_stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]]))
        assert target.crowd.tolist() == [bool(a["iscrowd"]) for a in theirs]
        assert target.area.tolist() == [a["area"] for a in theirs]
        assert [label + 1 for label in target.labels] == [a["category_id"] for a in theirs]


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        ("annotations", {"iscrowd": "0"}, "annotation 10: 0 or 1 was expected as iscrowd, found '0'"),
        ("annotations", {"iscrowd": 2}, "annotation 10: 0 or 1 .* found 2"),
        ("annotations", {"iscrowd": ""}, "annotation 10: 0 or 1 .* found ''"),
        ("annotations", {"iscrowd": math.nan}, "annotation 10: 0 or 1 .* found nan"),
        ("annotations", {"bbox": [1, math.nan, 3, 4]}, "annotation 10: bbox"),
        ("annotations", {"bbox": [1, 2, -3, 4]}, "annotation 10: bbox"),
        ("annotations", {"bbox": [1, HUGE, 3, 4]}, "annotation 10: bbox"),
        ("annotations", {"bbox": [1, 2, True, 4]}, "annotation 10: bbox"),
        ("annotations", {"area": HUGE}, "annotation 10: bbox"),
        ("annotations", {"area": -1}, "annotation 10: bbox"),
        ("annotations", {"area": None}, "annotation 10: bbox"),
        ("annotations", {"image_id": HUGE}, "annotation 10: a whole number was expected as image_id"),
        ("annotations", {"image_id": 1.5}, "annotation 10: a whole number was expected as image_id, found 1.5"),
        ("annotations", {"category_id": "1"}, "annotation 10: a whole number was expected as category_id, found '1'"),
        ("annotations", {"id": 12}, "annotation 12 comes twice, as numbers 1 and 3 of the list"),
        ("images", {"id": 2}, "two images have the same id, 2"),
        ("images", {"file_name": "2.png"}, "images 1 and 2 have the same file, '2.png'"),
        ("images", {"height": HUGE}, "image 1: a whole number of pixels was expected as height"),
        ("images", {"height": -30}, "image 1: a whole number of pixels was expected as height, found -30"),
        ("images", {"file_name": "\ud800.png"}, r"image 1: file_name '\\ud800\.png' is no name inside"),
        ("categories", {"name": None}, "category 1: a text was expected as name, found None"),
        ("categories", {"name": " "}, "category 1: a text was expected as name"),
        ("categories", {"name": "\ud800"}, r"category 1: a text was expected as name, found '\\ud800'"),
        ("categories", {"id": 2}, "two categories have the id 2"),
        ("categories", {"name": "car"}, "two categories, 1 and 2, are called 'car', and both have annotations"),
    ],
)
def test_entries_that_cannot_be_used_are_named(
    tmp_path: Path, part: str, values: dict[str, object], message: str
) -> None:
    with pytest.raises(DatasetError, match=rf"instances_mine\.json: {message}") as raised:
        coco(tmp_path, changed(part, **values))
    assert len(str(raised.value)) < 500


def test_an_annotation_without_an_id_is_named_by_its_place(tmp_path: Path) -> None:
    content = entries()
    for entry in content["annotations"]:
        del entry["id"]
    assert len(coco(tmp_path, content)[0].targets[0].boxes) == 2
    content["annotations"][2]["bbox"] = None
    with pytest.raises(DatasetError, match="annotation without id, number 3 of the list: bbox"):
        coco(tmp_path, content)


@pytest.mark.parametrize("digits", [400, 5000])
def test_an_integer_of_many_digits(tmp_path: Path, digits: int) -> None:
    """Python's int() itself refuses more than 4300 digits."""
    text = (FILES / "coco_integer_of_400_digits.json").read_text()
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances_val.json").write_text(text.replace("0" * 399, "0" * (digits - 1)))
    (tmp_path / "val").mkdir()
    dataset = Coco("detection", "val", tmp_path)
    with pytest.raises(DatasetError, match=r"instances_val\.json: annotation 4: bbox as .* was expected"):
        dataset.open()


@pytest.mark.parametrize("size", [{"height": 0, "width": 0}, {"height": None, "width": None}, {"height": 30.0}])
def test_sizes_that_are_not_stated_are_the_files(tmp_path: Path, size: dict[str, object]) -> None:
    dataset = coco(tmp_path, changed("images", **size))
    assert (dataset.outline(0).height, dataset.outline(0).width) == (30, 40)
    assert dataset[0].frames.shape == (1, 30, 40, 3)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_in_other_encodings(tmp_path: Path, encoding: str) -> None:
    plain = coco(tmp_path / "plain", entries())
    data = json.dumps(entries(), indent=1).replace("\n", "\r\n").encode(encoding)
    other = coco(tmp_path / "other", data)
    assert other.classes == plain.classes
    assert other[1].targets[0].boxes.tolist() == plain[1].targets[0].boxes.tolist()


def test_a_category_without_annotations_that_bears_a_classs_name(tmp_path: Path) -> None:
    """The metrics are pycocotools' for the same file, detections near the objects, some of the wrong class."""
    from pycocotools.cocoeval import COCOeval

    path = FILES / "coco_category_named_like_class.json"
    content = json.loads(path.read_text())
    (tmp_path / "annotations").mkdir()
    shutil.copy(path, tmp_path / "annotations" / "instances_val.json")
    (tmp_path / "val").mkdir()
    for image in content["images"]:
        Image.new("RGB", (image["width"], image["height"])).save(tmp_path / "val" / image["file_name"])
    dataset = Coco("detection", "val", tmp_path)
    dataset.open()
    used = sorted({entry["category_id"] for entry in content["annotations"]})
    names = {entry["id"]: entry["name"] for entry in content["categories"]}
    assert names[0] == "car"
    assert 0 not in used
    assert dataset.classes == tuple(names[number] for number in sorted(names) if number)

    rng = np.random.default_rng(5)
    frames, found = [], []
    numbers = [number for number in sorted(names) if number]
    for index in range(len(dataset)):
        target = dataset[index].targets[0]
        boxes = target.boxes + rng.normal(0, 3, target.boxes.shape)
        labels = np.where(rng.uniform(size=len(boxes)) < 0.8, target.labels, rng.integers(0, len(numbers), len(boxes)))
        scores = rng.uniform(size=len(boxes)).astype(np.float32)
        prediction = detections(boxes, scores, labels)
        frames.append((prediction, target))
        for box, score, label in zip(prediction.boxes.astype(float), prediction.scores, labels, strict=True):
            where = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
            entry = {"image_id": int(dataset.outline(index).id), "category_id": numbers[label], "bbox": where}
            found.append({**entry, "score": float(score)})
    truth = reference(content)
    with contextlib.redirect_stdout(io.StringIO()):
        theirs, _ = coco_numbers(COCOeval(truth, truth.loadRes(found), "bbox"))
    ours = evaluate(Detection(dataset.classes), frames)
    assert 0.1 < theirs[0] < 0.9
    assert ours["AP"] == pytest.approx(theirs[0], abs=1e-12)
    assert ours["AR100"] == pytest.approx(theirs[8], abs=1e-12)


@pytest.mark.parametrize(("used", "classes"), [((1,), ("car", "bus")), ((3,), ("bus", "car")), ((), ("bus", "car"))])
def test_which_of_two_categories_of_one_name_is_kept(
    tmp_path: Path, used: tuple[int, ...], classes: tuple[str]
) -> None:
    content = entries()
    content["categories"] = [{"id": 1, "name": "car"}, {"id": 2, "name": "bus"}, {"id": 3, "name": "car"}]
    content["annotations"] = [
        {"id": 5 + number, "image_id": 1, "category_id": number, "bbox": [1, 2, 3, 4]} for number in (*used, 2)
    ]
    dataset = coco(tmp_path, content)
    assert dataset.classes == classes
    named = [dataset.classes[label] for label in dataset[0].targets[0].labels]
    assert named == [*(["car"] if used else []), "bus"]


def person(**values: object) -> dict[str, Any]:
    content = entries()
    content["categories"] = [{"id": 1, "name": "person"}]
    content["annotations"] = [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 9, 8], "area": 50, "iscrowd": 0}
        | {"keypoints": [3, 4, 2] * len(KEYPOINTS), **values}
    ]
    return content


@pytest.mark.parametrize("bad", [HUGE, math.nan, True, "3", None])
def test_key_points_that_are_no_numbers(tmp_path: Path, bad: object) -> None:
    assert len(coco(tmp_path, person(), "pose")[0].targets[0].keypoints) == 1
    with pytest.raises(DatasetError, match=r"person_keypoints_mine\.json: annotation 1: keypoints as 51 numbers"):
        coco(tmp_path, person(keypoints=[bad, *[3, 4, 2] * len(KEYPOINTS)][:51]), "pose")


@pytest.mark.parametrize("names", [5, True, ["nose"], "nose", {"nose": 1}])
def test_key_points_names_that_are_none(tmp_path: Path, names: object) -> None:
    content = person()
    content["categories"][0]["keypoints"] = names
    with pytest.raises(DatasetError, match=r"category 1: has the key points .*COCO's 17 were expected"):
        coco(tmp_path, content, "pose")


@pytest.mark.parametrize("split", ["my split (2)", "v1.2", "fold/1"])
def test_a_coco_file_is_a_split_whatever_its_name(tmp_path: Path, split: str) -> None:
    path = tmp_path / "annotations" / f"instances_{split}.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(entries()))
    (tmp_path / split).mkdir(parents=True)
    for name in ("1.png", "2.png"):
        Image.new("RGB", (40, 30)).save(tmp_path / split / name)
    dataset: Callable[..., Coco] = Coco
    opened = dataset("detection", split, tmp_path)
    opened.open()
    assert len(opened) == 2
