"""Video files: decodes them to RGB frames with PyAV (libav).

A whole video is in memory only if the caller asks for all frames at once.

How the frames of a file are converted:

- the first video stream that is not a cover picture is decoded; sound is ignored;
- YCbCr is converted to RGB with the matrix and the range that the stream states. If the stream states none, the matrix
  is BT.601 up to 719 lines and BT.709 from 720 lines on; the range is limited (16-235), or full for the pixel formats
  that always have full range (yuvj420p, grey). libswscale converts with accurate rounding and bit-exact code. Chroma is
  interpolated bicubically, with the chroma position that the stream states. More than 8 bits are rounded to 8;
- the display matrix of the container or of an H.264 or HEVC stream turns and mirrors the pictures as players show them,
  in all eight ways in which their sides stay upright and level. Other matrices are refused. A pixel aspect ratio is
  *not* applied: the stored pixels are returned, also if they are not square;
- interlaced video is not deinterlaced: both fields stay interleaved in the frame;
- frames are what a player shows. They are counted by reading all packets of the video; what the container states about
  their number, the duration or the rate is not used. Pictures that an edit list hides are no frames, nor are leading
  pictures that need others from before a cut. An AVI chunk without a picture (DivX and Xvid write such chunks to repeat
  the previous picture) gives no frame, as in ffmpeg;
- the frame rate is measured from the times of the frames. A *variable frame rate* is refused, because a codec gets one
  frame rate and the harness does not drop or repeat frames on its own. AVI files have no time stamps: all their frames
  have the same duration. Streams without a container have the rate that they state; without one they are refused;
- HDR (PQ, HLG), transparency, a frame size that changes, other matrices (YCgCo, ICtCp, constant luminance), playlists,
  and frames of more than 179 million pixels are refused too.

A truncated or damaged file is refused if the damage is detectable, whichever of its frames are asked for: from the
length that the container states, from packets that gave no picture, from errors of the decoder, and from the checksums
of FFV1 and HEVC. Most decoders pass over some damage; docs/reference/files.md says how much.
"""

from harness.video.planes import merge_planes, same_in_planes
from harness.video.reading import Facts, Reader, decoders, probe, read_clip, segments

__all__ = [
    "SUFFIXES",
    "Facts",
    "Reader",
    "decoders",
    "merge_planes",
    "probe",
    "read_clip",
    "same_in_planes",
    "segments",
]

SUFFIXES = (
    *(".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv"),
    *(".264", ".265", ".h264", ".hevc", ".ivf", ".m2v", ".obu"),
)
"""The endings of video files; the second row: streams without a container, and IVF."""
