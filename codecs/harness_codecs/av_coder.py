"""Encoders and decoders of libav run in process through PyAV, and what is to be known of them: versions, presence."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from harness.codec import Scale
from harness.errors import CodecError, UsageError

if TYPE_CHECKING:
    import av

    from harness_codecs.av_colour import Colour

__all__ = ["Encoder", "decode", "encode", "nvidia", "refusal", "versions"]

# SVT-AV1 writes its settings to stderr unless this variable says otherwise: 0 leaves what is fatal.
_QUIET = ("SVT_LOG", "0")


@dataclass(frozen=True)
class Encoder:
    """One encoder of libavcodec.

    Args:
        name: libavcodec's name of it.
        scale: its control of constant quality.
        library: how the file name of the library that does the work begins; None where an NVIDIA GPU does it.
        presets: the presets it knows.
        tunes: the tunings it knows.
        pix_fmts: the pixel formats it takes, of those that the family offers.
        smallest: the least height and width in pixels that it takes.
    """

    name: str
    scale: Scale
    library: str | None
    presets: tuple[str, ...] = ()
    tunes: tuple[str, ...] = ()
    pix_fmts: tuple[str, ...] = ("yuv420p", "yuv422p", "yuv444p")
    smallest: int = 2


def encode(
    encoder: str,
    frames: Iterable[av.VideoFrame],
    size: tuple[int, int],
    fps: Fraction,
    colour: Colour,
    threads: int,
    options: Mapping[str, str],
) -> list[bytes]:
    """The packets of a clip, in decoding order, parameter sets in band.

    Args:
        encoder: libavcodec's name of it.
        frames: the clip in the colour's pixel format.
        size: height and width in pixels, as coded.
        fps: frames a second.
        colour: what the stream is tagged with.
        threads: of the encoder.
        options: the encoder's own options.

    Raises:
        CodecError: the encoder refuses something, or does not know an option.
    """
    import av

    os.environ.setdefault(*_QUIET)
    height, width = size
    try:
        context = av.CodecContext.create(encoder, "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height, context.pix_fmt = width, height, colour.pix_fmt
        context.framerate, context.time_base = fps, 1 / fps
        context.thread_count = threads
        matrix, primaries, transfer = colour.tags
        context.colorspace, context.color_primaries, context.color_trc = matrix, primaries, transfer
        context.color_range = colour.range_code
        context.options = dict(options)
        context.open()
        if context.options:
            raise CodecError(f"{encoder} does not know the options {dict(context.options)}.")
        packets: list[bytes] = []
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = number, context.time_base
            packets += (bytes(packet) for packet in context.encode(frame))
        packets += (bytes(packet) for packet in context.encode(None))
    except av.FFmpegError as error:
        asked = ", ".join(f"{key}={value}" for key, value in options.items())
        raise CodecError(
            f"{encoder} refuses {colour.pix_fmt} frames of {width}x{height} at {float(fps):g} a second "
            f"with {asked}: {error.strerror}."
        ) from error
    return [packet for packet in packets if packet]


def decode(decoder: str, packets: Iterable[bytes]) -> Iterator[av.VideoFrame]:
    """The frames of a stream, in the order they are shown.

    Raises:
        CodecError: the decoder refuses the stream.
    """
    import av

    try:
        context = av.CodecContext.create(decoder, "r")
        assert isinstance(context, av.VideoCodecContext)
        context.thread_count = 1
        context.options = {"err_detect": "explode"}  # or the H.264 and MPEG-2 decoders paint over what is damaged
        for packet in packets:
            yield from context.decode(av.Packet(packet))
        yield from context.decode(None)
    except av.FFmpegError as error:
        raise CodecError(f"{decoder} cannot decode the stream: {error.strerror}.") from error


@cache
def versions(encoder: str, library: str | None) -> Mapping[str, str]:
    """Versions of PyAV, of the libraries of libav that code, convert and decode, and of the encoder's own.

    The last is the name of the library's file, as PyAV's packages bring it (with a hash of its content) or as the
    system has it. It is left out where neither can be found.

    Raises:
        UsageError: this libavcodec has no such encoder.
    """
    import av
    from av.codec.codec import UnknownCodecError

    try:
        av.Codec(encoder, "w")
    except UnknownCodecError:
        raise UsageError(
            f"this PyAV's libavcodec was built without {encoder}; the wheels on PyPI have it: pip install av."
        ) from None
    parts = ("libavcodec", "libavutil", "libswscale")
    known = {part: ".".join(map(str, av.library_versions[part])) for part in parts}
    found = {"library": file} if library and (file := _library_file(library)) else {}
    return {"pyav": av.__version__, **known, **found}


def _library_file(prefix: str) -> str | None:
    import av

    package = Path(av.__file__).parent
    bundled = [file for folder in (package.parent / "av.libs", package / ".dylibs") for file in folder.glob("*")]
    maps = Path("/proc/self/maps")
    mapped = re.findall(r"(/\S+)$", maps.read_text(), re.MULTILINE) if maps.is_file() and not bundled else []
    names = sorted({file.name for file in (*bundled, *map(Path, mapped)) if file.name.startswith(prefix)})
    return names[0] if names else None


@cache
def nvidia() -> Mapping[str, str]:
    """The machine's NVIDIA GPUs and their driver, whose version is also that of the encoders it brings.

    As nvidia-smi tells; empty where it is not there or fails.
    """
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    rows = [line.rpartition(", ") for line in told.splitlines() if line]
    gpus, drivers = (" + ".join(dict.fromkeys(row[place] for row in rows)) for place in (0, 2))
    return {"gpu": gpus, "driver": drivers}


@cache
def refusal(encoder: str) -> str | None:
    """What libav says on this machine when an encoder is asked to code one frame; None when it does it."""
    import av

    try:
        context = av.CodecContext.create(encoder, "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height, context.pix_fmt = 256, 256, "yuv420p"
        context.framerate, context.time_base = Fraction(25), Fraction(1, 25)
        context.encode(av.VideoFrame(256, 256, "yuv420p"))
        context.encode(None)
    except av.FFmpegError as error:
        return str(error.strerror)
    except ValueError as error:  # libavcodec was built without it
        return str(error)
    return None
