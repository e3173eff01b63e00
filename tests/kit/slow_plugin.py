"""A codec whose module imports torch when it is imported."""

import torch  # noqa: F401 - the fault

from kit.mutants_codec import SoundCodec


class ImportsTorch(SoundCodec):
    """Imports torch at the top of its module."""

    broken = "it_imports_quickly"
