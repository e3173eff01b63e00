"""The dataset `my-dataset`: a folder of images, with boxes in a CSV file."""

import csv

import numpy as np

from harness import hookimpl
from harness.dataset import Dataset, Outline, Sample
from harness.errors import SampleError
from harness.files import digest_files
from harness.images import decoders, image_size, read_image
from harness_tasks.detection.types import Boxes

COLUMNS = ["image", "x1", "y1", "x2", "y2", "class"]


class MyDataset(Dataset):
    """Images and their boxes. Images without a line in the file have no objects."""

    name = "my-dataset"
    summary = "a folder of images, with boxes in boxes.csv"
    tasks = ("detection",)
    splits = ("test",)
    layout = "ROOT/boxes.csv with the columns image,x1,y1,x2,y2,class (pixels; x2 and y2 exclusive), and ROOT/*.png"

    def open(self):
        """Read the index: no image is opened here."""
        self.table = self.require_root() / "boxes.csv"
        self.paths = sorted(self.root.glob("*.png"))
        if not self.paths or not self.table.is_file():
            raise self.problem(f"{self.root} has {len(self.paths)} images and {self.table.name} {self._there()}")
        with self.table.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames != COLUMNS:
                raise self.problem(f"{self.table} has the columns {reader.fieldnames}")
            rows = list(reader)
        try:
            boxes = [(row["image"], [float(row[side]) for side in COLUMNS[1:5]], row["class"]) for row in rows]
        except ValueError as error:
            raise self.problem(f"{self.table}: {error}") from error
        self.classes = tuple(sorted({name for _, _, name in boxes}))
        self.boxes = {path.name: [box for box in boxes if box[0] == path.name] for path in self.paths}

    def _there(self):
        return "is there" if self.table.is_file() else "is missing"

    def __len__(self):
        return len(self.paths)

    def outline(self, index):
        """What is known without decoding: batches are planned by it."""
        height, width = image_size(self.paths[index])
        return Outline(self.paths[index].stem, height=height, width=width)

    def __getitem__(self, index):
        """One image, uint8[1, H, W, 3] in RGB, and the target of its frame 0."""
        path = self.paths[index]
        try:
            frames, source = read_image(path)
        except OSError as error:
            raise SampleError(f"{path} cannot be read: {error}") from error
        found = self.boxes[path.name]
        target = Boxes(
            boxes=np.array([corners for _, corners, _ in found], np.float64).reshape(-1, 4),
            labels=np.array([self.classes.index(name) for _, _, name in found], np.int64),
            crowd=np.zeros(len(found), bool),
            difficult=np.zeros(len(found), bool),
            area=np.array([(x2 - x1) * (y2 - y1) for _, (x1, y1, x2, y2), _ in found], np.float64),
        )
        return Sample(path.stem, frames, {0: target}, source=source)

    def fingerprint(self):
        """The contents of all files: another pixel or another label is another dataset."""
        return digest_files([self.table, *self.paths])

    def decoders(self):
        return decoders()


@hookimpl
def harness_datasets():
    return [MyDataset]
