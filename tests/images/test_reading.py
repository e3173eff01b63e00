"""Images read by Pillow: what each kind of file becomes, and the quality of JPEG sources."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.errors import SampleError
from harness.images import image_size, read_image
from harness.images.jpeg_quality import LUMINANCE, estimate_quality, scaled_table

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (13, 17, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (13, 17), dtype=np.uint8)


def saved(folder: Path, name: str, pixels: np.ndarray | Image.Image, **options: object) -> Path:
    path = folder / name
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(path, **options)
    return path


def test_rgb_png_is_read_exactly(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.png", COLOUR)
    frames, source = read_image(path)
    assert frames.dtype == np.uint8
    assert frames.flags.writeable
    assert np.array_equal(frames, COLOUR[None])
    assert (source.format, source.bytes, source.quality) == ("png", path.stat().st_size, None)
    assert image_size(path) == (13, 17)


def test_jpeg_has_the_pixels_that_pillow_gives_and_its_quality(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.jpg", COLOUR, quality=83)
    frames, source = read_image(path)
    assert np.array_equal(frames[0], np.asarray(Image.open(path)))
    assert (source.format, source.quality) == ("jpeg", 83)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_quality_of_the_ijg_is_found(mode: str) -> None:
    image = Image.fromarray(COLOUR).convert(mode)
    for quality in range(1, 101):
        buffer = io.BytesIO()
        image.save(buffer, "jpeg", quality=quality)
        tables = Image.open(buffer).quantization
        assert tuple(tables[0]) == scaled_table(LUMINANCE, quality)  # row by row, not in the file's zigzag order
        assert estimate_quality(tables) == quality


def test_other_tables_get_the_nearest_quality() -> None:
    # Photoshop's "Save for web" at 60: no multiple of the IJG's tables.
    near = [max(1, value + (1 if number % 2 else -1)) for number, value in enumerate(scaled_table(LUMINANCE, 70))]
    assert abs(estimate_quality({0: near}) - 70) <= 2
    assert estimate_quality({0: [1] * 64}) == 100
    assert estimate_quality({0: [255] * 64}) == 1
    assert estimate_quality({}) is None


def test_real_photographs_carry_a_quality(data_root: Path) -> None:
    paths = sorted((data_root / "coco_mini" / "train2017").glob("*.jpg"))[:10]
    for path in paths:
        frames, source = read_image(path)
        assert frames.shape[1:3] == image_size(path)
        assert source.quality is not None
        assert 50 <= source.quality <= 100


@pytest.mark.parametrize("mode", ["L", "1", "P"])
def test_other_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(GREY).convert(mode)
    frames, _ = read_image(saved(tmp_path, "a.png", image))
    assert np.array_equal(frames[0], np.asarray(image.convert("RGB")))


def test_cmyk_is_converted(tmp_path: Path) -> None:
    image = Image.fromarray(COLOUR).convert("CMYK")
    frames, _ = read_image(saved(tmp_path, "a.tif", image))
    assert np.array_equal(frames[0], np.asarray(image.convert("RGB")))


def test_sixteen_bits_of_grey_keep_the_upper_eight(tmp_path: Path) -> None:
    deep = RNG.integers(0, 65536, (13, 17), dtype=np.uint16)
    deep[0, :2] = 0, 65535
    for name in ("a.png", "a.tif"):
        frames, _ = read_image(saved(tmp_path, name, deep))
        assert np.array_equal(frames[0, :, :, 1], deep >> 8)
        assert frames[0, 0, :2].tolist() == [[0] * 3, [255] * 3]


def test_sixteen_bits_of_colour_keep_the_upper_eight(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    deep = RNG.integers(0, 65536, (13, 17, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), deep[:, :, ::-1])
    frames, _ = read_image(tmp_path / "a.png")
    assert np.array_equal(frames[0], deep >> 8)


def test_opaque_alpha_is_dropped_and_transparency_refused(tmp_path: Path) -> None:
    alpha = np.dstack([COLOUR, np.full((13, 17), 255, np.uint8)])
    frames, _ = read_image(saved(tmp_path, "a.png", alpha))
    assert np.array_equal(frames[0], COLOUR)
    alpha[3, 4, 3] = 254
    with pytest.raises(SampleError, match="transparent"):
        read_image(saved(tmp_path, "b.png", alpha))
    palette = Image.fromarray(GREY).convert("P")
    with pytest.raises(SampleError, match="transparent"):
        read_image(saved(tmp_path, "c.png", palette, transparency=int(np.asarray(palette)[0, 0])))


def test_orientation_is_not_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path, "a.jpg", COLOUR, exif=exif)
    assert image_size(path) == (13, 17)
    assert read_image(path)[0].shape == (1, 13, 17, 3)


def test_smallest_image(tmp_path: Path) -> None:
    frames, _ = read_image(saved(tmp_path, "a.jpg", COLOUR[:1, :1]))
    assert frames.shape == (1, 1, 1, 3)


def test_refused_kinds(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="'F'"):
        read_image(saved(tmp_path, "a.tif", GREY.astype(np.float32)))
    image = Image.fromarray(COLOUR)
    animation = saved(tmp_path, "a.gif", image, save_all=True, append_images=[image.rotate(180)])
    with pytest.raises(SampleError, match="2 pictures"):
        read_image(animation)


def test_damaged_files(tmp_path: Path, data_root: Path) -> None:
    whole = next((data_root / "coco_mini" / "train2017").glob("*.jpg")).read_bytes()
    contents = {
        "empty.jpg": b"",
        "text.jpg": b"not an image",
        "cut.jpg": whole[: len(whole) // 2],
        "header.jpg": whole[:30],
        "cut.png": saved(tmp_path, "a.png", COLOUR).read_bytes()[:200],
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SampleError, match=name):
            read_image(tmp_path / name)
    with pytest.raises(SampleError, match="no such file"):
        read_image(tmp_path / "absent.jpg")
    with pytest.raises(SampleError):
        image_size(tmp_path)


def test_every_cut_of_a_png_and_a_jpeg_is_a_sample_error(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "a.tif", "a.gif"):
        content = saved(tmp_path, name, COLOUR).read_bytes()
        for length in range(0, len(content) - 2, 7):
            (tmp_path / "cut").write_bytes(content[:length])
            try:
                frames, _ = read_image(tmp_path / "cut")
            except SampleError:
                continue
            assert frames.shape == (1, 13, 17, 3)  # only trailing data was lost


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(path)
    with pytest.raises(SampleError, match="too many pixels"):
        read_image(path)
    with pytest.raises(SampleError, match="too many pixels"):
        image_size(path)
