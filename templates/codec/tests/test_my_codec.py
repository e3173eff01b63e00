"""The promises of every codec (`harness.testing`), and what is special about this one."""

import numpy as np
from harness_my_codec import MyCodec

from harness.testing import CodecPromises


class TestMyCodec(CodecPromises):
    spec = "my-codec"


class TestLeastEffort(CodecPromises):
    spec = "my-codec:effort=1"


def test_eight_bits_are_lossless():
    frames = np.random.default_rng(0).integers(0, 256, (1, 37, 53, 3), np.uint8)
    codec = MyCodec()
    assert (codec.decode(codec.encode(frames, 8)) == frames).all()
