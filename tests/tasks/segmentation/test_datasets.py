"""CamVid and Cityscapes: made files in their layouts, what is refused, and the real sets."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.errors import DatasetError, SampleError
from harness_tasks.segmentation.datasets.camvid import CAMVID_CLASSES, CamVid
from harness_tasks.segmentation.datasets.cityscapes import CITYSCAPES_CLASSES, Cityscapes
from harness_tasks.segmentation.types import IGNORE
from kit.pictures import noise

NAMES = ("0001TP_006690", "Seq05VD_f00000")


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def camvid(root: Path, labels: np.ndarray | None = None) -> CamVid:
    """Two frames of 6x4 with the lists as SegNet's authors wrote them."""
    lines = []
    for number, name in enumerate(NAMES):
        save(root / "test" / f"{name}.png", noise(4, 6, 3, seed=number))
        default = (np.arange(24, dtype=np.uint8) % 12).reshape(4, 6)
        save(root / "testannot" / f"{name}.png", default if labels is None else labels)
        lines.append(f"/SegNet/CamVid/test/{name}.png /SegNet/CamVid/testannot/{name}.png\n")
    (root / "test.txt").write_text("".join(lines))
    return CamVid("segmentation", None, root)


def cityscapes(root: Path) -> Cityscapes:
    """Three frames of two sequences; the label map has every number there is."""
    numbers = np.array([[*range(34), 255]], np.uint8)
    for name in ("bonn_000000_000019", "bonn_000000_000020", "ulm_000003_000019"):
        city = name.split("_")[0]
        save(root / "leftImg8bit" / "val" / city / f"{name}_leftImg8bit.png", noise(1, 35, 3))
        save(root / "gtFine" / "val" / city / f"{name}_gtFine_labelIds.png", numbers)
    return Cityscapes("segmentation", None, root)


def test_camvid_reads_its_lists_and_ignores_void(tmp_path: Path) -> None:
    dataset = camvid(tmp_path)
    dataset.open()
    assert dataset.classes == CAMVID_CLASSES
    assert [dataset.outline(i).id for i in range(len(dataset))] == list(NAMES)
    assert [dataset.outline(i).group for i in range(2)] == ["0001TP", "Seq05VD"]
    sample = pickle.loads(pickle.dumps(dataset))[1]  # noqa: S301 - as it goes to workers
    assert (sample.frames == noise(4, 6, 3, seed=1)[None]).all()
    truth = sample.targets[0]
    assert truth.dtype == np.uint8
    assert truth.ravel().tolist() == [*range(11), IGNORE] * 2
    assert (sample.source.format, sample.fps) == ("png", None)
    inside = CamVid("segmentation", None, tmp_path.parent)
    (tmp_path.parent / "CamVid").symlink_to(tmp_path)
    inside.open()
    assert inside.fingerprint() == dataset.fingerprint()


def test_the_fingerprint_is_of_pixels_and_labels(tmp_path: Path) -> None:
    dataset = camvid(tmp_path)
    dataset.open()
    before = dataset.fingerprint()
    save(tmp_path / "testannot" / f"{NAMES[1]}.png", np.zeros((4, 6), np.uint8))
    assert dataset.fingerprint() != before


def test_cityscapes_maps_its_numbers(tmp_path: Path) -> None:
    dataset = cityscapes(tmp_path)
    dataset.open()
    assert [dataset.outline(i).group for i in range(3)] == ["bonn_000000", "bonn_000000", "ulm_000003"]
    truth = dataset[0].targets[0][0]
    assert len(CITYSCAPES_CLASSES) == 19
    known = {7: "road", 8: "sidewalk", 11: "building", 17: "pole", 23: "sky", 26: "car", 28: "bus", 33: "bicycle"}
    for number, name in known.items():
        assert CITYSCAPES_CLASSES[truth[number]] == name
    assert sorted(set(truth.tolist())) == [*range(19), IGNORE]
    assert (truth[[0, 1, 4, 6, 9, 10, 14, 15, 16, 18, 29, 30, 34]] == IGNORE).all()


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no list test\.txt.*ROOT/<split>annot"):
        CamVid("segmentation", None, tmp_path).open()
    with pytest.raises(DatasetError, match="no folder leftImg8bit/val"):
        Cityscapes("segmentation", None, tmp_path).open()
    with pytest.raises(DatasetError, match="labels of the split test are not public"):
        Cityscapes("segmentation", "test", tmp_path)
    with pytest.raises(DatasetError, match="no --data-root"):
        Cityscapes("segmentation").open()
    dataset = camvid(tmp_path / "camvid")
    (tmp_path / "camvid" / "testannot" / f"{NAMES[0]}.png").unlink()
    with pytest.raises(DatasetError, match=r"1 of the 4 files .* are not there \(testannot/0001TP"):
        dataset.open()
    dataset = cityscapes(tmp_path / "cityscapes")
    (tmp_path / "cityscapes/gtFine/val/ulm/ulm_000003_000019_gtFine_labelIds.png").unlink()
    with pytest.raises(DatasetError, match=r"1 of 3 images .* have no labels"):
        dataset.open()
    (tmp_path / "camvid" / "test.txt").write_text("test/a.png\n")
    with pytest.raises(DatasetError, match=r"a line 'test/a\.png'"):
        CamVid("segmentation", None, tmp_path / "camvid").open()
    (tmp_path / "camvid" / "test.txt").write_text("\n")
    with pytest.raises(DatasetError, match="has no image"):
        CamVid("segmentation", None, tmp_path / "camvid").open()


def test_labels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"has 6x4 pixels, its labels .* have 3x2"):
        camvid(tmp_path / "size", np.zeros((2, 3), np.uint8)).open()
    dataset = camvid(tmp_path / "range", np.full((4, 6), 12, np.uint8))
    dataset.open()
    with pytest.raises(SampleError, match=r"does not know \(12\); expected are 0 to 11"):
        dataset[0]
    dataset = camvid(tmp_path / "colour", np.zeros((4, 6, 3), np.uint8))
    dataset.open()
    with pytest.raises(SampleError, match="kind 'RGB'; label numbers of 8 bits"):
        dataset[0]
    (tmp_path / "colour" / "testannot" / f"{NAMES[1]}.png").write_bytes(b"no image")
    with pytest.raises(SampleError, match="cannot be decoded"):
        dataset[1]


def test_real_camvid(data_root: Path) -> None:
    counts = {}
    for split, groups in (
        ("test", {"0001TP", "Seq05VD"}),
        ("val", {"0016E5"}),
        ("train", {"0001TP", "0006R0", "0016E5"}),
    ):
        dataset = CamVid("segmentation", split, data_root / "camvid")
        dataset.open()
        counts[split] = len(dataset)
        assert {dataset.outline(i).group for i in range(len(dataset))} == groups
    assert counts == {"test": 117, "val": 51, "train": 184}
    sample = dataset[100]
    assert sample.frames.shape == (1, 360, 480, 3)
    assert set(np.unique(sample.targets[0])) <= {*range(11), IGNORE}
    # The road is below, the sky above: the pictures and their labels are the right way up.
    rows = np.arange(360)[:, None] * np.ones(480)
    assert rows[sample.targets[0] == 3].mean() > 200 > 150 > rows[sample.targets[0] == 0].mean()


def test_real_cityscapes(data_root: Path) -> None:
    root = data_root / "cityscapes_mini"
    dataset = Cityscapes("segmentation", None, root)
    dataset.open()
    assert (len(dataset), dataset.outline(0).group) == (1, "frankfurt_000000")
    truth = dataset[0].targets[0]
    with Image.open(next(root.rglob("*_gtFine_labelTrainIds.png"))) as file:
        theirs = np.asarray(file)
    # Both were made smaller by themselves, and differ at some edges.
    assert (truth == theirs).mean() > 0.997
    large = Cityscapes("segmentation", None, root, images="leftImg8bit_fullres")
    with pytest.raises(DatasetError, match="no labels of the photograph's size"):
        large.open()
