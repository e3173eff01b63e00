"""What every dataset promises of its fingerprint, and what the promises of datasets are tried with."""

from __future__ import annotations

import re
import shutil
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.errors import DatasetError, PluginError
from harness.testing.configured import ConfiguredPromises
from harness.testing.tools.broken import promise, skip
from harness.testing.tools.opened import opened_files

if TYPE_CHECKING:
    from harness.dataset import Dataset, Outline, Sample
    from harness.task import Task

__all__ = ["FingerprintPromises"]

_MOST_COPIED = 50_000_000
"""Bytes of a root folder that are copied to try the fingerprint."""


class FingerprintPromises(ConfiguredPromises):
    """What every dataset promises of its fingerprint; see `harness.testing.DatasetPromises`."""

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
