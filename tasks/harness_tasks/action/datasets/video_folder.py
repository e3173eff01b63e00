"""The dataset `video-folder`: one folder of videos per class. HMDB51 and the usual layout of Kinetics have this
form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from harness import hookimpl
from harness.dataset import Dataset
from harness.errors import DatasetError, UsageError
from harness.options import Option
from harness.video import SUFFIXES
from harness_tasks.action.datasets.clips import PART, Clip, LabelledClips
from harness_tasks.datasets.common import stays_inside
from harness_tasks.datasets.texts import read_lines, repeated, shown

__all__ = ["VideoFolder"]

_SPLITS = ("test", "val", "train")


class VideoFolder(LabelledClips):
    """Videos in one folder per class. The class folders may be inside one folder per split.

    The classes are the sorted names of all folders with videos, of all splits together. Samples are ordered by class
    and file name. Without folders named test, val or train, all videos form one split, "all". The option `list` selects
    some of the videos.

    Clips that were cut from one video are not statistically independent. The option `group` is a regular expression
    that finds the common part of their names: `group=^(.*)_c` puts `jump/anna_c01.mp4` and `jump/anna_c02.mp4` into one
    group. By default each clip is its own group.
    """

    name = "video-folder"
    summary = "video files in a folder a class"
    options: ClassVar[tuple[Option, ...]] = (
        Option("group", str, None, "regular expression on <class>/<file>; clips with equal first parentheses belong"),
        Option("list", str, None, "text file in ROOT, one <class>/<file> a line: only these clips"),
        *PART,
    )
    layout = f"ROOT/<class>/*.mp4 or ROOT/{{train,val,test}}/<class>/*.mp4 ({', '.join(SUFFIXES)})"

    def open(self) -> None:
        root = self.require_root()
        splits = [name for name in _SPLITS if (root / name).is_dir()]
        self.split = self.split or (splits[0] if splits else "all")
        if self.split not in (splits or ["all"]):
            hint = f"Splits there: {', '.join(splits)}" if splits else "It has no split folders; without a split, all"
            raise self.problem(f"{root} has no folder of the split {self.split!r}. {hint}")
        bases = [root / name for name in splits] or [root]
        base = root / self.split if splits else root
        videos_in = {folder: _videos(folder) for split_folder in bases for folder in _folders(split_folder)}
        self.classes = tuple(sorted({folder.name for folder, videos in videos_in.items() if videos}))
        if not self.classes:
            count = len(_videos(base))
            raise self.problem(f"{base} holds {count or 'no'} videos, but no folder with videos")
        label_of = {name: place for place, name in enumerate(self.classes)}
        paths = [path for name in self.classes for path in videos_in.get(base / name, [])]
        if self.option("list"):
            paths = self._chosen(root, base, paths)
        self.clips = tuple(
            Clip(i := f"{p.parent.name}/{p.name}", p, label_of[p.parent.name], self._group(i)) for p in paths
        )

    def _chosen(self, root: Path, base: Path, paths: list[Path]) -> list[Path]:
        """Return the clips that the list names, in the list's order."""
        name = self.option("list")
        if not stays_inside(name):
            raise DatasetError(f"list={name}: a file inside {root} was expected.")
        lines = read_lines(root / name)
        known = {f"{path.parent.name}/{path.name}": path for path in paths}
        wanted = [line.text for line in lines]
        missing = [line for line in lines if line.text not in known]
        problem = "" if wanted else "it is empty"
        if missing:
            few = f"the first {shown(missing[0].text)} in line {missing[0].number}"
            problem = f"{len(missing)} of {len(wanted)} are not in {base}, {few}"
        elif twice := repeated(wanted):
            first, second = (lines[position].number for position in twice)
            problem = f"a clip comes twice, {shown(wanted[twice[0]])} in the lines {first} and {second}"
        if problem:
            raise DatasetError(f"{root / name}: one <class>/<file> a line was expected, but {problem}.")
        return [known[text] for text in wanted]

    def _group(self, name: str) -> str:
        """Return the name of a clip's group."""
        pattern = self.option("group")
        if pattern is None:
            return name
        try:
            match = re.search(pattern, name)
        except re.error as error:
            raise UsageError(f"option group={pattern}: no regular expression ({error}).") from error
        if not match:
            raise DatasetError(f"option group={pattern}: does not fit the clip {name!r}.")
        return match[min(1, match.re.groups)] or name


def _folders(base: Path) -> list[Path]:
    """Return the subfolders of a folder, without hidden ones."""
    return sorted(path for path in base.iterdir() if path.is_dir() and not path.name.startswith("."))


def _videos(folder: Path) -> list[Path]:
    """Return the video files in a folder, without hidden ones."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))


@hookimpl
def harness_datasets() -> Iterable[type[Dataset]]:
    return [VideoFolder]
