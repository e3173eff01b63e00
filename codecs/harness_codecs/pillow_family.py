"""The image codecs of Pillow: `jpeg`, `webp`, `avif` and `jpeg2000`.

The rate counts the coded image without its container. A JPEG file has no container: the whole file is the stream, and
its few header segments (JFIF, tables) count. These parts do not count: the RIFF framing of WebP, the AVIF boxes around
the AV1 stream, and the JPEG 2000 comment with OpenJPEG's name.
"""

from __future__ import annotations

import io
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from harness import hookimpl
from harness.codec import Codec, ImageCodec, Level, Scale
from harness.errors import CodecError
from harness.options import Option, Value
from harness_codecs import jpeg_opencv

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile

    from harness_codecs.jpeg_self_test import JpegOutcome

__all__ = ["Avif", "Jpeg", "Jpeg2000", "PillowCodec", "Webp", "harness_codecs"]

# The exceptions that Pillow's readers raise when they cannot decode a stream.
_UNREADABLE = (OSError, ValueError, RuntimeError, SyntaxError, OverflowError)


class PillowCodec(ImageCodec):
    """An image codec that uses Pillow to save and open images of the format `file_format`.

    Class attributes:
        file_format: Pillow's name of the format.
        feature: Pillow's name of the library (`PIL.features`).
        library: the library's own name, for the fingerprint.
        largest: the longest image side in pixels that the format can store and the library can read.
    """

    file_format: ClassVar[str]
    feature: ClassVar[str]
    library: ClassVar[str]
    largest: ClassVar[int]

    @abstractmethod
    def arguments(self, level: float) -> dict[str, object]:
        """Return the arguments of `PIL.Image.Image.save` besides the format."""

    @abstractmethod
    def reader(self) -> type[ImageFile]:
        """Return Pillow's class that reads the format.

        It is used instead of `Image.open`, which warns about large images; here large images are expected.
        """

    def encode_image(self, image: NDArray[np.uint8], level: float) -> bytes:
        from PIL import Image

        height, width, _ = image.shape
        if max(height, width) > self.largest:
            raise CodecError(f"{self.name} codes sides up to {self.largest} pixels; this image is {width}x{height}.")
        buffer = io.BytesIO()
        try:
            Image.fromarray(image).save(buffer, self.file_format, **self.arguments(level))
        except (OSError, ValueError, RuntimeError) as error:
            raise CodecError(f"{self.name} cannot code this image of {width}x{height}: {error}") from error
        return buffer.getvalue()

    def decode_image(self, data: bytes) -> NDArray[np.uint8]:
        import numpy as np
        from PIL import Image

        try:
            with self.reader()(io.BytesIO(data)) as image:
                return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
        except (*_UNREADABLE, Image.DecompressionBombError) as error:
            raise CodecError(f"{self.name} cannot decode {len(data)} bytes: {error}") from error

    def fingerprint(self) -> Mapping[str, Value]:
        import PIL
        from PIL import features

        return {"pillow": PIL.__version__, self.library: features.version(self.feature)}

    def available(self) -> str | None:
        from PIL import features

        if features.check(self.feature):
            return None
        return f"this Pillow was built without {self.library}; the wheels on PyPI have it: pip install pillow."


class Jpeg(PillowCodec):
    """Baseline or progressive JPEG by libjpeg-turbo. The bytes are exactly those of Pillow's `save`.

    OpenCV codes in place of Pillow where it was seen to give the same bytes and pixels (`jpeg_self_test`).
    """

    name = "jpeg"
    summary = "JPEG (libjpeg-turbo, with the bytes of Pillow)"
    scale = Scale("quality", (95, 75, 50, 15, 10, 5), minimum=1, maximum=100, higher_is_better=True)
    options = (
        Option("subsampling", str, "4:2:0", "chroma subsampling", choices=("4:4:4", "4:2:2", "4:2:0")),
        Option("progressive", bool, False, "progressive instead of baseline scans"),
        Option("optimize", bool, False, "Huffman tables made for the image"),
    )
    file_format, feature, library, largest = "JPEG", "jpg", "libjpeg", 65500
    _written: bytes | None = None
    """The stream that OpenCV wrote last in this process: it need not be checked before it is decoded."""

    def arguments(self, level: float) -> dict[str, object]:
        return {"quality": int(level), **self.config}

    def reader(self) -> type[ImageFile]:
        from PIL.JpegImagePlugin import JpegImageFile

        return JpegImageFile

    def encode_image(self, image: NDArray[np.uint8], level: float) -> bytes:
        coded = None
        plain = type(self).arguments is Jpeg.arguments and max(image.shape) <= self.largest
        if plain and self._self_test().equal:
            coded = jpeg_opencv.encode(image, int(level), self._variant)
        self._written = coded
        return super().encode_image(image, level) if coded is None else coded

    def decode_image(self, data: bytes) -> NDArray[np.uint8]:
        image = jpeg_opencv.decode(data, known=data == self._written) if self._self_test().equal else None
        return super().decode_image(data) if image is None else image

    def problems(self) -> Sequence[str]:
        found = self._self_test()
        return [] if found.equal else [f"{self.name} is {found.words}."]

    def implementation(self) -> str:
        return self._self_test().words

    @cached_property
    def _variant(self) -> jpeg_opencv.JpegVariant:
        return jpeg_opencv.JpegVariant(self.option("subsampling"), self.option("progressive"), self.option("optimize"))

    def _self_test(self) -> JpegOutcome:
        from harness_codecs.jpeg_self_test import outcome

        return outcome(self._variant)

    def fingerprint(self) -> Mapping[str, Value]:
        from PIL import features

        turbo = features.version("libjpeg_turbo")
        return {**super().fingerprint(), "libjpeg_turbo": turbo, "mozjpeg": bool(features.check("mozjpeg"))}

    def warn(self, level: Level, source_format: str | None, source_quality: int | None) -> str | None:
        if level is None or source_quality is None or (source_format or "").lower() not in {"jpeg", "jpg"}:
            return None
        if level <= source_quality:
            return None
        return (
            f"jpeg at quality {level:g} codes a source that is itself a JPEG of quality {source_quality} or so: "
            "what the source lost is in the baseline too, and this level adds little to it."
        )


class Webp(PillowCodec):
    """Lossy WebP (VP8) with 4:2:0 chroma subsampling. The rate counts the payload of the VP8 chunk."""

    name = "webp"
    summary = "lossy WebP (libwebp through Pillow)"
    scale = Scale("quality", (95, 75, 50, 25, 5, 0), minimum=0, maximum=100, higher_is_better=True)
    options = (Option("method", int, 4, "effort, 0 (fast) to 6 (small)", minimum=0, maximum=6),)
    file_format, feature, library, largest = "WEBP", "webp", "libwebp", 16383

    def arguments(self, level: float) -> dict[str, object]:
        return {"quality": int(level), **self.config}

    def reader(self) -> type[ImageFile]:
        from PIL.WebPImagePlugin import WebPImageFile

        return WebPImageFile

    def stream_bits(self, data: bytes) -> int:
        """Return the size of the VP8 chunk's payload in bits.

        RIFF framing and padding belong to the container and do not count (RFC 9649, section 2).
        """
        position, payload = 12, 0
        while position + 8 <= len(data):
            size = int.from_bytes(data[position + 4 : position + 8], "little")
            payload += size if data[position : position + 4].startswith(b"VP8 ") else 0
            position += 8 + size + size % 2
        return 8 * payload


class Avif(PillowCodec):
    """AVIF encoded by libaom.

    It uses one thread, because the number of threads changes the tiles and so the bytes. The rate counts the media
    data: the AV1 stream with its sequence header. The boxes around it are the container and do not count.
    """

    name = "avif"
    summary = "AVIF (libaom through Pillow)"
    costly = True
    scale = Scale("quality", (90, 70, 50, 30, 15, 5), minimum=0, maximum=100, higher_is_better=True)
    options = (
        Option("speed", int, 6, "0 (small) to 10 (fast)", minimum=0, maximum=10),
        Option("subsampling", str, "4:2:0", "chroma subsampling", choices=("4:4:4", "4:2:2", "4:2:0")),
    )
    file_format, feature, library, largest = "AVIF", "avif", "libavif", 32768

    def arguments(self, level: float) -> dict[str, object]:
        return {"quality": int(level), **self.config, "codec": "aom", "max_threads": 1, "autotiling": False}

    def reader(self) -> type[ImageFile]:
        from PIL.AvifImagePlugin import AvifImageFile

        return AvifImageFile

    def stream_bits(self, data: bytes) -> int:
        """Return the size of the payload of the `mdat` boxes in bits (ISO/IEC 14496-12, section 8.1.1)."""
        position, payload = 0, 0
        while position + 8 <= len(data):
            size, header = int.from_bytes(data[position : position + 4], "big"), 8
            if size == 1:
                size, header = int.from_bytes(data[position + 8 : position + 16], "big"), 16
            size = max(size, header) if size else len(data) - position
            payload += size - header if data[position + 4 : position + 8] == b"mdat" else 0
            position += size
        return 8 * payload

    def fingerprint(self) -> Mapping[str, Value]:
        from PIL import _avif

        return {**super().fingerprint(), "libavif_codecs": str(_avif.codec_versions()), "threads": 1}

    def available(self) -> str | None:
        if missing := super().available():
            return missing
        from PIL import _avif

        return None if _avif.encoder_codec_available("aom") else "this Pillow's libavif was built without libaom."


class Jpeg2000(PillowCodec):
    """JPEG 2000 Part 1 with the irreversible 9/7 wavelet and colour transform, as a bare codestream.

    The level is a target for OpenJPEG. By default it is the compression ratio (24 bits per pixel divided by the rate),
    so that every image gets the same rate. With `control=psnr` it is the PSNR in dB, so that every image gets the same
    quality. The rate counts the codestream without the comment in which OpenJPEG writes its name.
    """

    name = "jpeg2000"
    summary = "JPEG 2000 (OpenJPEG through Pillow)"
    options = (Option("control", str, "ratio", "what the level sets", choices=("ratio", "psnr")),)
    scales: ClassVar = {
        "ratio": Scale("ratio", (8, 20, 40, 80, 160, 320), 1, 1000, higher_is_better=False, integer=False),
        "psnr": Scale("psnr", (45, 40, 35, 30, 27, 24), 10, 60, higher_is_better=True, integer=False, unit="dB"),
    }
    quality_modes: ClassVar = {"ratio": "rates", "psnr": "dB"}
    file_format, feature, library, largest = "JPEG2000", "jpg_2000", "openjpeg", 1 << 24

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.scale = self.scales[self.option("control")]

    def arguments(self, level: float) -> dict[str, object]:
        mode = self.quality_modes[self.option("control")]
        coding = {"quality_mode": mode, "quality_layers": [float(level)], "irreversible": True, "mct": 1}
        return {**coding, "no_jp2": True}

    def reader(self) -> type[ImageFile]:
        from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

        return Jpeg2KImageFile

    def stream_bits(self, data: bytes) -> int:
        """Return the size in bits of the codestream without the comment segments of its main header.

        The format of the header is in ISO/IEC 15444-1, annex A.
        """
        position, comments = 2, 0
        while data[position : position + 2] not in (b"\xff\x90", b""):
            size = 2 + int.from_bytes(data[position + 2 : position + 4], "big")
            comments += size if data[position : position + 2] == b"\xff\x64" else 0
            position += size
        return 8 * (len(data) - comments)


@hookimpl
def harness_codecs() -> Iterable[type[Codec]]:
    return (Jpeg, Webp, Avif, Jpeg2000)
