"""The dataset SYNTHIA: rendered streets, in the layout of its packages.

Sources for the layout:

- README of the package SYNTHIA-RAND-CITYSCAPES (German Ros, 26 June 2016): `RGB` with images of 1280x760 pixels, and
  `Depth` with "1280x760 unsigned short images. Depth is encoded in any of the 3 channels in centimetres as an ushort".
- The packages of the video sequences (SYNTHIA-SEQS-02-DAWN, ...) have the same two folders. Each contains
  `Stereo_Left` and `Stereo_Right`; each of these contains `Omni_F`, `Omni_B`, `Omni_L` and `Omni_R`; and each of these
  contains `000000.png`, .... The sources are Datumaro's description of the format
  (openvinotoolkit.github.io/datumaro) and public loaders, which read the first channel and divide it by 100.

SYNTHIA-SF and SYNTHIA-AL have other encodings and are not supported.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness import hookimpl
from harness.dataset import Dataset
from harness.errors import DatasetError
from harness.options import Option
from harness_tasks.datasets.pairs import Pair
from harness_tasks.depth.datasets.common import DepthPairs, read_values

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Synthia"]

_SATURATED = 65535


class Synthia(DepthPairs):
    """Rendered streets with depth. The values 0 and 65535 count as missing; 65535 is 655.35 m or more, that is, the
    sky.

    A package folder is one drive and forms one group. In packages of single random images (without folders for
    cameras), each image is its own group.

    SYNTHIA has no official split, and the study does not state one. The option `test` names the packages that are held
    out for testing: the split `test` has these packages, `train` the others, and `all` has all of them.
    """

    name = "synthia"
    summary = "rendered streets with depth in the layout of SYNTHIA (SEQS and RAND-CITYSCAPES)"
    splits: ClassVar[tuple[str, ...]] = ("test", "train", "all")
    options = (
        Option("test", str, None, "folders of the packages that are held out for tests, with | between them"),
        Option("camera", str, "Stereo_Left/Omni_F", "which camera of the video packages; * for all"),
    )
    layout = (
        "ROOT/<package>/{RGB,Depth}/Stereo_Left/Omni_F/<frame>.png for video sequences, ROOT/<package>/{RGB,Depth}/"
        "<number>.png for random images, as the packages unpack (ROOT may also be one package itself)"
    )
    homepage = "https://synthia-dataset.net/downloads/"

    def open(self) -> None:
        root = self.require_root()
        packages = [root] if _is_package(root) else [path for path in sorted(root.iterdir()) if _is_package(path)]
        if not packages:
            raise self.problem(f"{root} has no folder with RGB and Depth in it")
        self.use([pair for package in self._chosen(packages) for pair in self._pairs_of(package)])

    def depth_of(self, path: Path) -> NDArray[np.float64]:
        import numpy as np

        values = read_values(path, channel=0)
        return np.where(values == _SATURATED, 0.0, values.astype(np.float64) / 100)

    def _chosen(self, packages: list[Path]) -> list[Path]:
        """Return the packages that belong to the split."""
        if self.split == "all":
            return packages
        names = [path.name for path in packages]
        held_out = [name.strip() for name in (self.option("test") or "").split("|") if name.strip()]
        if not held_out:
            raise DatasetError(
                f"dataset {self.name}: SYNTHIA has no split {self.split!r} of its own. Say which packages are held "
                f"out, as in 'synthia:test={names[-1]}' (found: {', '.join(names)}), or ask for --split all."
            )
        if unknown := [name for name in held_out if name not in names]:
            raise DatasetError(f"dataset {self.name}: no package {unknown[0]!r}. Found: {', '.join(names)}.")
        return [path for path in packages if (path.name in held_out) == (self.split == "test")]

    def _pairs_of(self, package: Path) -> list[Pair]:
        """Return the pairs of a package."""
        images = sorted((package / "RGB").glob("*.png"))
        single = bool(images)
        if not single:
            camera = "*/*" if self.option("camera") == "*" else self.option("camera")
            images = sorted((package / "RGB").glob(f"{camera}/*.png"))
        if not images:
            raise self.problem(f"{package / 'RGB'} has no image of camera {self.option('camera')}")
        pairs = []
        for image in images:
            relative = image.relative_to(package / "RGB")
            name = f"{package.name}/{relative.with_suffix('').as_posix()}"
            pairs.append(Pair(name, image, package / "Depth" / relative, name if single else package.name))
        if missing := [pair.truth for pair in pairs if not pair.truth.is_file()]:
            raise self.problem(f"{len(missing)} of {len(pairs)} depth maps of {package} are missing: {missing[0]}, ...")
        return pairs


def _is_package(folder: Path) -> bool:
    return (folder / "RGB").is_dir() and (folder / "Depth").is_dir()


@hookimpl
def harness_datasets() -> Iterable[type[Dataset]]:
    return [Synthia]
