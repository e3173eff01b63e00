"""Codecs that are programs: an encoder, and perhaps a decoder, that is run on files.

A subclass states the command lines; files, colours, errors, rate and versions are taken care of. A complete codec::

    class X265(ExternalCodec):
        name = "x265"
        summary = "HEVC by the program x265, 10 bit"
        scale = Scale("crf", (24, 30, 36, 42), 0, 51, higher_is_better=False, integer=False)
        options = (Option("preset", str, "medium", "effort"),)
        pix_fmt, suffix, smallest = "yuv420p10le", ".hevc", 64
        encoder = ("x265", "--y4m", "--input", "{input}", "--output", "{output}", "--output-depth", "10",
                   "--preset", "{preset}", "--crf", "{level}", "--no-info", "--pools", "none", "--frame-threads", "1")
        version = ("x265", "--version")
        install = "apt-get install x265"

In a command line, `{input}` and `{output}` are the files; `{level}`, `{width}`, `{height}`, `{frames}`, `{fps}` (a
fraction such as 25/1), `{pix_fmt}` and `{bits}` (of a sample) describe the clip, and each option stands under its name.
For an image program there are `{input}`, `{output}`, `{level}` and the options.

The same frames, options and level have to give the same bytes each time. Many encoders do not keep that with several
threads: state one in the command line.
"""

from harness.external.image import ExternalImageCodec
from harness.external.program import ExternalProgram
from harness.external.video import ExternalCodec

__all__ = ["ExternalCodec", "ExternalImageCodec", "ExternalProgram"]
