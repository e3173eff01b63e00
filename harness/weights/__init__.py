"""Files of weights: found, identified, and read without executing code.

Three formats, told apart by their content:

- safetensors; the names of the classes in its metadata under `classes` (a JSON list), where it has them;
- torch's own (`.pth`, `.pt`, `.ckpt`), read with `weights_only=True`;
- a plain pickle of NumPy arrays (`.pkl`, detectron2's model zoo), read by an unpickler that admits nothing else.

For the latter two a file beside the weights, `NAME.json` for `NAME.pth`, may say `{"classes": ["aeroplane", ...]}`.
"""

from harness.weights.identity import Weights
from harness.weights.loading import (
    check_sha256,
    count_parameters,
    from_file,
    load_into,
    load_state,
    read_classes,
    save_state,
)

__all__ = [
    "Weights",
    "check_sha256",
    "count_parameters",
    "from_file",
    "load_into",
    "load_state",
    "read_classes",
    "save_state",
]
