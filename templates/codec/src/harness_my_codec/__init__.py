"""The codec `my-codec`: keeps the highest bits of every colour value, and compresses them with zlib."""

import struct
import zlib

import numpy as np

from harness import hookimpl
from harness.codec import ImageCodec, Scale
from harness.options import Option

HEADER = struct.Struct("<BII")
"""Before the compressed values: bits a value, height and width of the image."""


class MyCodec(ImageCodec):
    """A codec of single images. At level 8 it is lossless."""

    name = "my-codec"
    summary = "fewer bits a colour value, then zlib"
    scale = Scale("bits", ladder=(8, 6, 4, 3, 2, 1), minimum=1, maximum=8, higher_is_better=True)
    options = (Option("effort", int, 6, "How hard zlib tries to find repetitions.", minimum=1, maximum=9),)

    def encode_image(self, image, level):
        """uint8[H, W, 3], RGB -> bytes. All bytes count as rate, unless `stream_bits` says otherwise."""
        bits = int(level)
        return HEADER.pack(bits, *image.shape[:2]) + zlib.compress(image >> (8 - bits), self.option("effort"))

    def decode_image(self, data):
        """Bytes -> a new array uint8[H, W, 3], RGB, of the size that was encoded."""
        bits, height, width = HEADER.unpack_from(data)
        values = np.linspace(0, 255, 2**bits).round().astype(np.uint8)
        kept = np.frombuffer(zlib.decompress(data[HEADER.size :]), np.uint8)
        return values[kept].reshape(height, width, 3)

    def fingerprint(self):
        """What else, apart from the options and this source, can change pixels or bytes: versions of libraries."""
        return {"zlib": zlib.ZLIB_RUNTIME_VERSION}


@hookimpl
def harness_codecs():
    return [MyCodec]
