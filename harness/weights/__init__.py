"""Files of weights: finds them, identifies them by their SHA-256, and reads them without executing code.

Three formats are supported:

- safetensors. Its metadata may have the names of the classes under `classes` (a JSON list);
- torch's own format (`.pth`, `.pt`, `.ckpt`), read with `weights_only=True`. Settings and other plain data beside the
  tensors, such as an `argparse.Namespace`, are skipped;
- a pickle of NumPy arrays (`.pkl`, from detectron2's model zoo), read by an unpickler that accepts nothing else.

A training script may store more than the tensors. They are found under its usual names (`model`, `state_dict`,
`model_state_dict`, ...), and `FILE:key=NAME` names another entry, such as `best.pth:key=ema`. The key is a part of an
experiment's identity; the SHA-256 is always that of the file.

For the last two formats, a JSON file beside the weights (`NAME.json` for `NAME.pth`) may give the names of the classes:
`{"classes": ["aeroplane", ...]}`.
"""

from harness.weights.identity import Weights, split_key
from harness.weights.loading import (
    check_sha256,
    count_parameters,
    for_codec,
    from_file,
    load_into,
    load_state,
    packed_state,
    read_classes,
    save_state,
)

__all__ = [
    "Weights",
    "check_sha256",
    "count_parameters",
    "for_codec",
    "from_file",
    "load_into",
    "load_state",
    "packed_state",
    "read_classes",
    "save_state",
    "split_key",
]
