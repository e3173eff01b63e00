"""The video codecs `h264`, `hevc`, `av1`, `vp9` and `mpeg2`, encoded and decoded in this process with PyAV.

An image is encoded as a clip of one frame. The rate counts the elementary stream: parameter sets and all frame data.
It does not count a container, nor the message in which an encoder writes its own name.

The ladder of `h264` is the study's (registry.toml). The ladders of `hevc`, `av1` and `vp9` have the levels at which
UCF101 clips need about the same rate as with h264; at their last level av1 and vp9 still need twice the rate of h264.
The ladder of `mpeg2` doubles the quantiser step from level to level. docs/reference/video-codecs.md has the figures.
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
    """The common part of H.264 and HEVC: their encoders use the same names for presets, tunings and options."""

    header: ClassVar[int]

    def parameters(self, level: float) -> dict[str, str]:
        chosen = {"preset": self.config["preset"], "tune": self.config["tune"], "bf": self.config["bframes"]}
        options = {key: str(value) for key, value in chosen.items() if value is not None}
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
        smallest=64,  # x265 accepts 16, but its look-ahead writes out of bounds for clips narrower than 49 pixels
    )
    encoders = (_x265, gpu("hevc_nvenc", (25, 27, 31, 40, 47)))
    decoder, header = "hevc", 2
    options = _options(encoders, 4)

    def parameters(self, level: float) -> dict[str, str]:
        options = super().parameters(level)
        if self.encoder != self.encoders[0]:
            return options
        threads = self.option("threads")
        x265_options = {
            "info": 0,
            "log-level": "none",
            "pools": "none" if threads == 1 else threads,
            "frame-threads": threads,
        }
        if level == 0 and "crf" in options:
            x265_options["lossless"] = 1  # level 0 is lossless in x264 and libvpx; in x265 crf=0 alone is not lossless
        return {**options, "x265-params": ":".join(f"{key}={value}" for key, value in x265_options.items())}


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
            smallest=64,  # SVT-AV1 accepts 4, but sometimes runs out of memory below its 64-pixel superblock
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
        svt_options = {"lp": str(self.option("threads"))}
        if tune := self.option("tune"):
            svt_options["tune"] = str(self.encoder.tunes.index(tune))
        if self.option("low_delay"):
            svt_options["pred-struct"] = "1"
        if self.option("rate") == "cbr":
            svt_options["undershoot-pct"] = "100"  # as for libvpx, see Vp9
        options = {
            "preset": str(self.option("preset")),
            "svtav1-params": ":".join(f"{k}={v}" for k, v in svt_options.items()),
        }
        return options | ({"crf": f"{level:g}"} if self.option("rate") == "quality" else {})

    def stream_fps(self, fps: Fraction) -> Fraction:
        """Return the clip's frame rate, at most 240 per second: SVT-AV1 accepts no more."""
        return min(fps, Fraction(240))

    def _check(self) -> None:
        super()._check()
        if self.option("rate") == "cbr" and not self.option("low_delay"):
            raise UsageError("SVT-AV1 has a constant bitrate only with low_delay=yes. Or ask for rate=abr.")
        if self.option("rate") == "abr" and self.option("low_delay"):
            raise UsageError("SVT-AV1 has an average bitrate only with low_delay=no. Or ask for rate=cbr.")


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
        if self.option("rate") == "cbr":
            # By default a frame's target falls by at most 25% when the buffer is nearly empty, which is too little: the
            # buffer runs empty for seconds.
            options["undershoot-pct"] = "100"
        return options | ({"crf": f"{level:g}", "b": "0"} if self.option("rate") == "quality" else {})


class Mpeg2(AvCodec):
    """MPEG-2 video by libavcodec's own encoder. The format has only the limited range."""

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
        # The same effect as `ffmpeg -q:v`, which sets a field of each frame: all frame types get the same quantiser
        # step, and the Lagrange multiplier that belongs to that step (libavutil's FF_QP2LAMBDA = 118).
        step, multiplier = f"{level:g}", str(int(level) * 118)
        fixed = {"qmin": step, "qmax": step, "lmin": multiplier, "lmax": multiplier}
        return options | fixed | {"i_qfactor": "1", "i_qoffset": "0", "b_qfactor": "1", "b_qoffset": "0"}

    def _kbps(self, level: float, count: int, fps: float | None, stretch: Fraction) -> dict[str, str]:
        options = super()._kbps(level, count, fps, stretch)
        if self.option("rate") == "quality":
            return options
        if self.option("rate") == "cbr":
            # With minrate = maxrate and a buffer below 0.73 s, libavcodec writes how long each picture waits in it
            # (vbv_delay), and aborts the process if a picture needs more time than the field can hold.
            return options | {"minrate": str(int(options["b"]) - 1)}
        # Without a buffer, libavcodec's rate control spends too much on the first pictures, and makes up for it too
        # slowly.
        return options | {"maxrate": options["b"], "bufsize": str(4 * int(options["b"]))}

    def stream_fps(self, fps: Fraction) -> Fraction:
        """Return the nearest frame rate that MPEG-2 can express.

        MPEG-2 has eight base rates, each times 1 to 4 and divided by 1 to 32 (ISO/IEC 13818-2, 6.3.3).
        """
        return _mpeg2_rate(fps)


@cache
def _mpeg2_rate(fps: Fraction) -> Fraction:
    base = [*map(Fraction, (24, 25, 30, 50, 60)), *(Fraction(n, 1001) for n in (24000, 30000, 60000))]
    rates = {rate * factor / divisor for rate in base for factor in range(1, 5) for divisor in range(1, 33)}
    return min(sorted(rates), key=lambda rate: abs(rate - fps))


@hookimpl
def harness_codecs() -> Iterable[type[Codec]]:
    return (H264, Hevc, Av1, Vp9, Mpeg2)
