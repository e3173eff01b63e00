"""Codecs by the library imagecodecs: `jxl` (JPEG XL) and `htj2k` (High-Throughput JPEG 2000)."""

from importlib.util import find_spec

import numpy as np

from harness import codec, hookimpl


class ByImagecodecs(codec.ImageCodec):
    def available(self):
        return None if find_spec("imagecodecs") else "imagecodecs is not installed: pip install imagecodecs."

    def fingerprint(self):  # everything besides the options that can change pixels or bytes
        import imagecodecs

        return {"imagecodecs": imagecodecs.__version__, "library": self.library(imagecodecs)}


class JpegXl(ByImagecodecs):
    name = "jxl"
    summary = "JPEG XL (libjxl through imagecodecs)"
    scale = codec.Scale("distance", (0.5, 1, 2, 4, 8, 15), 0.1, 15, higher_is_better=False, integer=False)

    def library(self, imagecodecs):
        return imagecodecs.jpegxl_version()

    def encode_image(self, image, level):  # uint8[H, W, 3] -> bytes
        import imagecodecs

        return bytes(imagecodecs.jpegxl_encode(image, distance=level, lossless=False, numthreads=1))

    def decode_image(self, data):  # bytes -> uint8[H, W, 3]
        import imagecodecs

        return np.array(imagecodecs.jpegxl_decode(data, numthreads=1))


class Htj2k(ByImagecodecs):
    name = "htj2k"
    summary = "High-Throughput JPEG 2000 (OpenJPH through imagecodecs)"
    scale = codec.Scale("qstep", (0.002, 0.008, 0.03, 0.1), 1e-4, 0.5, higher_is_better=False, integer=False)

    def library(self, imagecodecs):
        return imagecodecs.htj2k_version()

    def encode_image(self, image, level):
        import imagecodecs

        return bytes(imagecodecs.htj2k_encode(image, level=level, reversible=False))

    def decode_image(self, data):
        import imagecodecs

        return np.array(imagecodecs.htj2k_decode(data))


@hookimpl
def harness_codecs():
    return [JpegXl, Htj2k]
