"""Codecs that are programs: `svt-av1` (AV1 with 10 bits) and `x265` (HEVC with 8 or 10 bits)."""

from harness import codec, hookimpl
from harness.external import ExternalCodec
from harness.options import Option


class SvtAv1(ExternalCodec):
    name = "svt-av1"
    summary = "AV1 with 10 bits, by the program SvtAv1EncApp"
    scale = codec.Scale("crf", (30, 40, 50, 60), 1, 63, higher_is_better=False)
    options = (Option("preset", int, 8, "effort: 0 (small) to 12 (fast)", minimum=0, maximum=12),)
    pix_fmt, suffix, smallest = "yuv420p10le", ".ivf", 64
    encoder = ("SvtAv1EncApp", "-i", "{input}", "-b", "{output}", "--input-depth", "{bits}",
               "--crf", "{level}", "--preset", "{preset}", "--lp", "1")  # fmt: skip
    version = ("SvtAv1EncApp", "--version")
    install = "apt-get install svt-av1"


class X265(ExternalCodec):
    name = "x265"
    summary = "HEVC with 8 or 10 bits, by the program x265"
    scale = codec.Scale("crf", (24, 30, 36, 42), 0, 51, higher_is_better=False, integer=False)
    options = (
        Option("preset", str, "medium", "effort: ultrafast to placebo"),
        Option("depth", int, 10, "bits of a sample", choices=(8, 10)),
    )
    suffix, smallest = ".hevc", 64
    encoder = ("x265", "--y4m", "--input", "{input}", "--output", "{output}", "--output-depth", "{bits}",
               "--preset", "{preset}", "--crf", "{level}", "--no-info", "--pools", "none",
               "--frame-threads", "1")  # fmt: skip
    version = ("x265", "--version")
    install = "apt-get install x265"

    @property
    def pix_fmt(self):
        return "yuv420p10le" if self.option("depth") == 10 else "yuv420p"


@hookimpl
def harness_codecs():
    return [SvtAv1, X265]
