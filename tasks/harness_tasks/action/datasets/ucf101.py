"""The dataset UCF101 (Soomro, Zamir, Shah, "UCF101: A Dataset of 101 Human Actions Classes From Videos in The Wild",
2012)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from harness import hookimpl
from harness.dataset import Dataset
from harness.errors import DatasetError
from harness.options import Option
from harness_tasks.action.datasets.clips import PART, Clip, LabelledClips
from harness_tasks.datasets.common import is_file, stays_inside
from harness_tasks.datasets.texts import Line, number_in, read_lines, repeated, shown

__all__ = ["UCF101"]

_NAME = re.compile(r"v_(?P<action>\w+)_(?P<group>g\d+)_c\d+\.\w+")
_NUMBERED = re.compile(r"(?P<clip>.*\.\w+)[ \t]+(?P<number>[^ \t]+)")
"""A line of a training list: a clip, and the number of its class."""


class UCF101(LabelledClips):
    """Clips of 101 human actions in the layout of UCF101, with one of its three official lists.

    A clip's class is the folder of its file, and the class number in a training list must agree. (The file name is not
    used: test lists have no numbers, and the files in HandstandPushups are named v_HandStandPushups_....) Classes are
    numbered from 0 here, and from 1 in the files. Samples have the order of the list. The group of a sample is its
    class with the gNN of the file name, because the clips of one gNN were cut from one video.

    The mean length of a clip is 7.2 seconds, the longest is 71 (Soomro et al., table 1). By default only the middle 300
    frames of a longer clip are used, so that a sample takes less than 70 MB. With `frames=2000` every clip is used
    whole.
    """

    name = "ucf101"
    summary = "clips of human actions in the layout of UCF101"
    splits: ClassVar[tuple[str, ...]] = ("test", "train")
    options: ClassVar[tuple[Option, ...]] = (
        Option("list", int, 1, "which of the three official lists", choices=(1, 2, 3)),
        *PART,
    )
    layout = (
        "ROOT/UCF-101/<Class>/v_<Class>_gNN_cNN.avi and ROOT/ucfTrainTestlist/{classInd,trainlist0N,testlist0N}.txt"
    )
    homepage = "https://www.crcv.ucf.edu/research/data-sets/ucf101/"

    def open(self) -> None:
        root = self.require_root()
        self._videos, self._lists = root / "UCF-101", root / "ucfTrainTestlist"
        if missing_folders := [folder.name for folder in (self._videos, self._lists) if not folder.is_dir()]:
            raise self.problem(f"{root} has no folder {' and no folder '.join(missing_folders)}")
        self.classes = self._classes()
        path = self._list(self.option("list"))
        numbers = {name: number for number, name in enumerate(self.classes)}
        lines = read_lines(path)
        self.clips = tuple(self._clip(path, line, numbers) for line in lines)
        if not self.clips:
            usable = [n for n in (1, 2, 3) if self._list(n).is_file() and read_lines(self._list(n))]
            alternatives = ", ".join(f"list={n}" for n in usable) or "none of the three lists does"
            raise DatasetError(f"{path} names no clip for the split {self.split}. That does: {alternatives}.")
        if twice := repeated(clip.id for clip in self.clips):
            duplicates = len(self.clips) - len({clip.id for clip in self.clips})
            first, second = (lines[position].number for position in twice)
            name = self.clips[twice[0]].id
            raise DatasetError(f"{path} names {duplicates} clips twice, as {name} in the lines {first} and {second}.")
        missing = [clip.path for clip in self.clips if not is_file(clip.path)]
        if missing:
            few = ", ".join(path.name for path in missing[:3]) + (", ..." if len(missing) > 3 else "")
            raise self.problem(f"{len(missing)} of the {len(self.clips)} clips in {path.name} are not there: {few}")

    def _list(self, number: int) -> Path:
        """Return the list file of a number, for the split."""
        return self._lists / f"{self.split}list{number:02d}.txt"

    def _classes(self) -> tuple[str, ...]:
        """Return the class names in classInd.txt ("1 ApplyEyeMakeup"), where classes are numbered from 1."""
        path = self._lists / "classInd.txt"
        lines = read_lines(path)
        names = []
        for expected, line in enumerate(lines, 1):
            stated, _, name = line.text.replace("\t", " ").partition(" ")
            if number_in(stated) != expected or not name.strip(" \t"):
                raise DatasetError(
                    f"{path}, line {line.number}: '{expected} <Class>' was expected, found {shown(line.text)}."
                )
            names.append(name.strip(" \t"))
        if not names:
            raise DatasetError(f"{path}: it is empty.")
        if twice := repeated(names):
            first, second = (lines[position].number for position in twice)
            raise DatasetError(f"{path}: names come twice: {names[twice[0]]} in the lines {first} and {second}.")
        return tuple(names)

    def _clip(self, path: Path, line: Line, numbers: dict[str, int]) -> Clip:
        """Parse a line of a list: <Class>/v_<Class>_gNN_cNN.avi, followed by the class number in training lists."""
        numbered = _NUMBERED.fullmatch(line.text)
        name = numbered["clip"] if numbered else line.text
        folder, _, file = name.rpartition("/")
        match = _NAME.fullmatch(file)
        if not match or not stays_inside(name) or folder not in numbers:
            raise DatasetError(
                f"{path}, line {line.number}: <Class>/v_<Class>_gNN_cNN.avi with a class of classInd.txt was expected, "
                f"found {shown(line.text)}."
            )
        if numbered and number_in(numbered["number"]) != numbers[folder] + 1:
            raise DatasetError(
                f"{path}, line {line.number}: class number {shown(numbered['number'])[1:-1]}, but {folder} is "
                f"{numbers[folder] + 1} in classInd.txt."
            )
        group = f"{folder}_{match['group']}"
        return Clip(file.rpartition(".")[0], self._videos / folder / file, numbers[folder], group)


@hookimpl
def harness_datasets() -> Iterable[type[Dataset]]:
    return [UCF101]
