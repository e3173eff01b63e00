"""Encode and decode in this process through PyAV (libav), and query encoder versions and availability."""

from __future__ import annotations

import contextlib
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

    from harness.video.yuv import Colour

__all__ = ["Encoder", "decode", "encode", "nvidia", "refusal", "same_priority", "versions"]

# By default SVT-AV1 logs its settings to stderr. With this variable at 0 it logs fatal errors only.
_QUIET = ("SVT_LOG", "0")


@dataclass(frozen=True)
class Encoder:
    """An encoder of libavcodec.

    Args:
        name: libavcodec's name of the encoder.
        scale: the scale of its constant-quality control.
        library: first letters of the file name of the library that encodes; None when an NVIDIA GPU encodes.
        presets: the presets that the encoder supports.
        tunes: the tunings that the encoder supports.
        pix_fmts: the pixel formats that the encoder supports.
        smallest: the smallest height and width in pixels that the encoder accepts.
    """

    name: str
    scale: Scale
    library: str | None
    presets: tuple[str, ...] = ()
    tunes: tuple[str, ...] = ()
    pix_fmts: tuple[str, ...] = ("yuv420p", "yuv422p", "yuv444p")
    smallest: int = 2


@contextlib.contextmanager
def same_priority() -> Iterator[None]:
    """Keep this thread's scheduling: SVT-AV1 makes the thread of root that calls it a real-time thread."""
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    before, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != before:
            os.sched_setscheduler(0, before, parameters)


@same_priority()
def encode(
    encoder: str,
    frames: Iterable[av.VideoFrame],
    size: tuple[int, int],
    fps: Fraction,
    colour: Colour,
    threads: int,
    options: Mapping[str, str],
) -> list[bytes]:
    """Encode a clip and return its packets in decoding order, with the parameter sets inside the packets (in band).

    Args:
        encoder: libavcodec's name of the encoder.
        frames: the clip, in the pixel format of `colour`.
        size: coded height and width in pixels.
        fps: frames per second.
        colour: the colour description that is written into the stream, as far as the format has fields for it.
        threads: number of encoder threads.
        options: options of the encoder, under libavcodec's names.

    Raises:
        CodecError: the encoder rejects the frames or an option's value, or does not know an option.
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
        context.options = {**options, **colour.siting_option}
        context.open()
        if context.options:
            raise CodecError(f"{encoder} does not know the options {dict(context.options)}.")
        packets: list[bytes] = []
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = number, context.time_base
            packets += (bytes(packet) for packet in context.encode(frame))
        packets += (bytes(packet) for packet in context.encode(None))
    except av.FFmpegError as error:
        settings = ", ".join(f"{key}={value}" for key, value in options.items())
        raise CodecError(
            f"{encoder} refuses {colour.pix_fmt} frames of {width}x{height} at {float(fps):g} a second "
            f"with {settings}: {error.strerror}."
        ) from error
    return [packet for packet in packets if packet]


def decode(decoder: str, packets: Iterable[bytes]) -> Iterator[av.VideoFrame]:
    """Decode a stream and yield its frames in display order.

    Raises:
        CodecError: the decoder cannot decode the stream.
    """
    import av

    try:
        context = av.CodecContext.create(decoder, "r")
        assert isinstance(context, av.VideoCodecContext)
        context.thread_count = 1
        context.options = {"err_detect": "explode"}  # without it, the H.264 and MPEG-2 decoders conceal errors
        for packet in packets:
            yield from context.decode(av.Packet(packet))
        yield from context.decode(None)
    except av.FFmpegError as error:
        raise CodecError(f"{decoder} cannot decode the stream: {error.strerror}.") from error


@cache
def versions(encoder: str, library: str | None) -> Mapping[str, str]:
    """Return the versions of PyAV, of libavcodec, libavutil and libswscale, and of the encoder's library.

    The version of the encoder's library is its file name: that of the file in PyAV's wheel (the name contains a hash
    of the content), or of the file that the system loaded. It is left out when neither file is found.

    Raises:
        UsageError: this libavcodec was built without the encoder.
    """
    import av
    from av.codec.codec import UnknownCodecError

    try:
        av.Codec(encoder, "w")
    except UnknownCodecError:
        raise UsageError(
            f"this PyAV's libavcodec was built without {encoder}; the wheels on PyPI have it: pip install av."
        ) from None
    parts = ("libavcodec", "libavfilter", "libavutil", "libswscale")
    libav_versions = {part: ".".join(map(str, av.library_versions[part])) for part in parts}
    encoder_library = {"library": file} if library and (file := _library_file(library)) else {}
    return {"pyav": av.__version__, **libav_versions, **encoder_library}


def _library_file(prefix: str) -> str | None:
    """Return the name of the library file that starts with `prefix`: from PyAV's wheel, else from the loaded
    libraries."""
    import av

    package = Path(av.__file__).parent
    bundled = [file for folder in (package.parent / "av.libs", package / ".dylibs") for file in folder.glob("*")]
    maps = Path("/proc/self/maps")
    mapped = re.findall(r"(/\S+)$", maps.read_text(), re.MULTILINE) if maps.is_file() and not bundled else []
    names = sorted({file.name for file in (*bundled, *map(Path, mapped)) if file.name.startswith(prefix)})
    return names[0] if names else None


@cache
def nvidia() -> Mapping[str, str]:
    """Return the names of the machine's NVIDIA GPUs and the driver version, which is also the version of NVENC.

    The values come from nvidia-smi. The result is empty when nvidia-smi is missing or fails.
    """
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    rows = [line.rpartition(", ") for line in output.splitlines() if line]
    gpus, drivers = (" + ".join(dict.fromkeys(row[place] for row in rows)) for place in (0, 2))
    return {"gpu": gpus, "driver": drivers}


@cache
@same_priority()
def refusal(encoder: str) -> str | None:
    """Encode one test frame on this machine: return libav's error message, or None when the encoder works."""
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
    except ValueError as error:  # libavcodec was built without the encoder
        return str(error)
    return None
