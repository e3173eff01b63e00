"""UCF101's layout and videos in a folder a class, on real clips and on what is wrong with such folders."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.dataset import Dataset
from harness.errors import DatasetError, SampleError, UsageError
from harness.video import read_clip
from harness_tasks.action.datasets.ucf101 import UCF101
from harness_tasks.action.datasets.video_folder import VideoFolder


def opened(kind: type[Dataset], root: Path, split: str | None = None, **options: object) -> Dataset:
    dataset = kind("action", split, root, **options)
    dataset.open()
    return dataset


@pytest.fixture
def ucf101(data_root: Path) -> Path:
    return data_root / "ucf101_mini"


@pytest.fixture
def copied(ucf101: Path, tmp_path: Path) -> Path:
    """A copy that a test may change: one clip of each class."""
    root = tmp_path / "copy"
    shutil.copytree(ucf101 / "ucfTrainTestlist", root / "ucfTrainTestlist")
    for path in ucf101.glob("UCF-101/*/*_c01.avi"):
        (root / "UCF-101" / path.parent.name).mkdir(parents=True)
        shutil.copy(path, root / "UCF-101" / path.parent.name)
    kept = "".join(f"{path.parent.name}/{path.name}\r\n" for path in sorted(root.glob("UCF-101/*/*.avi")))
    (root / "ucfTrainTestlist" / "testlist01.txt").write_text(kept, newline="")
    return root


# UCF101


def test_ucf101_reads_the_official_lists(ucf101: Path) -> None:
    test = opened(UCF101, ucf101)
    assert (test.split, len(test), len(test.classes)) == ("test", 15, 101)
    assert test.classes[0] == "ApplyEyeMakeup"
    assert test.classes[100] == "YoYo"
    labels = [test.clips[index].label for index in (0, 5, 14)]
    assert [test.classes[label] for label in labels] == ["ApplyEyeMakeup", "BenchPress", "Diving"]
    outlines = [test.outline(index) for index in range(15)]
    assert {outline.group for outline in outlines} == {"ApplyEyeMakeup_g01", "BenchPress_g01", "Diving_g01"}
    assert {outline.stratum for outline in outlines} == {"ApplyEyeMakeup", "BenchPress", "Diving"}
    assert outlines[0].id == "v_ApplyEyeMakeup_g01_c01"
    train = opened(UCF101, ucf101, "train", list=2)
    assert [train.outline(n) for n in range(15)] == outlines
    assert not test.still
    assert set(test.decoders()) == {"av", "libavformat", "libavcodec", "libswscale", "reader"}


def test_ucf101_whole_lists(ucf101: Path, tmp_path: Path) -> None:
    """The seven original files; of the clips those of one list are there, as empty files: nothing is decoded."""
    lists = ucf101 / "ucfTrainTestlist_full"
    shutil.copytree(lists, tmp_path / "ucfTrainTestlist")
    for line in (lists / "testlist01.txt").read_text().split():
        clip = tmp_path / "UCF-101" / line
        clip.parent.mkdir(parents=True, exist_ok=True)
        clip.touch()
    test = opened(UCF101, tmp_path)
    assert len(test) == 3783
    pushups = [clip for clip in test.clips if "HandStand" in clip.id]  # in the folder HandstandPushups
    assert {test.classes[clip.label] for clip in pushups} == {"HandstandPushups"}
    assert len({clip.group for clip in test.clips}) == 101 * 7
    sizes = {("train", 1): 9537, ("train", 2): 9586, ("train", 3): 9624, ("test", 2): 3734, ("test", 3): 3696}
    for (split, number), size in sizes.items():
        with pytest.raises(DatasetError, match=f"of the {size} clips"):
            opened(UCF101, tmp_path, split, list=number)


def test_ucf101_samples_are_the_clips(ucf101: Path) -> None:
    dataset = opened(UCF101, ucf101)
    sample, outline = dataset[5], dataset.outline(5)
    path = ucf101 / "UCF-101/BenchPress/v_BenchPress_g01_c01.avi"
    frames, source = read_clip(path)
    assert np.array_equal(sample.frames, frames)
    assert sample.frames.shape == (outline.frames, outline.height, outline.width, 3) == (151, 240, 320, 3)
    assert (sample.fps, sample.source) == (25, source)
    assert (outline.scored, sample.targets) == ((0,), {0: dataset.classes.index("BenchPress")})


def test_ucf101_parts_of_clips(ucf101: Path) -> None:
    whole = opened(UCF101, ucf101)[9].frames
    assert len(whole) == 88
    middle = opened(UCF101, ucf101, frames=20)
    assert np.array_equal(middle[9].frames, whole[34:54])
    assert middle.outline(9).frames == 20
    stated = opened(UCF101, ucf101, frames=20, start=80)
    assert np.array_equal(stated[9].frames, whole[80:])
    assert stated.outline(9).frames == 8
    third = opened(UCF101, ucf101, frames=20, stride=3)
    assert np.array_equal(third[9].frames, whole[14:74:3])
    assert third[9].fps == pytest.approx(25 / 3)
    assert opened(UCF101, ucf101, stride=3).outline(9).frames == len(whole[::3]) == 30
    late = opened(UCF101, ucf101, start=88)
    with pytest.raises(SampleError, match="start=88, but it has 88 frames"):
        late.outline(9)
    with pytest.raises(SampleError, match="start=88"):
        late[9]


def test_ucf101_goes_to_workers_and_has_a_fingerprint(copied: Path) -> None:
    dataset = opened(UCF101, copied, frames=4)
    copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301 (its own)
    assert np.array_equal(copy[1].frames, dataset[1].frames)
    first = dataset.fingerprint()
    assert copy.fingerprint() == first
    moved = copied.rename(copied.with_name("moved"))
    assert opened(UCF101, moved).fingerprint() == first
    listed = moved / "ucfTrainTestlist" / "testlist01.txt"
    lines = listed.read_text().splitlines()
    listed.write_text("\n".join(reversed(lines)))
    assert opened(UCF101, moved).fingerprint() != first
    listed.write_text("\n".join(lines))
    assert opened(UCF101, moved).fingerprint() == first
    clips = sorted(moved.glob("UCF-101/*/*.avi"))
    shutil.copy(clips[0], clips[1])
    assert opened(UCF101, moved).fingerprint() != first


def test_ucf101_what_is_missing_is_said(copied: Path, tmp_path: Path, ucf101: Path) -> None:
    with pytest.raises(DatasetError, match=r"trainlist01.txt names no clip for the split train. .*: list=2, list=3"):
        opened(UCF101, ucf101, "train")
    with pytest.raises(DatasetError, match="no split 'val': test, train"):
        UCF101("action", "val", ucf101)
    with pytest.raises(UsageError, match="list=4: allowed are 1, 2, 3"):
        UCF101("action", None, ucf101, list=4)
    with pytest.raises(DatasetError, match=r"no folder UCF-101 and no folder ucfTrainTestlist.*crcv\.ucf\.edu"):
        opened(UCF101, tmp_path)
    with pytest.raises(DatasetError, match="no --data-root"):
        UCF101("action").open()
    next((copied / "UCF-101").glob("Diving/*")).unlink()
    with pytest.raises(DatasetError, match=r"1 of the 3 clips .* not there: v_Diving_g01_c01\.avi"):
        opened(UCF101, copied)
    (copied / "ucfTrainTestlist" / "testlist01.txt").unlink()
    with pytest.raises(DatasetError, match=r"testlist01\.txt cannot be read"):
        opened(UCF101, copied)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("trainlist02.txt", "Diving/v_Diving_g01_c01.avi 2", r"class number 2, but Diving is 26"),
        ("testlist01.txt", "Diving/v_Diving_g01_c01.avi\n" * 2, "names 1 clips twice"),
        ("testlist01.txt", "Divng/v_Diving_g01_c01.avi", r"line 1: <Class>/v_<Class>_gNN_cNN\.avi"),
        ("testlist01.txt", "\nDiving/x.avi", "line 2"),
        ("testlist01.txt", "../Diving/v_Diving_g01_c01.avi", "line 1"),
        ("testlist01.txt", "\xff", "line 1"),
        ("classInd.txt", "0 ApplyEyeMakeup", "'1 <Class>' was expected"),
        ("classInd.txt", "1 A\n2 A", "names come twice"),
        ("classInd.txt", "", "it is empty"),
        ("classInd.txt", "1", "'1 <Class>' was expected"),
    ],
)
def test_ucf101_malformed_lists(copied: Path, file: str, content: str, message: str) -> None:
    (copied / "ucfTrainTestlist" / file).write_text(content, "utf-8")
    split, number = ("train", 2) if file == "trainlist02.txt" else ("test", 1)
    with pytest.raises(DatasetError, match=message):
        opened(UCF101, copied, split, list=number)


def test_a_damaged_clip_is_that_samples_error(copied: Path) -> None:
    path = copied / "UCF-101/Diving/v_Diving_g01_c01.avi"
    path.write_bytes(path.read_bytes()[:100_000])
    dataset = opened(UCF101, copied)
    assert dataset.outline(0).frames == 164
    for read in (dataset.outline, dataset.__getitem__):
        with pytest.raises(SampleError, match="cut short"):
            read(2)


# A folder a class


def test_hmdb51s_layout(data_root: Path) -> None:
    dataset = opened(VideoFolder, data_root / "hmdb51_mini")
    assert dataset.classes == ("cartwheel", "wave")
    assert (len(dataset), dataset.split) == (4, "all")
    assert [dataset.outline(index).frames for index in range(4)] == [83, 72, 74, 48]
    assert [dataset.outline(index).width for index in range(4)] == [320, 560, 320, 432]
    samples = [dataset[index] for index in range(4)]
    assert [sample.targets for sample in samples] == [{0: 0}, {0: 1}, {0: 1}, {0: 1}]
    assert [len(sample.frames) for sample in samples] == [83, 72, 74, 48]
    assert {sample.fps for sample in samples} == {30}
    assert dataset.outline(1).group == dataset.outline(1).id == "wave/RATRACE_wave_f_nm_np1_fr_goo_37.avi"
    assert pickle.loads(pickle.dumps(dataset)).fingerprint() == dataset.fingerprint()  # noqa: S301 (its own)


def test_video_folder_groups_splits_and_lists(ucf101: Path, tmp_path: Path) -> None:
    by_video = opened(VideoFolder, ucf101 / "UCF-101", group=r"^(.*)_c\d+")
    assert {by_video.outline(index).group for index in range(15)} == {
        f"{name}/v_{name}_g01" for name in ("ApplyEyeMakeup", "BenchPress", "Diving")
    }
    for name in ("train/run/a.avi", "train/jump/b.AVI", "val/run/c.mp4", "val/run/.hidden.avi", "val/run/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "val" / "empty").mkdir()
    val = opened(VideoFolder, tmp_path)
    train = opened(VideoFolder, tmp_path, "train")
    assert (val.split, val.classes, train.classes) == ("val", ("jump", "run"), ("jump", "run"))
    assert [clip.id for clip in val.clips] == ["run/c.mp4"]
    assert [(clip.id, clip.label) for clip in train.clips] == [("jump/b.AVI", 0), ("run/a.avi", 1)]
    assert val.clips[0].label == 1
    (tmp_path / "some.txt").write_text("run/a.avi\r\n\r\n", newline="")
    assert [clip.id for clip in opened(VideoFolder, tmp_path, "train", list="some.txt").clips] == ["run/a.avi"]


def test_video_folder_errors(ucf101: Path, tmp_path: Path) -> None:
    root = ucf101 / "UCF-101"
    with pytest.raises(DatasetError, match="no folder of the split 'val'"):
        opened(VideoFolder, root, "val")
    with pytest.raises(DatasetError, match="holds no videos, but no folder with videos"):
        opened(VideoFolder, tmp_path)
    with pytest.raises(DatasetError, match="holds 5 videos, but no folder"):
        opened(VideoFolder, root / "Diving")
    with pytest.raises(UsageError, match="no regular expression"):
        opened(VideoFolder, root, group="(")
    with pytest.raises(DatasetError, match="does not fit the clip 'ApplyEyeMakeup/"):
        opened(VideoFolder, root, group="Diving")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a.avi").touch()
    lists = {
        "more.txt": ("run/a.avi\nrun/b.avi", "1 of 2 are not in .*, the first 'run/b.avi'"),
        "twice.txt": ("run/a.avi\nrun/a.avi", "a clip comes twice"),
        "empty.txt": ("", "it is empty"),
        "../out.txt": ("run/a.avi", "a file inside .* was expected"),
        "absent.txt": (None, "cannot be read"),
    }
    for name, (content, message) in lists.items():
        if content is not None:
            (tmp_path / name).write_text(content)
        with pytest.raises(DatasetError, match=message):
            opened(VideoFolder, tmp_path, list=name)
    with pytest.raises(SampleError, match=r"a\.avi"):
        opened(VideoFolder, tmp_path).outline(0)
