"""The dataset `counted`: images, and how many objects each shows, in `counts.csv` (lines `a.png,3`)."""

import csv

from harness import hookimpl
from harness.dataset import Dataset, Outline, Sample
from harness.files import digest_files
from harness.images import decoders, image_size, read_image


class Counted(Dataset):
    name = "counted"
    summary = "images with the number of objects in each (counts.csv)"
    tasks = ("counting",)
    splits = ("test",)
    layout = "ROOT/counts.csv with lines FILE,NUMBER, and the files beside it"

    def open(self):
        root = self.require_root()
        try:
            with (root / "counts.csv").open(encoding="utf-8", newline="") as file:
                self.counts = [(root / name, int(number)) for name, number in csv.reader(file)]
        except (OSError, ValueError) as error:
            raise self.problem(f"counts.csv cannot be read ({error})") from error

    def __len__(self):
        return len(self.counts)

    def outline(self, index):  # what is known without decoding the image
        path, _ = self.counts[index]
        height, width = image_size(path)
        return Outline(path.stem, height=height, width=width)

    def __getitem__(self, index):
        path, count = self.counts[index]
        frames, source = read_image(path)
        return Sample(path.stem, frames, {0: count}, source=source)

    def fingerprint(self):  # all that decides pixels and targets
        return digest_files([self.root / "counts.csv", *(path for path, _ in self.counts)])

    def decoders(self):
        return decoders()


@hookimpl
def harness_datasets():
    return [Counted]
