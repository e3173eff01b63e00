"""Videos in a folder a class: HMDB51, Kinetics as it is usually unpacked, or one's own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from harness import hookimpl
from harness.dataset import Dataset
from harness.errors import DatasetError, UsageError
from harness.options import Option
from harness_tasks.action.datasets.clips import PART, Clip, LabelledClips
from harness_tasks.datasets.common import stays_inside

__all__ = ["VideoFolder"]

SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")
_SPLITS = ("test", "val", "train")


class VideoFolder(LabelledClips):
    """Videos in one folder a class, which may stand in a folder a split.

    Classes are the names of the folders that hold videos, sorted, those of all splits together. Samples come in the
    order of class and file name. Where there are no folders test, val or train, all videos are one split, "all"; a
    list takes some of them.

    Clips that were cut from one video are not independent. `group` says how a clip's name tells where it is from:
    `group=^(.*)_c` makes one group of `jump/anna_c01.mp4` and `jump/anna_c02.mp4`. Not set, each is one of its own.
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
            there = f"Splits there: {', '.join(splits)}" if splits else "It has no split folders; without a split, all"
            raise self.problem(f"{root} has no folder of the split {self.split!r}. {there}")
        bases = [root / name for name in splits] or [root]
        base = root / self.split if splits else root
        found = {folder: _videos(folder) for each in bases for folder in _folders(each)}
        self.classes = tuple(sorted({folder.name for folder, videos in found.items() if videos}))
        if not self.classes:
            loose = len(_videos(base))
            raise self.problem(f"{base} holds {loose or 'no'} videos, but no folder with videos")
        number = {name: place for place, name in enumerate(self.classes)}
        paths = [path for name in self.classes for path in found.get(base / name, [])]
        if self.option("list"):
            paths = self._chosen(root, base, paths)
        self.clips = tuple(
            Clip(i := f"{p.parent.name}/{p.name}", p, number[p.parent.name], self._group(i)) for p in paths
        )

    def _chosen(self, root: Path, base: Path, paths: list[Path]) -> list[Path]:
        """The clips that the list names, in its order."""
        name = self.option("list")
        try:
            if not stays_inside(name):
                raise DatasetError(f"list={name}: a file inside {root} was expected.")
            lines = [line.strip() for line in (root / name).read_text("utf-8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise DatasetError(f"list={name} cannot be read: {error}.") from error
        there = {f"{path.parent.name}/{path.name}": path for path in paths}
        wanted = [line for line in lines if line]
        missing = [line for line in wanted if line not in there]
        if missing or not wanted or len(set(wanted)) != len(wanted):
            found = f"{len(missing)} of {len(wanted)} are not in {base}, the first {missing[0]!r}" if missing else ""
            found = found or ("a clip comes twice" if wanted else "it is empty")
            raise DatasetError(f"{root / name}: one <class>/<file> a line was expected, but {found}.")
        return [there[line] for line in wanted]

    def _group(self, name: str) -> str:
        pattern = self.option("group")
        if pattern is None:
            return name
        try:
            found = re.search(pattern, name)
        except re.error as error:
            raise UsageError(f"option group={pattern}: no regular expression ({error}).") from error
        if not found:
            raise DatasetError(f"option group={pattern}: does not fit the clip {name!r}.")
        return found[min(1, found.re.groups)] or name


def _folders(base: Path) -> list[Path]:
    return sorted(path for path in base.iterdir() if path.is_dir() and not path.name.startswith("."))


def _videos(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))


@hookimpl
def harness_datasets() -> Iterable[type[Dataset]]:
    return [VideoFolder]
