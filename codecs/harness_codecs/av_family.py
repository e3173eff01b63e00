"""The video codecs that PyAV brings: `h264`, `hevc`, `av1`, `vp9`, `mpeg2`, coded and decoded in process.

An image is a clip of one frame. Rate is the elementary stream: parameter sets and all frame data, no container, no
banner in which an encoder names itself.

The ladder of `h264` is the study's (registry.toml). Those of `hevc`, `av1` and `vp9` are the levels at which clips of
UCF101 take about the rate that they take at h264's; at their last level av1 and vp9 still take twice h264's. That of
`mpeg2` doubles the quantiser's step. docs/reference/video-codecs.md has the figures.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from typing import ClassVar

from harness import hookimpl
from harness.codec import Codec, Scale
from harness.errors import UsageError
from harness.options import Option
from harness_codecs.av_codec import AvCodec, gpu, shared
from harness_codecs.av_coder import Encoder
from harness_codecs.av_stream import without_banner

__all__ = ["H264", "Av1", "Hevc", "Mpeg2", "Vp9", "harness_codecs"]

_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")
_ALL_PIX_FMTS = ("yuv420p", "yuv422p", "yuv444p")


class _X26x(AvCodec):
    """H.264 and HEVC, whose encoders come from one school: presets, tunings and options are named alike."""

    header: ClassVar[int]

    def parameters(self, level: float) -> dict[str, str]:
        given = {"preset": self.config["preset"], "tune": self.config["tune"], "bf": self.config["bframes"]}
        options = {key: str(value) for key, value in given.items() if value is not None}
        quality = self.option("rate") == "quality"
        if self.encoder == self.encoders[0]:
            return options | ({"crf": f"{level:g}"} if quality else {})
        options |= {"rc": "cbr" if self.option("rate") == "cbr" else "vbr"}
        return options | ({"cq": f"{level:g}", "b": "0"} if quality else {})

    def packet(self, packet: bytes) -> bytes:
        return without_banner(packet, self.header)


def _options(encoders: tuple[Encoder, ...], bframes: int) -> tuple[Option, ...]:
    return (
        Option("preset", str, "medium", "effort: ultrafast to placebo; p1 to p7 of a GPU"),
        Option("tune", str, None, "what the encoder is tuned for"),
        Option("bframes", int, None, f"B-frames in a row at most; the preset's when not set (medium: {bframes})",
               minimum=0, maximum=16),
        Option("encoder", str, encoders[0].name, "encoder", choices=tuple(encoder.name for encoder in encoders)),
        *shared("250", _ALL_PIX_FMTS),
    )  # fmt: skip


class H264(_X26x):
    """H.264 (MPEG-4 AVC) by x264."""

    name = "h264"
    summary = "H.264 (x264 through PyAV)"
    _x264 = Encoder(
        "libx264",
        Scale("crf", (23, 25, 30, 40, 50), 0, 51, higher_is_better=False, integer=False),
        "libx264",
        _PRESETS,
        ("film", "animation", "grain", "stillimage", "psnr", "ssim", "fastdecode", "zerolatency"),
    )
    encoders = (_x264, gpu("h264_nvenc", (23, 25, 30, 40, 50)))
    decoder, header = "h264", 1
    options = _options(encoders, 3)


class Hevc(_X26x):
    """HEVC (H.265) by x265. Level 0 is lossless."""

    name = "hevc"
    summary = "HEVC (x265 through PyAV)"
    _x265 = Encoder(
        "libx265",
        Scale("crf", (25, 27, 31, 40, 47), 0, 51, higher_is_better=False, integer=False),
        "libx265",
        _PRESETS,
        ("psnr", "ssim", "grain", "fastdecode", "zerolatency", "animation"),
        smallest=64,  # it takes 16, but its look-ahead writes past its memory where a clip is narrower than 49
    )
    encoders = (_x265, gpu("hevc_nvenc", (25, 27, 31, 40, 47)))
    decoder, header = "hevc", 2
    options = _options(encoders, 4)

    def parameters(self, level: float) -> dict[str, str]:
        options = super().parameters(level)
        if self.encoder != self.encoders[0]:
            return options
        threads = self.option("threads")
        own = {"info": 0, "log-level": "none", "pools": "none" if threads == 1 else threads, "frame-threads": threads}
        if level == 0 and "crf" in options:
            own["lossless"] = 1  # as 0 is for x264 and libvpx; to x265 alone it is only its finest step
        return {**options, "x265-params": ":".join(f"{key}={value}" for key, value in own.items())}


class Av1(AvCodec):
    """AV1 by SVT-AV1, decoded by dav1d."""

    name = "av1"
    summary = "AV1 (SVT-AV1 through PyAV)"
    encoders = (
        Encoder(
            "libsvtav1",
            Scale("crf", (33, 36, 46, 60, 63), 1, 63, higher_is_better=False),
            "libSvtAv1Enc",
            pix_fmts=("yuv420p",),
            tunes=("vq", "psnr", "ssim"),
            smallest=64,  # it takes 4, but runs out of memory at times below its superblock of 64
        ),
    )
    decoder = "libdav1d"
    options = (
        Option("preset", int, 8, "0 (small) to 13 (fast)", minimum=0, maximum=13),
        Option("tune", str, None, "what the encoder is tuned for (psnr when not set)"),
        Option("low_delay", bool, False, "no frame waits for a later one"),
        *shared("250", ("yuv420p",)),
    )

    def parameters(self, level: float) -> dict[str, str]:
        own = {"lp": str(self.option("threads"))}
        if tune := self.option("tune"):
            own["tune"] = str(self.encoder.tunes.index(tune))
        if self.option("low_delay"):
            own["pred-struct"] = "1"
        options = {"preset": str(self.option("preset")), "svtav1-params": ":".join(f"{k}={v}" for k, v in own.items())}
        return options | ({"crf": f"{level:g}"} if self.option("rate") == "quality" else {})

    def stream_fps(self, fps: Fraction) -> Fraction:
        """SVT-AV1 takes up to 240 frames a second."""
        return min(fps, Fraction(240))

    def _check(self) -> None:
        super()._check()
        if self.option("rate") == "cbr" and not self.option("low_delay"):
            raise UsageError("SVT-AV1 has a constant bitrate only with low_delay=yes. Or ask for rate=abr.")


class Vp9(AvCodec):
    """VP9 by libvpx."""

    name = "vp9"
    summary = "VP9 (libvpx through PyAV)"
    encoders = (
        Encoder("libvpx-vp9", Scale("crf", (34, 38, 47, 60, 63), 0, 63, higher_is_better=False), "libvpx",
                tunes=("psnr", "ssim")),
    )  # fmt: skip
    decoder = "vp9"
    options = (
        Option("deadline", str, "good", "effort, in whole", choices=("best", "good", "realtime")),
        Option("cpu_used", int, 4, "effort, in part: 0 (small) to 8 (fast)", minimum=0, maximum=8),
        Option("tune", str, None, "what the encoder is tuned for (psnr when not set)"),
        Option("low_delay", bool, False, "no frame waits for a later one: no hidden frames, no look-ahead"),
        *shared("250", _ALL_PIX_FMTS),
    )

    def parameters(self, level: float) -> dict[str, str]:
        options = {"deadline": str(self.option("deadline")), "cpu-used": str(self.option("cpu_used")), "row-mt": "0"}
        if tune := self.option("tune"):
            options["tune"] = str(tune)
        if self.option("low_delay"):
            options |= {"lag-in-frames": "0", "auto-alt-ref": "0"}
        return options | ({"crf": f"{level:g}", "b": "0"} if self.option("rate") == "quality" else {})


class Mpeg2(AvCodec):
    """MPEG-2 video by libavcodec's own encoder; its range is limited, the format has no full one."""

    name = "mpeg2"
    summary = "MPEG-2 video (libavcodec through PyAV)"
    encoders = (
        Encoder("mpeg2video", Scale("qscale", (2, 4, 8, 16, 31), 1, 31, higher_is_better=False), "libavcodec",
                pix_fmts=("yuv420p", "yuv422p")),
    )  # fmt: skip
    decoder = "mpeg2video"
    options = (
        Option("bframes", int, 0, "B-frames in a row at most", minimum=0, maximum=16),
        *shared("12", ("yuv420p", "yuv422p"), ranges=("limited",)),
    )

    def parameters(self, level: float) -> dict[str, str]:
        options = {"bf": str(self.option("bframes")), "qmin": "1"}
        if self.option("rate") != "quality":
            return options
        # What `ffmpeg -q:v` does by a field of its frames: one step for every frame, whatever its type, and the
        # Lagrange multiplier that goes with it (libavutil's FF_QP2LAMBDA).
        step, multiplier = f"{level:g}", str(int(level) * 118)
        fixed = {"qmin": step, "qmax": step, "lmin": multiplier, "lmax": multiplier}
        return options | fixed | {"i_qfactor": "1", "i_qoffset": "0", "b_qfactor": "1", "b_qoffset": "0"}

    def stream_fps(self, fps: Fraction) -> Fraction:
        """The nearest rate that MPEG-2 can write: one of eight, times 1 to 4, over 1 to 32 (ISO/IEC 13818-2, 6.3.3)."""
        return _mpeg2_rate(fps)


@cache
def _mpeg2_rate(fps: Fraction) -> Fraction:
    base = [*map(Fraction, (24, 25, 30, 50, 60)), *(Fraction(n, 1001) for n in (24000, 30000, 60000))]
    known = {rate * times / parts for rate in base for times in range(1, 5) for parts in range(1, 33)}
    return min(sorted(known), key=lambda rate: abs(rate - fps))


@hookimpl
def harness_codecs() -> Iterable[type[Codec]]:
    return (H264, Hevc, Av1, Vp9, Mpeg2)
