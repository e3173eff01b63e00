"""The formats of COCO and VOC, on small parts of the real sets and on damaged ones."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import PIL
import pytest
from PIL import Image, features

from harness.errors import DatasetError, SampleError
from harness_tasks.datasets.coco import Coco
from harness_tasks.detection.datasets.voc import VOC_CLASSES, Voc


def opened(kind: type[Coco] | type[Voc], root: Path, split: str | None = None, **options: object) -> Coco | Voc:
    dataset = kind("detection", split, root, **options)
    dataset.open()
    return dataset


# COCO


def coco_content() -> dict[str, Any]:
    return {
        "images": [
            {"id": 7, "file_name": "b.png", "width": 40, "height": 30},
            {"id": 3, "file_name": "sub/a.png"},
            {"id": 9, "file_name": "c.png", "width": 40, "height": 30},
        ],
        "categories": [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 18, "bbox": [1, 2, 3.5, 4], "area": 9.5, "iscrowd": 0},
            {"id": 2, "image_id": 3, "category_id": 1, "bbox": [0, 0, 40, 30], "area": 700, "iscrowd": 1},
            {"id": 3, "image_id": 7, "category_id": 1, "bbox": [5, 5, 0, 2]},
        ],
    }


def write_coco(root: Path, change: Callable[[dict[str, Any]], None] = lambda content: None) -> Path:
    content = coco_content()
    change(content)
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    (root / "annotations" / "instances_mine.json").write_text(json.dumps(content))
    (root / "mine" / "sub").mkdir(parents=True, exist_ok=True)
    for name in ("b.png", "sub/a.png", "c.png"):
        Image.new("RGB", (40, 30)).save(root / "mine" / name)
    return root


def test_coco_reads_what_the_file_says(tmp_path: Path) -> None:
    dataset = opened(Coco, write_coco(tmp_path))
    assert dataset.split == "mine"  # the only one
    assert dataset.classes == ("person", "dog")
    assert [dataset.outline(i).id for i in range(len(dataset))] == ["3", "7", "9"]
    assert [dataset.outline(i).stratum for i in range(3)] == ["person", "dog", ""]
    crowd, two, none = (dataset[i].targets[0] for i in range(3))
    assert crowd.crowd.tolist() == [True]
    assert crowd.area.tolist() == [700]
    assert two.boxes.tolist() == [[1, 2, 4.5, 6], [5, 5, 5, 7]]
    assert two.labels.tolist() == [1, 0]
    assert two.area.tolist() == [9.5, 0]
    assert none.boxes.shape == (0, 4)
    assert (dataset.outline(0).height, dataset.outline(0).width) == (30, 40)  # from the file's header


def test_coco_equals_pycocotools(data_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pycocotools.coco import COCO

    root = data_root / "coco_mini"
    reference = COCO(str(root / "annotations" / "instances_train2017.json"))
    dataset = opened(Coco, root, "train2017")
    assert len(dataset) == 80
    assert len(dataset.classes) == 80
    numbers = sorted(reference.getCatIds())
    total = 0
    for index, image in enumerate(sorted(reference.getImgIds())):
        outline, target = dataset.outline(index), dataset[index].targets[0]
        annotations = reference.loadAnns(reference.getAnnIds(imgIds=image))
        assert outline.id == str(image)
        boxes = np.array([a["bbox"] for a in annotations], float).reshape(-1, 4)
        assert np.array_equal(target.boxes[:, :2], boxes[:, :2])
        assert np.allclose(target.boxes[:, 2:] - target.boxes[:, :2], boxes[:, 2:], atol=1e-9)
        assert target.labels.tolist() == [numbers.index(a["category_id"]) for a in annotations]
        assert target.area.tolist() == [a["area"] for a in annotations]
        assert target.crowd.tolist() == [bool(a["iscrowd"]) for a in annotations]
        total += len(annotations)
    assert total == 739
    capsys.readouterr()


def test_coco_opened_goes_to_workers(data_root: Path) -> None:
    dataset = opened(Coco, data_root / "coco_mini", "train2017")
    copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301 (its own)
    assert np.array_equal(copy[5].frames, dataset[5].frames)
    assert copy.outline(5) == dataset.outline(5)
    assert copy.fingerprint() == dataset.fingerprint()


def test_coco_fingerprint_follows_annotations_and_pixels(tmp_path: Path) -> None:
    first = opened(Coco, write_coco(tmp_path)).fingerprint()
    assert opened(Coco, tmp_path).fingerprint() == first
    shutil.copytree(tmp_path, tmp_path / "moved")
    assert opened(Coco, tmp_path / "moved").fingerprint() == first
    Image.new("RGB", (40, 30), "red").save(tmp_path / "mine" / "c.png")
    second = opened(Coco, tmp_path).fingerprint()
    assert second != first
    write_coco(tmp_path / "moved", lambda content: content["annotations"].pop())
    assert opened(Coco, tmp_path / "moved").fingerprint() != first


@pytest.mark.parametrize("kind", [Coco, Voc])
def test_the_decoder_of_the_images_is_named(kind: type[Coco] | type[Voc], monkeypatch: pytest.MonkeyPatch) -> None:
    found = kind("detection").decoders()
    assert found["pillow"] == PIL.__version__
    assert found["libjpeg_turbo"] == features.version("libjpeg_turbo")
    monkeypatch.setattr(PIL, "__version__", "999")
    assert kind("detection").decoders() == {**found, "pillow": "999"}


def test_coco_splits_and_folders_that_are_not_there(tmp_path: Path, data_root: Path) -> None:
    with pytest.raises(DatasetError, match=r"instances_val2017\.json\. Splits with annotations there: train2017"):
        opened(Coco, data_root / "coco_mini", "val2017")
    with pytest.raises(DatasetError, match=r"Expected: ROOT/annotations.*cocodataset\.org"):
        opened(Coco, tmp_path)
    with pytest.raises(DatasetError, match="is no folder"):
        opened(Coco, tmp_path / "absent")
    with pytest.raises(DatasetError, match="no --data-root"):
        Coco("detection").open()
    write_coco(tmp_path)
    (tmp_path / "annotations" / "instances_other.json").write_text("{}")
    with pytest.raises(DatasetError, match=r"no split was named.*mine, other"):
        opened(Coco, tmp_path)
    with pytest.raises(DatasetError, match="folder of its images is not"):
        opened(Coco, tmp_path, "other")


def test_coco_with_images_missing(tmp_path: Path) -> None:
    write_coco(tmp_path)
    (tmp_path / "mine" / "sub" / "a.png").unlink()
    (tmp_path / "mine" / "c.png").unlink()
    with pytest.raises(DatasetError, match=r"2 of 3 files are not in .*mine: sub/a\.png, c\.png"):
        opened(Coco, tmp_path)


def _set(content: dict[str, Any], part: str, **values: object) -> None:
    content[part][0].update(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("images"), "'images'"),
        (lambda c: c.update(annotations={}), "'annotations'"),
        (lambda c: _set(c, "annotations", bbox=[1, 2, 3]), "annotation 1: bbox"),
        (lambda c: _set(c, "annotations", bbox=[1, 2, -3, 4]), "annotation 1: bbox"),
        (lambda c: _set(c, "annotations", bbox=[1, 2, 3, float("nan")]), "annotation 1: bbox"),
        (lambda c: _set(c, "annotations", bbox=[1, 2, "3", 4]), "annotation 1: bbox"),
        (lambda c: _set(c, "annotations", area="big"), "annotation 1: bbox"),
        (lambda c: _set(c, "annotations", image_id=99), "annotation 1 is of image 99"),
        (lambda c: _set(c, "annotations", category_id=99), "annotation 1 is of category 99"),
        (lambda c: _set(c, "images", id=9), "two images"),
        (lambda c: _set(c, "images", id="x"), "image 'x'"),
        (lambda c: _set(c, "images", width="wide"), "image 7"),
        (lambda c: _set(c, "images", file_name="../outside.png"), "no name inside"),
        (lambda c: _set(c, "images", file_name="/etc/passwd"), "no name inside"),
        (lambda c: _set(c, "images", file_name=None), "no name inside"),
        (lambda c: _set(c, "categories", id=1), "two categories"),
        (lambda c: _set(c, "categories", name="person"), "two categories"),
    ],
)
def test_coco_malformed(tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str) -> None:
    write_coco(tmp_path, change)
    with pytest.raises(DatasetError, match=message) as raised:
        opened(Coco, tmp_path)
    assert "instances_mine.json" in str(raised.value)


def test_coco_that_is_no_json(tmp_path: Path) -> None:
    path = write_coco(tmp_path) / "annotations" / "instances_mine.json"
    for content in (b"", b"[1, 2", b"\xff\xfe\x00", b"[" * 200_000, b"[]"):
        path.write_bytes(content)
        with pytest.raises(DatasetError, match=r"instances_mine\.json"):
            opened(Coco, tmp_path)


def test_a_size_that_differs_is_the_samples_error(tmp_path: Path) -> None:
    dataset = opened(Coco, write_coco(tmp_path, lambda content: _set(content, "images", width=30, height=40)))
    with pytest.raises(SampleError, match="say 30x40, the file has 40x30"):
        dataset[1]
    assert dataset[2].frames.shape == (1, 30, 40, 3)


# VOC

XML = """<annotation><filename>x.jpg</filename><size><width>40</width><height>30</height><depth>3</depth></size>
<object><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>40</xmax><ymax>30</ymax></bndbox><name>person</name>
<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part></object>
<object><name>cat</name><difficult>1</difficult>
<bndbox><xmin>5</xmin><ymin>6</ymin><xmax>5</xmax><ymax>6</ymax></bndbox></object></annotation>"""


def write_voc(root: Path, year: int = 2007, **files: str) -> Path:
    folder = root / "VOCdevkit" / f"VOC{year}"
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    files = files or {"one": XML, "two": XML}
    for name, content in files.items():
        (folder / "Annotations" / f"{name}.xml").write_text(content)
        Image.new("RGB", (40, 30)).save(folder / "JPEGImages" / f"{name}.jpg")
    (folder / "ImageSets" / "Main" / "val.txt").write_text("".join(f"{name}\n" for name in files))
    (folder / "ImageSets" / "Main" / "cat_val.txt").write_text("".join(f"{name} -1\n" for name in files))
    return root


def test_voc_corners_parts_and_difficult(tmp_path: Path) -> None:
    dataset = opened(Voc, write_voc(tmp_path))
    assert dataset.split == "val"
    target = dataset[0].targets[0]
    assert target.boxes.tolist() == [[0, 1, 40, 30], [4, 5, 5, 6]]
    assert [dataset.classes[label] for label in target.labels] == ["person", "cat"]
    assert target.difficult.tolist() == [False, True]
    assert target.area.tolist() == [40 * 29, 1]
    assert dataset.outline(0).stratum == "cat"


def test_voc_real(data_root: Path) -> None:
    root = data_root / "voc2007_mini"
    trainval, test = opened(Voc, root, "trainval"), opened(Voc, root)
    assert (len(trainval), len(test), test.split) == (134, 66, "test")
    assert test.classes == VOC_CLASSES
    targets = [dataset[i].targets[0] for dataset in (trainval, test) for i in range(len(dataset))]
    assert sum(len(target.labels) for target in targets) == 641
    assert sum(int(target.difficult.sum()) for target in targets) == 173
    for target in targets:
        assert ((target.boxes[:, 2:] - target.boxes[:, :2]) >= 1).all()
    outline, sample = test.outline(0), test[0]
    assert sample.frames.shape == (1, outline.height, outline.width, 3)
    assert sample.source.format == "jpeg"
    tree = ElementTree.parse(root / "VOCdevkit" / "VOC2007" / "Annotations" / f"{outline.id}.xml")
    first = [int(tree.findtext(f"object/bndbox/{key}", "")) for key in ("xmin", "ymin", "xmax", "ymax")]
    assert (sample.targets[0].boxes[0] + [1, 1, 0, 0]).tolist() == first


def test_voc_roots_and_years(tmp_path: Path, data_root: Path) -> None:
    root = data_root / "voc2007_mini"
    digests = {
        opened(Voc, folder, "val").fingerprint()
        for folder in (root, root / "VOCdevkit", root / "VOCdevkit" / "VOC2007")
    }
    assert len(digests) == 1
    write_voc(tmp_path)
    write_voc(tmp_path, 2012, three=XML)
    with pytest.raises(DatasetError, match="VOC2007, VOC2012: say which by the option year"):
        opened(Voc, tmp_path)
    assert opened(Voc, tmp_path, year=2012).outline(0).id == "three"
    with pytest.raises(DatasetError, match="no folder VOC2010"):
        opened(Voc, tmp_path, year=2010)


def test_voc_splits_and_missing_files(tmp_path: Path) -> None:
    folder = write_voc(tmp_path) / "VOCdevkit" / "VOC2007"
    with pytest.raises(DatasetError, match=r"'test'. It has: val\. Expected: ROOT/VOCdevkit"):
        opened(Voc, tmp_path, "test")
    (folder / "JPEGImages" / "two.jpg").unlink()
    with pytest.raises(DatasetError, match=r"1 of 2 files are not in .*JPEGImages: two\.jpg"):
        opened(Voc, tmp_path)
    (folder / "Annotations" / "one.xml").unlink()
    with pytest.raises(DatasetError, match=r"1 of 2 files are not in .*Annotations: one\.xml"):
        opened(Voc, tmp_path)
    for content in ("", "../one\n", "one\none\n"):
        (folder / "ImageSets" / "Main" / "val.txt").write_text(content)
        with pytest.raises(DatasetError, match=r"val\.txt"):
            opened(Voc, tmp_path)


BOMB = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]>' + XML.replace("person", "&y;")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<annotation>",
        BOMB,
        XML.replace("<xmin>1</xmin>", "", 1),
        XML.replace("<xmin>1</xmin>", "<xmin>nan</xmin>", 1),
        XML.replace("<xmax>40</xmax>", "<xmax>-4</xmax>", 1),
        "<annotation><object><name>cat</name></object></annotation>",
    ],
)
def test_voc_malformed_xml_is_that_samples_error(tmp_path: Path, content: str) -> None:
    dataset = opened(Voc, write_voc(tmp_path, good=XML, bad=content))
    assert len(dataset[0].targets[0].labels) == 2
    with pytest.raises(SampleError, match=r"bad\.xml cannot be read"):
        dataset[1]
    assert (dataset.outline(1).id, dataset.outline(1).width) == ("bad", 40)


def test_voc_without_a_size_reads_the_header(tmp_path: Path) -> None:
    dataset = opened(Voc, write_voc(tmp_path, one="<annotation></annotation>"))
    assert (dataset.outline(0).height, dataset.outline(0).width) == (30, 40)
    assert dataset[0].targets[0].boxes.shape == (0, 4)


def test_voc_with_other_classes(tmp_path: Path) -> None:
    write_voc(tmp_path, one=XML.replace("person", "robot"))
    with pytest.raises(DatasetError, match="'robot' is none of aeroplane"):
        opened(Voc, tmp_path)
    dataset = opened(Voc, tmp_path, classes="cat|robot")
    assert dataset.classes == ("cat", "robot")
    assert dataset[0].targets[0].labels.tolist() == [1, 0]
