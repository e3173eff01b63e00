"""The codec `bits`: keeps only the highest bits of every colour value, and compresses them with zlib."""

import struct
import zlib

import numpy as np

from harness import codec, hookimpl


class Bits(codec.ImageCodec):
    name = "bits"
    summary = "fewer bits a sample, then zlib"
    scale = codec.Scale("bits", ladder=(8, 6, 4, 3, 2, 1), minimum=1, maximum=8, higher_is_better=True)

    def encode_image(self, image, level):  # uint8[H, W, 3] -> bytes
        return struct.pack("<BII", int(level), *image.shape[:2]) + zlib.compress(image >> (8 - int(level)))

    def decode_image(self, data):  # bytes -> uint8[H, W, 3]
        bits, height, width = struct.unpack_from("<BII", data)
        table = np.linspace(0, 255, 2**bits).round().astype(np.uint8)
        return table[np.frombuffer(zlib.decompress(data[9:]), np.uint8)].reshape(height, width, 3)

    def fingerprint(self):  # everything besides the options that can change pixels or bytes
        return {"zlib": zlib.ZLIB_RUNTIME_VERSION}


@hookimpl
def harness_codecs():
    return [Bits]
