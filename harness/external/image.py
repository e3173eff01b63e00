"""Codecs of single images that are programs."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.codec import ImageCodec
from harness.errors import CodecError
from harness.external.program import ExternalProgram

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ExternalImageCodec"]


class ExternalImageCodec(ExternalProgram, ImageCodec):
    """An image codec whose encoder is a program that reads PNG or PPM files.

    A decoder is a program that writes such a file; without one, Pillow decodes the stream.

    Class attributes:
        exchange: "png" or "ppm": the file that the encoder reads, and that the decoder writes.
    """

    exchange: ClassVar[Literal["png", "ppm"]] = "png"

    def encode_image(self, image: NDArray[np.uint8], level: float) -> bytes:
        from PIL import Image

        with tempfile.TemporaryDirectory(prefix="harness-") as name:
            folder = Path(name)
            source = folder / f"in.{self.exchange}"
            Image.fromarray(image).save(source, compress_level=1)
            values = {"input": source, "level": level}
            return self.run_on(self.encoder, folder, folder / f"out{self.suffix}", values)

    def decode_image(self, data: bytes) -> NDArray[np.uint8]:
        import numpy as np
        from PIL import Image

        picture = self._by_program(data) if self.decoder else data
        try:
            return np.array(Image.open(io.BytesIO(picture)).convert("RGB"))
        except (OSError, SyntaxError) as error:
            raise CodecError(f"{self.name}: the decoded picture cannot be read ({error}).") from error

    def _by_program(self, data: bytes) -> bytes:
        with tempfile.TemporaryDirectory(prefix="harness-") as name:
            folder = Path(name)
            stream = folder / f"in{self.suffix}"
            stream.write_bytes(data)
            return self.run_on(self.decoder, folder, folder / f"out.{self.exchange}", {"input": stream})
