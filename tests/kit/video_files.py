"""Video files for tests, written by PyAV: pictures, sound, edit lists, cuts."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

QUIET = "log-level=none:pools=none:frame-threads=1"
"""Parameters of x265. Its look-ahead writes out of bounds for pictures narrower than 49 pixels: take wider ones."""

GRID = 8
"""The grey level of a frame's left upper square is `GRID * number`: it says which frame it is."""


def numbered(count: int, height: int = 64, width: int = 96) -> np.ndarray:
    """Frames that say their number, and look different in every corner: uint8[T, H, W, 3]."""
    frames = np.empty((count, height, width, 3), np.uint8)
    frames[..., 0] = np.linspace(30, 220, width)
    frames[..., 1] = np.linspace(200, 40, height)[:, None]
    frames[..., 2] = 90
    for number, frame in enumerate(frames):
        frame[: height // 2, : width // 2] = GRID * number % 256
        frame[-16:, 2 * number % (width - 16) : 2 * number % (width - 16) + 16] = 240, 40, 40
    return frames


def numbers(frames: np.ndarray) -> list[int]:
    """The numbers that frames say, of 32 at most."""
    height, width = frames.shape[1:3]
    inside = frames[:, 4 : height // 2 - 4, 4 : width // 2 - 4]
    return [round(float(level) / GRID) for level in inside.mean((1, 2, 3))]


def written(
    path: Path,
    frames: np.ndarray,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rate: Fraction | int = 25,
    sound: str | None = None,
    seconds: float = 0,
    prepare: Callable[[Any], None] = lambda stream: None,
    container: dict[str, str] | None = None,
    form: str | None = None,
    **options: str,
) -> Path:
    """Write frames, and `seconds` of silence by the sound codec `sound`."""
    options = {"x265-params": QUIET} | options if codec == "libx265" else options
    with av.open(str(path), "w", format=form, container_options=container or {}) as file:
        stream = file.add_stream(codec, rate=rate, options={"threads": "1", **options})
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], pixels
        stream.codec_context.time_base = 1 / Fraction(rate)
        prepare(stream)
        audio = file.add_stream(sound, rate=48000) if sound else None
        for number, pixels_ in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels_, format="rgb24")
            frame.pts, frame.time_base = number, 1 / Fraction(rate)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
        if audio is not None:
            resampler = av.AudioResampler(format=audio.format, layout=audio.layout, rate=48000)
            silence = av.AudioFrame.from_ndarray(np.zeros((1, int(48000 * seconds)), np.int16), layout="mono")
            silence.sample_rate, silence.pts = 48000, 0
            fifo = av.AudioFifo()
            for part in resampler.resample(silence):
                fifo.write(part)
            for part in fifo.read_many(audio.codec_context.frame_size or 1024, partial=True):
                file.mux(audio.encode(part))
            file.mux(audio.encode(None))
    return path


def copied(
    source: Path,
    path: Path,
    keep: Callable[[int], bool] = lambda number: True,
    earlier: float = 0,
    change: Callable[[int, bytes], bytes] = lambda number, data: data,
    container: dict[str, str] | None = None,
    form: str | None = None,
) -> Path:
    """Copy the packets of a video stream, counted in decoding order, without coding them anew.

    Args:
        keep: which packets.
        earlier: seconds by which all times are earlier. In MP4, an edit list hides what lies before 0.
        change: what becomes of a packet's bytes.
    """
    with av.open(str(source)) as old, av.open(str(path), "w", format=form, container_options=container or {}) as new:
        video = old.streams.video[0]
        stream = new.add_stream_from_template(video)
        number = 0
        for packet in old.demux(video):
            if not packet.size:
                continue
            if keep(number):
                data = bytes(packet)
                other = av.Packet(changed) if (changed := change(number, data)) != data else packet
                other.time_base = packet.time_base
                ticks = round(earlier / packet.time_base)
                other.pts, other.dts = (None if t is None else t - ticks for t in (packet.pts, packet.dts))
                other.duration, other.is_keyframe, other.stream = packet.duration, packet.is_keyframe, stream
                new.mux(other)
            number += 1
    return path


def keys(path: Path) -> list[int]:
    """The numbers of the packets that hold key pictures."""
    with av.open(str(path)) as file:
        packets = [packet for packet in file.demux(file.streams.video[0]) if packet.size]
    return [number for number, packet in enumerate(packets) if packet.is_keyframe]
