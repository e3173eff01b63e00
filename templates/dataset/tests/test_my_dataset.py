"""The promises of every dataset (`harness.testing`), on a folder of a few images that the test writes."""

import tempfile
from pathlib import Path

import numpy as np
from harness_my_dataset import MyDataset
from PIL import Image

from harness.testing import DatasetPromises


def write(folder):
    """Write three images, of which two have objects."""
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (40 + number, 60, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"image{number}.png")
    lines = ["image,x1,y1,x2,y2,class", "image0.png,4,5,20,30,car", "image0.png,30,5,50,30,person"]
    (folder / "boxes.csv").write_text("\n".join([*lines, "image2.png,10,10,40,20,car"]) + "\n")


class TestMyDataset(DatasetPromises):
    spec = "my-dataset"

    @classmethod
    def setup_class(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = Path(cls.folder.name)
        write(cls.root)

    @classmethod
    def teardown_class(cls):
        cls.folder.cleanup()


def test_boxes_are_those_of_the_file(tmp_path):
    write(tmp_path)
    dataset = MyDataset("detection", root=tmp_path)
    dataset.open()
    assert dataset.classes == ("car", "person")
    target = dataset[0].targets[0]
    assert target.boxes.tolist() == [[4, 5, 20, 30], [30, 5, 50, 30]]
    assert target.labels.tolist() == [0, 1]
    assert len(dataset[1].targets[0].boxes) == 0
