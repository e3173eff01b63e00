"""The promises of codecs, tried on both."""

from harness_codec_imagecodecs import Htj2k, JpegXl

from harness.testing import CodecPromises


class TestJpegXl(CodecPromises):
    def make(self):
        return JpegXl()


class TestHtj2k(CodecPromises):
    def make(self):
        return Htj2k()
