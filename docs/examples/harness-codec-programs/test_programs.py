"""The promises of codecs, tried on both programs; skipped where they are not installed."""

from harness_codec_programs import X265, SvtAv1

from harness.testing import CodecPromises


class TestSvtAv1(CodecPromises):
    def make(self):
        return SvtAv1(preset=12)


class TestX265(CodecPromises):
    def make(self):
        return X265(preset="ultrafast")
