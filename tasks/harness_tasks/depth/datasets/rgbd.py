"""The dataset `rgbd`: any folder of images and depth maps, with options for the paths and the encoding."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness import hookimpl
from harness.dataset import Dataset
from harness.errors import DatasetError
from harness.options import Option
from harness_tasks.datasets.common import is_file, stays_inside
from harness_tasks.datasets.pairs import Pair
from harness_tasks.datasets.texts import Line, columns, number_in, read_lines, repeated, shown, splits_of
from harness_tasks.depth.datasets.common import DepthPairs, read_values

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Rgbd"]


class _Listed(NamedTuple):
    """The two files of a sample, relative to ROOT, and where they are listed ("" for files found by patterns)."""

    image: str
    depth: str
    place: str = ""


class Rgbd(DepthPairs):
    """Images with depth or disparity in 16-bit PNG or .npy files.

    The pairs come from a list, or from two patterns in which `*` stands for the same text: the patterns `rgb/rgb*.png`
    and `depths/depth*.png` pair `rgb/rgb00002.png` with `depths/depth00002.png`. A list has one pair per line: `image
    depth` or, as TUM's associate.py writes it, `time image time depth`. With `order=depth-image` the depth comes first.
    Empty lines and lines that begin with # are skipped. Paths may have spaces; then a line is cut where both parts are
    files.

    A number v in a depth file stands for value = v * scale + offset. With `kind=depth` the value is the depth in
    metres. With `kind=disparity` it is the disparity in pixels, and depth = focal_baseline / value. A pixel is missing
    if v equals `missing`, if its depth is not finite or not positive, or if its depth is greater than `cap`.

    Options for some public datasets:

    - RealSense and most others: `scale=0.001` (millimetres, the default).
    - TUM RGB-D: `scale=0.0002` (5000 per metre).
    - SUN RGB-D: `encoding=sun` (the bits of the millimetre value are rotated by three).
    - Cityscapes' disparity: `kind=disparity,scale=0.00390625,offset=-0.00390625`, which is (v - 1) / 256 pixels;
      `focal_baseline` is the focal length in pixels times the baseline in metres, both from its camera files.

    Splits: if the list's name contains `{split}` (`list=lists/{split}.txt`), each split has its own list file.
    Otherwise, with `every=n`, every n-th pair, starting with the first, is in the split `test`, and the others are in
    `train`. Without either, the only split is `all`. Use `every` with care: neighbouring frames of a video are very
    similar, so testing on every n-th frame mostly tests what the model memorised.
    """

    name = "rgbd"
    summary = "images with depth or disparity in 16-bit PNG or .npy; paths, scale and encoding are settings"
    options = (
        Option("images", str, "rgb/*.png", "pattern of the images under ROOT, with one *"),
        Option("depths", str, "depth/*.png", "pattern of the depth maps under ROOT, with one *"),
        Option("list", str, None, "a list of pairs under ROOT, instead of patterns; {split} in it is the split's name"),
        Option("order", str, "image-depth", "which comes first in the list", choices=("image-depth", "depth-image")),
        Option("kind", str, "depth", "what the files hold", choices=("depth", "disparity")),
        Option("scale", float, 0.001, "metres (disparity: pixels) that a 1 in the file stands for"),
        Option("offset", float, 0.0, "metres (disparity: pixels) that are added"),
        Option("focal_baseline", float, 1.0, "disparity: focal length in pixels times baseline in metres", minimum=0),
        Option("missing", float, 0.0, "the number in the file that stands for: not measured"),
        Option("encoding", str, "plain", "sun: 16 bits rotated to the left by three", choices=("plain", "sun")),
        Option("cap", float, None, "what is farther, in metres, counts as missing", minimum=0),
        Option("every", int, None, "every n-th pair is split test, the others are train", minimum=2),
        Option("group", str, "pair", "what samples belong together by", choices=("pair", "folder")),
    )
    layout = (
        "ROOT/rgb/<name>.png and ROOT/depth/<name>.png, or what the options images, depths and list say, as in "
        "'rgbd:images=color/*.jpg,depths=depth/*.png'"
    )

    def open(self) -> None:
        root = self.require_root()
        lists = self.option("list") or ""
        if not self.split:
            self.split = "test" if "{split}" in lists or self.option("every") else "all"
        listed = self._listed(root, lists) if lists else self._matched(root)
        folders = self.option("group") == "folder"
        chosen = self._in_split(listed, lists)
        pairs = [
            Pair(
                Path(image).with_suffix("").as_posix(),
                root / image,
                root / depth,
                Path(image).parent.as_posix() if folders else Path(image).with_suffix("").as_posix(),
            )
            for image, depth, _ in chosen
        ]
        files = [
            (path, one.place) for pair, one in zip(pairs, chosen, strict=True) for path in (pair.image, pair.truth)
        ]
        if missing := [(path, place) for path, place in files if not is_file(path)]:
            path, place = missing[0]
            raise self.problem(f"{len(missing)} files are missing, the first is {path}{place}")
        self.use(pairs)

    def depth_of(self, path: Path) -> NDArray[np.float64]:
        import numpy as np

        from harness.errors import SampleError

        values = read_values(path)
        unknown = values == self.option("missing")
        if self.option("encoding") == "sun":
            if values.dtype != np.uint16:
                raise SampleError(f"{path}: encoding=sun is one of 16 bits; the file has {values.dtype}.")
            bits = values.astype(np.uint16)
            values = (bits >> np.uint16(3)) | (bits << np.uint16(13))
        value = values.astype(np.float64) * self.option("scale") + self.option("offset")
        if self.option("kind") == "disparity":
            with np.errstate(divide="ignore"):
                value = np.where(value > 0, self.option("focal_baseline") / value, 0.0)
        cap = self.option("cap")
        far = np.zeros(value.shape, np.bool_) if cap is None else ~(value <= cap)
        return np.where(unknown | far, 0.0, value)

    def _in_split(self, pairs: list[_Listed], lists: str) -> list[_Listed]:
        """Return the pairs that belong to the split."""
        every = self.option("every")
        if "{split}" in lists or self.split == "all":
            return pairs
        if every and self.split in ("test", "train"):
            return [pair for index, pair in enumerate(pairs) if (index % every == 0) == (self.split == "test")]
        splits = "test, train, all" if every else "all"
        raise DatasetError(
            f"dataset {self.name} has no split {self.split!r}: {splits}. Splits come from every=n, or from a list with "
            "{split} in its name."
        )

    def _matched(self, root: Path) -> list[_Listed]:
        """Return the pairs of paths whose text for the patterns' * is the same, sorted by this text."""
        images, depths = (self._files_by_text(root, name) for name in ("images", "depths"))
        unpaired = sorted(set(images) ^ set(depths))
        if unpaired or not images:
            found = f"{self.option('images')} finds {len(images)}, {self.option('depths')} finds {len(depths)} files"
            hint = f"; {len(unpaired)} have no partner, as {(images | depths)[unpaired[0]]}" if unpaired else ""
            raise self.problem(f"in {root}, {found}{hint}")
        return [_Listed(images[text], depths[text]) for text in sorted(images)]

    def _files_by_text(self, root: Path, option: str) -> dict[str, str]:
        """Return the files that match a pattern, by the text that its * stands for."""
        pattern = self.option(option)
        before, star, after = pattern.partition("*")
        if "*" in after or not stays_inside(pattern) or any(mark in pattern for mark in "?["):
            raise DatasetError(f"dataset {self.name}: {option}={pattern}: a path under ROOT with one * was expected.")
        if not star:
            return {"": pattern} if (root / pattern).is_file() else {}
        names = [path.relative_to(root).as_posix() for path in root.glob(pattern)]
        return {name[len(before) : len(name) - len(after)]: name for name in names}

    def _listed(self, root: Path, lists: str) -> list[_Listed]:
        """Return the pairs of the list."""
        name = lists.replace("{split}", self.split)
        path = root / name
        if not stays_inside(name) or not path.is_file():
            lists_found = (
                ", ".join(sorted(file.name for file in path.parent.glob("*.txt"))) if stays_inside(name) else ""
            )
            raise self.problem(f"there is no list {path}" + (f" (there is: {lists_found})" if lists_found else ""))
        pairs, lines = [], read_lines(path, comment="#")
        for line in lines:
            first, second = _columns(root, path, line)
            if not stays_inside(first) or not stays_inside(second):
                raise DatasetError(f"{path}, line {line.number}: {shown(line.text)} leads out of {root}.")
            names = (first, second) if self.option("order") == "image-depth" else (second, first)
            pairs.append(_Listed(*names, f" ({path}, line {line.number})"))
        if not pairs:
            raise self.problem(f"{path} is empty: it has no image with {self.truth}")
        if twice := repeated(pair.image for pair in pairs):
            before, after = (lines[position].number for position in twice)
            raise DatasetError(
                f"{path}: {shown(pairs[twice[0]].image)} comes twice, in the lines {before} and {after}."
            )
        return pairs


def _columns(root: Path, path: Path, line: Line) -> tuple[str, str]:
    """Return the two paths in a line of a list, in the list's order.

    Raises:
        DatasetError: the line has neither two columns nor times and paths, and cannot be cut at a space so that both
            parts are files.
    """
    words = columns(line.text)
    timed = len(words) == 4 and number_in(words[0]) is not None and number_in(words[2]) is not None
    if len(words) == 2 or timed:
        return words[len(words) // 2 - 1], words[-1]
    cuts = [cut for cut in splits_of(line.text) if all(stays_inside(name) and is_file(root / name) for name in cut)]
    if len(cuts) == 1:
        return cuts[0]
    if len(words) == 4:
        return words[1], words[3]
    raise DatasetError(
        f"{path}, line {line.number}: 2 or 4 columns were expected, found {len(words)} in {shown(line.text)}, and "
        f"{len(cuts)} ways to cut it into two files."
    )


@hookimpl
def harness_datasets() -> Iterable[type[Dataset]]:
    return [Rgbd]
