"""Video files: to RGB frames, by PyAV (libav). No video is ever held whole, unless it is asked for whole.

What becomes of a file's pictures:

- the first video stream that is no cover picture is decoded; sound is left aside;
- YCbCr becomes RGB by the matrix and the range that the stream states. Where it states none: BT.601 up to 719 lines
  and BT.709 from 720 on; limited range (16-235), full for the pixel formats that are always full (yuvj420p, grey).
  libswscale converts, with accurate rounding and bit-exact code; chroma is interpolated bicubically from where the
  stream says that it stands. More than 8 bits are rounded to 8;
- a rotation by a multiple of 90 degrees in the container (telephones write it) is applied, as players do; others are
  refused. The ratio of a pixel's sides is *not*: pixels are given as they are stored, be they square or not;
- fields are left woven: interlaced video is not deinterlaced;
- a *variable frame rate* is refused: a codec is told one rate, and the harness neither drops nor doubles a frame
  unasked. AVI has no times: each of its pictures lasts equally long. A chunk of an AVI without a picture (DivX and
  Xvid write them to repeat the last picture) gives no frame, as in ffmpeg;
- refused, too: HDR (PQ, HLG), transparency, a size that changes, matrices of other kinds (YCgCo, ICtCp, constant
  luminance), playlists, and frames of more than 179 million pixels.

A file that is cut short or damaged is refused where it shows: by the container's own length, by pictures that the
container lists and that are not there, and by whatever the decoder notices. Damage that still decodes to something is
found by most decoders, not by all (VP8 and HEVC overlook some).
"""

from harness.video.reading import Facts, Reader, decoders, probe, read_clip, segments

__all__ = ["Facts", "Reader", "decoders", "probe", "read_clip", "segments"]
