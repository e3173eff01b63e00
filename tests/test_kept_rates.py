"""Bitrates are kept on real clips: the decoder's buffer with `rate=cbr`, the bits with `rate=abr`, or a refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.errors import CodecError, UsageError
from harness.planning.identity import codec_identity
from harness.results.superseded import superseded
from harness.video import probe, read_clip
from harness_codecs.av_codec import AvCodec
from harness_codecs.av_family import H264, Av1, Hevc, Mpeg2, Vp9
from harness_codecs.av_rate import Promise, keep_rate
from harness_codecs.av_stream import split
from harness_codecs.decoder_buffer import decoder_buffer
from plugin_kit import installed_plugins  # noqa: F401
