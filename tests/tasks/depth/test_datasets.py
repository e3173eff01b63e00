"""Formats of depth datasets: the unit of the numbers, what is missing, pairing, splits, and words for what is wrong."""

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from harness.errors import DatasetError, SampleError
from harness_tasks.depth.datasets.rgbd import Rgbd
from harness_tasks.depth.datasets.synthia import Synthia

HEIGHT, WIDTH = 6, 8


def write_image(path: Path, shade: int = 100, size: tuple[int, int] = (HEIGHT, WIDTH)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((*size, 3), shade, np.uint8))


def write_depth(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, values)
    else:
        assert cv2.imwrite(str(path), values)


def numbers(first: int = 1000, dtype: type = np.uint16) -> np.ndarray:
    """Numbers from `first` on, with a 0 in the first pixel."""
    values = np.arange(first, first + HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(dtype)
    values[0, 0] = 0
    return values


def write_pairs(root: Path, count: int, suffix: str = "png") -> None:
    for index in range(count):
        write_image(root / "rgb" / f"{index:03d}.png", 10 * index)
        write_depth(root / "depth" / f"{index:03d}.{suffix}", numbers(1000 + 100 * index))


def opened(root: Path, split: str | None = None, **options: object) -> Rgbd:
    dataset = Rgbd("depth", split, root, **options)
    dataset.open()
    return dataset


def test_numbers_become_metres(tmp_path: Path) -> None:
    write_pairs(tmp_path, 2)
    sample = opened(tmp_path)[1]
    target = sample.targets[0]
    assert (sample.id, sample.frames.shape, sample.source.format) == ("rgb/001", (1, HEIGHT, WIDTH, 3), "png")
    assert target.dtype == np.float32
    assert np.isnan(target[0, 0])
    assert target[0, 1] == np.float32(1.101)
    assert np.isnan(target).sum() == 1
    scaled = opened(tmp_path, scale=0.0002, offset=0.5)[1].targets[0]
    assert scaled[0, 1] == pytest.approx(1101 / 5000 + 0.5, rel=1e-6)
    other = opened(tmp_path, missing=1101)[1].targets[0]
    assert np.isnan(other[0, 1])
    assert np.isnan(other[0, 0]), "0 metres is no depth, whatever stands for missing"


def test_arrays_are_read_with_their_own_gaps(tmp_path: Path) -> None:
    write_image(tmp_path / "rgb" / "a.png")
    values = numbers().astype(np.float32) / 500
    values[1, :3] = np.nan, np.inf, -1
    write_depth(tmp_path / "depth" / "a.npy", values)
    target = opened(tmp_path, depths="depth/*.npy", scale=1.0)[0].targets[0]
    assert np.isnan(target).sum() == 4
    assert target[2, 2] == values[2, 2]


def test_what_is_beyond_the_cap_is_missing(tmp_path: Path) -> None:
    write_pairs(tmp_path, 1)
    target = opened(tmp_path, cap=1.02)[0].targets[0]
    assert np.nanmax(target) == np.float32(1.02)
    assert np.isfinite(target).sum() == 20


def test_disparity_is_inverted(tmp_path: Path) -> None:
    """With Cityscapes' numbers: disparity = (v - 1) / 256 pixels, depth = baseline x focal length / disparity."""
    write_image(tmp_path / "rgb" / "a.png")
    values = np.zeros((HEIGHT, WIDTH), np.uint16)
    values[0, 1], values[0, 2] = 1, 1 + 256 * 20
    write_depth(tmp_path / "depth" / "a.png", values)
    focal_baseline = 2262.52 * 0.209313
    options = {"kind": "disparity", "scale": 1 / 256, "offset": -1 / 256, "focal_baseline": focal_baseline}
    target = opened(tmp_path, **options)[0].targets[0]
    assert target[0, 2] == pytest.approx(focal_baseline / 20)
    assert np.isfinite(target).sum() == 1


def test_suns_bits_are_turned_back(tmp_path: Path) -> None:
    write_image(tmp_path / "rgb" / "a.png")
    millimetres = numbers(7990)
    write_depth(tmp_path / "depth" / "a.png", (millimetres << 3) | (millimetres >> 13))
    target = opened(tmp_path, encoding="sun")[0].targets[0]
    np.testing.assert_allclose(target[1:], millimetres[1:] / 1000, rtol=1e-6)
    write_depth(tmp_path / "depth" / "a.png", numbers(1).astype(np.uint8))
    with pytest.raises(DatasetError, match="16 bits"):
        opened(tmp_path, encoding="sun")


def test_pairs_come_from_lists(tmp_path: Path) -> None:
    write_pairs(tmp_path, 3)
    (tmp_path / "two.txt").write_text(
        "# time\n0.1 rgb/002.png 0.2 depth/002.png\n\n0.3 rgb/000.png 0.4 depth/000.png\n"
    )
    dataset = opened(tmp_path, list="two.txt")
    assert [dataset.outline(index).id for index in range(len(dataset))] == ["rgb/002", "rgb/000"]
    (tmp_path / "swapped.txt").write_text("depth/001.png rgb/001.png\n")
    assert opened(tmp_path, list="swapped.txt", order="depth-image")[0].id == "rgb/001"
    (tmp_path / "val.txt").write_text("rgb/001.png depth/001.png\n")
    assert len(opened(tmp_path, "val", list="{split}.txt")) == 1
    with pytest.raises(DatasetError, match=r"no list .*train\.txt \(there is: swapped\.txt, two\.txt, val\.txt\)"):
        opened(tmp_path, "train", list="{split}.txt")


def test_splits_are_every_nth_pair_and_the_others(tmp_path: Path) -> None:
    write_pairs(tmp_path, 5)
    ids = {
        split: [dataset.outline(index).id[-1] for index in range(len(dataset))]
        for split in ("test", "train", "all")
        for dataset in [opened(tmp_path, split, every=3)]
    }
    assert ids == {"test": ["0", "3"], "train": ["1", "2", "4"], "all": ["0", "1", "2", "3", "4"]}
    assert opened(tmp_path, every=3).split == "test"
    with pytest.raises(DatasetError, match="no split 'train': all"):
        opened(tmp_path, "train")


def test_groups_are_pairs_or_folders(tmp_path: Path) -> None:
    write_pairs(tmp_path, 2)
    assert [opened(tmp_path).outline(index).group for index in (0, 1)] == ["rgb/000", "rgb/001"]
    assert opened(tmp_path, group="folder").outline(1).group == "rgb"


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no --data-root"):
        Rgbd("depth").open()
    with pytest.raises(DatasetError, match="finds 0, depth"):
        opened(tmp_path)
    write_pairs(tmp_path, 2)
    (tmp_path / "depth" / "001.png").unlink()
    with pytest.raises(DatasetError, match=r"1 have no partner, as rgb/001\.png"):
        opened(tmp_path)
    (tmp_path / "list.txt").write_text("rgb/001.png depth/001.png\n")
    with pytest.raises(DatasetError, match=r"files are missing, the first is .*001\.png"):
        opened(tmp_path, list="list.txt")
    (tmp_path / "list.txt").write_text("rgb/001.png\n")
    with pytest.raises(DatasetError, match="line 1: 2 or 4 columns"):
        opened(tmp_path, list="list.txt")
    (tmp_path / "list.txt").write_text("../rgb/001.png depth/001.png\n")
    with pytest.raises(DatasetError, match="leads out of"):
        opened(tmp_path, list="list.txt")
    with pytest.raises(DatasetError, match="one \\* was expected"):
        opened(tmp_path, images="*/*.png")


def test_wrong_files_are_said(tmp_path: Path) -> None:
    write_pairs(tmp_path, 2)
    dataset = opened(tmp_path)
    depth = tmp_path / "depth" / "001.png"
    write_image(depth)
    with pytest.raises(SampleError, match="depth in colours"):
        dataset[1]
    write_depth(depth, numbers()[:3])
    with pytest.raises(SampleError, match=r"8x3 pixels .* has 8x6"):
        dataset[1]
    depth.write_bytes(b"")
    with pytest.raises(SampleError, match="it is empty"):
        dataset[1]
    depth.write_bytes(b"P5 1 1 255 \0")
    with pytest.raises(SampleError, match="no PNG"):
        dataset[1]
    depth.unlink()
    with pytest.raises(SampleError, match="cannot be read as depth"):
        dataset[1]
    for name in ("000", "001"):
        write_image(tmp_path / "depth" / f"{name}.png")
    with pytest.raises(DatasetError, match=r"depth in colours.*Expected: ROOT/rgb"):
        opened(tmp_path)


def test_the_fingerprint_is_of_both_files(tmp_path: Path) -> None:
    write_pairs(tmp_path, 1)
    before = opened(tmp_path).fingerprint()
    write_depth(tmp_path / "depth" / "000.png", numbers(2000))
    assert opened(tmp_path).fingerprint() != before
    assert "opencv" in opened(tmp_path).decoders()
    assert pickle.loads(pickle.dumps(opened(tmp_path)))[0].id == "rgb/000"  # noqa: S301


def write_synthia(root: Path, package: str, frames: int, camera: str = "Stereo_Left/Omni_F") -> None:
    """The layout of a package: colour depth of 16 bits, centimetres in every channel."""
    for index in range(frames):
        name = f"{index:06d}.png"
        write_image(root / package / "RGB" / camera / name)
        values = numbers(1200 + index)
        values[0, 1] = 65535
        write_depth(root / package / "Depth" / camera / name, np.dstack([values] * 3))


def synthia(root: Path, split: str | None = None, **options: object) -> Synthia:
    dataset = Synthia("depth", split, root, **options)
    dataset.open()
    return dataset


def test_synthia_has_centimetres_in_sixteen_bits_of_colour(tmp_path: Path) -> None:
    write_synthia(tmp_path, "SYNTHIA-SEQS-02-DAWN", 2)
    write_synthia(tmp_path, "SYNTHIA-SEQS-05-FOG", 1)
    dataset = synthia(tmp_path, test="SYNTHIA-SEQS-05-FOG", split="train")
    assert [dataset.outline(index).group for index in range(len(dataset))] == ["SYNTHIA-SEQS-02-DAWN"] * 2
    sample = dataset[1]
    assert sample.id == "SYNTHIA-SEQS-02-DAWN/Stereo_Left/Omni_F/000001"
    target = sample.targets[0]
    assert target[0, 2] == pytest.approx((1201 + 2) / 100)
    assert np.isnan(target[0, :2]).all(), "0, and the sky's 65535"
    assert np.isnan(target).sum() == 2
    assert len(synthia(tmp_path, test="SYNTHIA-SEQS-05-FOG")) == 1
    assert len(synthia(tmp_path, "all")) == 3


def test_synthias_first_channel_is_red(tmp_path: Path) -> None:
    write_synthia(tmp_path, "SYNTHIA-SEQS-02-DAWN", 1)
    path = tmp_path / "SYNTHIA-SEQS-02-DAWN" / "Depth" / "Stereo_Left" / "Omni_F" / "000000.png"
    write_depth(path, np.dstack([numbers() * 0, numbers() * 0, numbers(500)]))  # OpenCV writes blue first
    assert synthia(tmp_path, "all")[0].targets[0][0, 1] == pytest.approx(5.01)


def test_synthias_random_images_are_groups_of_their_own(tmp_path: Path) -> None:
    write_synthia(tmp_path, "RAND_CITYSCAPES", 2, camera="")
    whole, package = synthia(tmp_path, "all"), synthia(tmp_path / "RAND_CITYSCAPES", "all")
    assert len(whole) == len(package) == 2
    assert whole.outline(1).group == whole.outline(1).id == "RAND_CITYSCAPES/000001"


def test_synthias_cameras_are_chosen(tmp_path: Path) -> None:
    for camera in ("Stereo_Left/Omni_F", "Stereo_Right/Omni_B"):
        write_synthia(tmp_path, "SYNTHIA-SEQS-02-DAWN", 1, camera)
    assert len(synthia(tmp_path, "all")) == 1
    assert len(synthia(tmp_path, "all", camera="*")) == 2
    with pytest.raises(DatasetError, match="no image of camera Stereo_Left/Omni_L"):
        synthia(tmp_path, "all", camera="Stereo_Left/Omni_L")


def test_what_is_wrong_with_synthia_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no folder with RGB and Depth"):
        synthia(tmp_path, "all")
    write_synthia(tmp_path, "SYNTHIA-SEQS-02-DAWN", 2)
    with pytest.raises(DatasetError, match=r"no split 'test' of its own.*synthia:test=SYNTHIA-SEQS-02-DAWN"):
        synthia(tmp_path)
    with pytest.raises(DatasetError, match=r"no package 'SYNTHIA'\. Found: SYNTHIA-SEQS-02-DAWN"):
        synthia(tmp_path, test="SYNTHIA")
    (tmp_path / "SYNTHIA-SEQS-02-DAWN" / "Depth" / "Stereo_Left" / "Omni_F" / "000001.png").unlink()
    with pytest.raises(DatasetError, match="1 of 2 depth maps"):
        synthia(tmp_path, "all")


def test_real_pairs_in_three_encodings(data_root: Path) -> None:
    """Medians and ranges as the frames' own descriptions give them: metres of an indoor room, whatever the encoding."""
    desk = opened(data_root / "rgbd_realsense", list="associations.txt", cap=10)
    assert len(desk) == 17
    medians = [float(np.nanmedian(desk[index].targets[0])) for index in (0, 8, 16)]
    assert all(0.5 < median < 1.5 for median in medians)
    assert np.nanmax(desk[0].targets[0]) <= 10
    patterns = opened(data_root / "rgbd_realsense", images="rgb/rgb*.png", depths="depths/depth*.png", cap=10)
    np.testing.assert_array_equal(patterns[3].targets[0], desk[3].targets[0])

    room = data_root / "rgbd_open3d"
    listed = opened(room, list="rgbd.match", order="depth-image")
    assert len(listed) == 5
    assert 0.10 < np.isnan(listed[0].targets[0]).mean() < 0.16
    one = {"images": "other_formats/TUM_color.png", "depths": "other_formats/TUM_depth.png"}
    assert 1 < np.nanmedian(opened(room, scale=0.0002, **one)[0].targets[0]) < 4
    one = {"images": "other_formats/SUN_color.jpg", "depths": "other_formats/SUN_depth.png"}
    sun = opened(room, encoding="sun", **one)[0].targets[0]
    assert np.nanmedian(sun) == pytest.approx(2.7, abs=0.05)
    assert np.nanmax(sun) == pytest.approx(9.9, abs=0.05)
