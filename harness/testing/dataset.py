"""What every dataset promises (`harness.dataset.Dataset`)."""

from __future__ import annotations

import pickle
import re
import shutil
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.errors import ContentError, DatasetError, PluginError
from harness.planning.given import check_outline
from harness.testing.configured import ConfiguredPromises
from harness.testing.tools.broken import broken, promise, skip
from harness.testing.tools.elsewhere import in_another_process, pickled
from harness.testing.tools.likeness import alike
from harness.testing.tools.opened import opened_files
from harness.testing.tools.watch import watched, written

if TYPE_CHECKING:
    from harness.dataset import Dataset, Outline, Sample
    from harness.task import Task

__all__ = ["DatasetPromises"]

_MOST_COPIED = 50_000_000
"""Bytes of a root folder that are copied to try the fingerprint."""


class DatasetPromises(ConfiguredPromises):
    """What every dataset promises. A class of tests of a dataset derives from it::

        from harness.testing import DatasetPromises

        class TestMyDataset(DatasetPromises):
            spec = "my-dataset"
            root = Path(__file__).parent / "data"    # a few samples

    Class attributes:
        task: the task whose targets are read; "" for the first of `Dataset.tasks`.
        split: the split; "" for the first.
        root: the folder that the dataset reads; None if it needs none.
        count: how many samples are read: the first ones and the last.
        digits: the names of files, as a regular expression, in which a digit is changed to try the fingerprint.
    """

    kind = "dataset"
    task: ClassVar[str] = ""
    split: ClassVar[str] = ""
    root: ClassVar[Path | None] = None
    count: ClassVar[int] = 4
    digits: ClassVar[str] = r".*\.(csv|txt|json|xml|ya?ml|toml|tsv|jsonl)"

    def made_of(self, cls: type[Any], options: dict[str, Any]) -> Any:
        return cls(self.task or cls.tasks[0], self.split or None, self.root, **options)

    def changed(self) -> Dataset | None:
        """Return the dataset with one label changed, opened. Override it where labels do not stand in text files.

        The default changes a digit of a text file in a copy of `root`. None if there is none.
        """
        return None

    def opened(self) -> Dataset:
        """Return a new dataset, opened."""
        made: Dataset = self.make()
        made.open()
        return made

    @cached_property
    def source(self) -> Dataset:
        """The dataset that a promise is tried with, opened."""
        return self.opened()

    @property
    def places(self) -> list[int]:
        """The indices of the samples that are read."""
        size = len(self.source)
        return sorted({*range(min(self.count - 1, size)), size - 1}) if size else []

    @cached_property
    def pairs(self) -> list[tuple[Outline, Sample]]:
        """The samples with their outlines."""
        return [(self.source.outline(place), self.source[place]) for place in self.places]

    @cached_property
    def scorer(self) -> Task:
        """The task, with the dataset's classes."""
        from harness.discovery.plugins import installed

        made: Task = installed().get("task", self.source.task)(tuple(self.source.classes))
        return made

    # Samples

    def test_it_has_samples(self) -> None:
        """It has samples, and tasks that it has targets for."""
        promise(len(self.source) > 0, "the dataset has no samples: raise DatasetError in open() if data are missing.")
        promise(type(self.source).tasks, "`tasks` is empty: name the tasks that it has targets for.")

    def test_outlines_are_their_samples(self) -> None:
        """What an outline says, without decoding, is what the sample has."""
        for outline, sample in self.pairs:
            try:
                check_outline(outline)
            except ContentError as error:
                broken(str(error))
            count, height, width = sample.frames.shape[:3]
            for what, told, found in (
                ("id", outline.id, sample.id),
                ("height", outline.height, height),
                ("width", outline.width, width),
                ("frames", outline.frames, count),
                ("scored", tuple(outline.scored), tuple(sorted(sample.targets))),
            ):
                promise(
                    told == found,
                    f"sample {sample.id}: the outline says {what} {told}, the sample has {found}: batches are planned "
                    "by outlines, so both have to agree (mind pictures that are turned by EXIF).",
                )

    def test_frames_are_rgb_bytes(self) -> None:
        """Frames are uint8[T, H, W, 3]; clips have a frame rate, images have none."""
        import numpy as np

        for _, sample in self.pairs:
            frames = sample.frames
            promise(
                isinstance(frames, np.ndarray)
                and frames.dtype == np.uint8
                and frames.ndim == 4
                and frames.shape[3] == 3,
                f"sample {sample.id}: frames are {getattr(frames, 'dtype', type(frames))}"
                f"{list(getattr(frames, 'shape', ()))}: give uint8[T, H, W, 3], also for one image (T = 1).",
            )
            if len(frames) > 1:
                promise(sample.fps and sample.fps > 0, f"sample {sample.id} is a clip with fps {sample.fps}.")
            promise(
                not self.source.still or len(frames) == 1,
                f"sample {sample.id} has {len(frames)} frames, and `still` is true: set it to False.",
            )
            promise(
                self.source.still or sample.fps is not None,
                f"sample {sample.id} has no fps, and `still` is false.",
            )

    def test_ids_are_unique(self) -> None:
        """No two samples have the same id."""
        ids = [self.source.outline(place).id for place in range(min(len(self.source), 2000))]
        twice = (
            next((name for place, name in enumerate(ids) if name in ids[:place][-2000:]), None)
            if len(set(ids)) < len(ids)
            else None
        )
        promise(twice is None, f"two samples have the id {twice!r}: put the folder into the id, for example.")

    def test_targets_are_the_tasks(self) -> None:
        """Targets have the task's type, with labels of the dataset's classes."""
        if not self.source.labelled:
            skip("the dataset has no labels")
        for outline, sample in self.pairs:
            promise(sample.targets, f"sample {sample.id} has no targets.")
            for frame, target in sample.targets.items():
                promise(0 <= frame < outline.frames, f"sample {sample.id} has a target at frame {frame} of none such.")
                try:
                    self.scorer.check_target(target, (outline.height, outline.width))
                except ContentError as error:
                    broken(f"task {self.scorer.name} refuses the target of {sample.id}: {error}")

    def test_classes_are_names(self) -> None:
        """`open` sets `classes` to a tuple of names, none twice."""
        classes = self.source.classes
        promise(
            isinstance(classes, tuple) and all(isinstance(name, str) and name for name in classes),
            f"classes are {classes!r}: set a tuple of names in open().",
        )
        promise(len(set(classes)) == len(classes), "a class is there twice.")

    # The same again

    def test_reading_again_gives_the_same(self) -> None:
        """A sample is the same whenever it is read, in an array of its own."""
        import numpy as np

        for place, (_, sample) in reversed(list(zip(self.places, self.pairs, strict=True))):
            again = self.source[place]
            promise(
                alike((again.id, again.frames, dict(again.targets)), (sample.id, sample.frames, dict(sample.targets))),
                f"sample {sample.id} is another one when it is read again: it may depend on the index alone.",
            )
            promise(
                not np.shares_memory(again.frames, sample.frames),
                "a sample's frames are kept in memory and given out again: read them anew each time.",
            )

    def test_order_is_the_same_everywhere(self) -> None:
        """A dataset that is opened in another process has the same samples in the same order, and fingerprint."""
        pickled(self.source, "the opened dataset")
        here = _summary(self.source)
        there = in_another_process(_opened_summary, self.make(), about=(self,))
        promise(
            there == here,
            "opened in another process the dataset has other samples, another order or fingerprint: sort what comes "
            "from folders and sets.",
        )

    def test_an_opened_dataset_travels(self) -> None:
        """An opened dataset that is pickled reads the same samples."""
        back = pickle.loads(pickled(self.source, "the opened dataset"))  # noqa: S301 - pickled a moment ago
        place = self.places[-1]
        promise(
            alike(back[place].frames, self.pairs[-1][1].frames) and back.classes == self.source.classes,
            "a pickled dataset reads other samples: keep what open() has found in the object's state.",
        )

    # The fingerprint

    def test_the_fingerprint_is_a_digest(self) -> None:
        """`fingerprint` is a SHA-256 in hex, the same each time."""
        first, again = self.source.fingerprint(), self.opened().fingerprint()
        promise(
            isinstance(first, str) and re.fullmatch("[0-9a-f]{64}", first),
            f"fingerprint() is {first!r}: give a SHA-256 in hex (`harness.files.digest_files`).",
        )
        promise(first == again, "fingerprint() is another one each time: digest the content, not times or paths.")

    def test_the_fingerprint_changes_with_a_label(self) -> None:
        """Another label, or another pixel, gives another fingerprint."""
        before = self.source.fingerprint()
        if (other := self.changed()) is not None:
            promise(other.fingerprint() != before, _DISHONEST.format("a label"))
            return
        if self.root is None:
            skip("the dataset reads no files: override changed() to try its fingerprint")
        if sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file()) > _MOST_COPIED:
            skip("the root folder is too large to be copied: name a smaller one, or override changed()")
        for path in self._files_read():
            name = path.relative_to(self.root)
            with tempfile.TemporaryDirectory() as folder:
                copy = Path(folder, "root")
                shutil.copytree(self.root, copy)
                if not _altered(copy / name, re.fullmatch(self.digits, path.name, re.IGNORECASE) is not None):
                    continue
                made = self._at(copy)
                try:
                    made.open()
                except (DatasetError, PluginError):
                    continue
                promise(made.fingerprint() != before, _DISHONEST.format(name))

    def test_the_fingerprint_knows_no_place(self) -> None:
        """The same files in another folder have the same fingerprint."""
        if self.root is None:
            skip("the dataset reads no files")
        if sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file()) > _MOST_COPIED:
            skip("the root folder is too large to be copied")
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "elsewhere")
            shutil.copytree(self.root, copy)
            made = self._at(copy)
            made.open()
            promise(
                made.fingerprint() == self.source.fingerprint(),
                "the same files in another folder have another fingerprint: digest contents and relative names.",
            )

    def _at(self, root: Path) -> Dataset:
        made: Dataset = self.make()
        made.root = root
        return made

    def _files_read(self) -> list[Path]:
        """The files of the root that Python opens for the first samples, at most 6; those of texts first."""
        root = Path(self.root or "").resolve()
        with opened_files() as found:
            source = self.opened()
            for place in self.places[:2]:
                source[place]
        inside = {Path(name).resolve() for name in found}
        files = [
            Path(self.root or "") / path.relative_to(root)
            for path in sorted(inside)
            if path.is_relative_to(root) and path.is_file()
        ]
        return sorted(files, key=lambda path: re.fullmatch(self.digits, path.name, re.IGNORECASE) is None)[:6]

    # Manners

    def test_making_it_opens_no_file(self) -> None:
        """The constructor opens no file: `harness list` and `plan` make many datasets."""
        self.make()
        with opened_files() as found:
            self.make()
        data = [name for name in found if not name.endswith((".py", ".pyc", ".so"))]
        promise(not data, f"the constructor opens {data[:3]}: do it in open().")

    def test_unknown_splits_are_refused(self) -> None:
        """A split that is not there is refused by DatasetError."""
        cls, options = type(self.source), self.source.config
        try:
            made = cls(
                self.source.task, "no-such-split", self.root, **{k: v for k, v in options.items() if v is not None}
            )
            made.open()
        except DatasetError:
            return
        broken("an unknown split is taken without a word: name `splits`, or raise DatasetError in open().")

    def test_missing_data_are_told(self) -> None:
        """Without its folder, `open` raises DatasetError with the layout that it expects."""
        if not type(self.source).needs_root:
            skip("the dataset needs no folder")
        for root in (None, Path("/no/such/folder")):
            made: Dataset = self.make()
            made.root = root
            try:
                made.open()
            except DatasetError as error:
                promise(
                    type(made).layout and type(made).layout in str(error),
                    f"the error does not say which layout is expected ({error}): use require_root() and `layout`.",
                )
                continue
            except Exception as error:  # noqa: BLE001 - any other error breaks the promise
                broken(f"without its folder open() raises {type(error).__name__}: use `self.require_root()`.")
            broken("without its folder the dataset opens: use `self.require_root()` in open().")

    def test_it_closes_what_it_opens(self) -> None:
        """Reading leaves no file open, and writes nothing to the standard streams."""
        self.source[self.places[0]]
        with watched() as left, written() as texts:
            for place in self.places:
                self.source[place]
        promise(not texts, f"reading writes {texts}: turn the library's messages off.")
        if left:
            broken(f"reading leaves behind {', '.join(left[:3])}: use `with`.")


_DISHONEST = (
    "{} was changed, and the fingerprint is the same: results of both would be taken for each other. Digest it."
)


def _altered(path: Path, text: bool) -> bool:
    """Change a digit of a text file, or a byte in the middle of another file; return whether there was any."""
    data = bytearray(path.read_bytes())
    places = [place for place, byte in enumerate(data) if 48 <= byte <= 57] if text else list(range(len(data)))
    if not places:
        return False
    place = places[-1] if text else places[len(places) // 2]
    data[place] = 48 + (data[place] - 47) % 10 if text else data[place] ^ 1
    path.write_bytes(bytes(data))
    return True


def _summary(source: Dataset) -> tuple[list[str], str, tuple[str, ...], int]:
    size = len(source)
    return [source.outline(place).id for place in range(min(size, 200))], source.fingerprint(), source.classes, size


def _opened_summary(source: Dataset) -> tuple[list[str], str, tuple[str, ...], int]:
    source.open()
    return _summary(source)
