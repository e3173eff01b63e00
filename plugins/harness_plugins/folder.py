"""The dataset `folder`: any folder of images or videos, or a single file, without labels (`--reference
predictions`)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness import hookimpl
from harness.dataset import Dataset, Outline, Sample, Source
from harness.errors import SampleError
from harness.options import Option, Value
from harness.video import SUFFIXES

if TYPE_CHECKING:
    from harness.video import Reader

__all__ = ["Folder"]

_IMAGES = frozenset({".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
_VIDEOS = frozenset(SUFFIXES)


@dataclass(frozen=True)
class _Part:
    """One sample: an image, or a segment of a video."""

    path: Path
    id: str
    start: int = 0
    count: int = 1


class Folder(Dataset):
    """Images or video segments from a folder and its subfolders, or from a single file.

    A video is cut into segments of `frames` frames. The last segment may be shorter. It is left out if it has less than
    half of the frames, unless it is the only segment. Only one segment at a time is held in memory. Samples are in
    alphabetical order of the paths. Links that lead out of the folder are not followed.

    Segments of one video are not statistically independent. So by default, with 13 or more videos, each video is a
    group. With fewer videos, each segment is its own group. The confidence intervals then describe the variation
    between segments of the *same* videos, not between videos.
    """

    name = "folder"
    summary = "any folder of images or videos, without labels"
    any_task: ClassVar[bool] = True
    splits: ClassVar[tuple[str, ...]] = ("all",)
    labelled: ClassVar[bool] = False
    layout = "a folder with images or with videos, or one of them"
    options: ClassVar[tuple[Option, ...]] = (
        Option("frames", int, 30, "frames of a segment: what a codec codes at once", minimum=1, maximum=10_000),
        Option(
            "stride", int, 1, "of so many frames one is taken; the frame rate falls with it", minimum=1, maximum=1000
        ),
        Option("every", int, 10, "of so many frames of a segment the first is judged", minimum=1, maximum=10_000),
        Option(
            "group",
            str,
            "auto",
            "what is independent: auto, file (video or image), folder, or segment",
            choices=("auto", "file", "folder", "segment"),
        ),
    )

    def open(self) -> None:
        if self.root is None or not self.root.exists():
            raise self.problem(f"{self.root} does not exist" if self.root else "no path was given: --dataset PATH")
        paths = [self.root] if self.root.is_file() else sorted(_files(self.root))
        images = [path for path in paths if path.suffix.lower() in _IMAGES]
        videos = [path for path in paths if path.suffix.lower() in _VIDEOS]
        if images and videos:
            raise self.problem(
                f"{self.root} holds {len(images)} images and {len(videos)} videos: name a folder with one kind of them"
            )
        if not images and not videos:
            kinds = ", ".join(sorted(_IMAGES | _VIDEOS))
            raise self.problem(f"{self.root} holds no image and no video (files that end in {kinds})")
        self.still = bool(images)
        self._base = self.root.parent if self.root.is_file() else self.root
        self._paths = tuple(images or videos)
        if self.still:
            self._parts = tuple(_Part(path, self._name(path)) for path in images)
        else:
            self._parts = tuple(part for path in videos for part in self._segments(path))
        from harness.statistics.estimate import GROUPS_FROM

        grouping = self.option("group")
        if grouping == "auto":
            grouping = "file" if self.still or len(videos) >= GROUPS_FROM else "segment"
        self._grouping = grouping

    def __len__(self) -> int:
        return len(self._parts)

    def outline(self, index: int) -> Outline:
        part = self._parts[index]
        if self.still:
            from harness.images import image_size

            height, width = image_size(part.path)
        else:
            from harness.video import probe

            facts = probe(part.path)
            height, width = facts.height, facts.width
        return Outline(part.id, height, width, part.count, self._scored(part.count), self._group(part))

    def __getitem__(self, index: int) -> Sample:
        part = self._parts[index]
        if self.still:
            from harness.images import read_image

            frames, source = read_image(part.path)
            return Sample(part.id, frames, {0: None}, source=source)
        from harness.video import probe

        facts, stride = probe(part.path), self.option("stride")
        frames = _reader(part.path, os.getpid()).read(part.start, part.count, stride)
        if len(frames) < part.count and index + 1 < len(self) and self._parts[index + 1].path == part.path:
            raise SampleError(
                f"{part.path}: it ends in the middle, at about frame {part.start + len(frames) * stride}."
            )
        share = min(1.0, len(frames) * stride / max(facts.frames, 1))
        targets = dict.fromkeys(self._scored(len(frames)))
        source = Source(facts.format, max(1, round(facts.bytes * share)))
        return Sample(part.id, frames, targets, facts.fps / stride, source)

    def fingerprint(self) -> str:
        from harness.files import digest_files

        digest = hashlib.sha256(digest_files(self._paths).encode())
        for part in self._parts:
            digest.update(f"{part.id}\0{self._group(part)}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def decoders(self) -> Mapping[str, Value]:
        if self.still:
            from harness.images import decoders
        else:
            from harness.video import decoders
        return decoders()

    def _name(self, path: Path) -> str:
        return path.relative_to(self._base).as_posix()

    def _segments(self, path: Path) -> list[_Part]:
        """Return the segments of a video. An unreadable video becomes a single sample, which fails with the reason."""
        from harness.video import probe

        name, size, stride = self._name(path), self.option("frames"), self.option("stride")
        try:
            frames = -(-probe(path).frames // stride)
        except SampleError:
            return [_Part(path, name)]
        starts = range(0, max(1, frames), size)
        counts = [min(size, frames - start) for start in starts]
        long_enough = [(s, c) for s, c in zip(starts, counts, strict=True) if s == 0 or 2 * c >= size]
        return [_Part(path, f"{name}#{start * stride}", start * stride, max(1, count)) for start, count in long_enough]

    def _scored(self, count: int) -> tuple[int, ...]:
        """Return the indices of the scored frames in a segment of `count` frames."""
        return (0,) if self.judges == "clips" else tuple(range(0, count, self.option("every")))

    def _group(self, part: _Part) -> str:
        """Return the name of the sample's group."""
        if self._grouping == "folder":
            return self._name(part.path).rpartition("/")[0] or "."
        return self._name(part.path) if self._grouping == "file" else part.id


def _files(root: Path) -> Iterable[Path]:
    """Yield the files in a folder and its subfolders, without hidden files and links that lead out of the folder."""
    top = root.resolve()
    for path in root.rglob("*"):
        hidden = any(name.startswith(".") for name in path.relative_to(root).parts)
        if not hidden and path.is_file() and path.resolve().is_relative_to(top):
            yield path


@lru_cache(maxsize=1)
def _reader(path: Path, process: int) -> Reader:
    """Return the open video of a process. Segments are read in order, so each continues where the last one ended.

    A forked worker gets its own reader: two processes that share an open file would move each other's file position.
    """
    from harness.video import Reader

    return Reader(path)


@hookimpl
def harness_datasets() -> Iterable[type[Dataset]]:
    return [Folder]
