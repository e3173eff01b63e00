"""Finds, identifies and reads files of weights without executing code; `harness.weights` describes the formats."""

from __future__ import annotations

import json
import math
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import WeightsError
from harness.files import sha256_file
from harness.weights.identity import Weights

if TYPE_CHECKING:
    import torch

__all__ = ["check_sha256", "count_parameters", "from_file", "load_into", "load_state", "read_classes", "save_state"]

_WRAPPERS = ("model", "state_dict", "model_state")
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_MAX_HEADER = 100_000_000


def from_file(model_name: str, asked: str | None) -> Weights:
    """Return the identity of the weights in a file: its SHA-256, and the class names that it (or its JSON file) states.

    Args:
        model_name: the name of the model that uses the weights, for error messages.
        asked: the path of the file; None if the user gave none.

    Raises:
        WeightsError: no path is given, there is no such file, or it cannot be read.
    """
    if asked is None:
        raise WeightsError(
            f"model {model_name} has no weights of its own: give it a file by --weights. `harness train` makes one; "
            "the models whose names begin with demo bring theirs (harness list models)."
        )
    path = Path(asked).expanduser()
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "does not exist"
        raise WeightsError(f"weights {asked} for model {model_name}: the file {problem}.")
    try:
        return Weights(path.name, path, sha256_file(path), read_classes(path))
    except OSError as error:
        raise WeightsError(f"weights {asked} for model {model_name} cannot be read: {error}.") from error


def check_sha256(weights: Weights, expected: str) -> None:
    """Compare the SHA-256 of weights with an expected digest, or with the first digits of one.

    Raises:
        WeightsError: the digests differ: the file was changed or truncated, or it is another file.
    """
    if not weights.sha256.startswith(expected.lower()):
        raise WeightsError(
            f"weights {weights.path or weights.name}: SHA-256 is {weights.sha256}, {expected} was expected. "
            "The file was altered, cut short in download, or is another one; get it again."
        )


def read_classes(path: Path) -> tuple[str, ...]:
    """Return the class names that a file of weights (or the JSON file beside it) states; empty if it states none.

    Raises:
        WeightsError: the class names are not a list of strings.
        OSError: the file cannot be read.
    """
    header = _safetensors_header(path)
    json_file = path.with_suffix(".json")
    try:
        if header is not None:
            stated = header.get("__metadata__", {}).get("classes")
            names = None if stated is None else json.loads(stated)
        elif json_file.is_file():
            content = json.loads(json_file.read_text("utf-8"))
            names = content.get("classes") if isinstance(content, dict) else content
        else:
            names = None
    except ValueError as error:
        raise WeightsError(f"the classes of weights {path} cannot be read: {error}.") from error
    if names is None:
        return ()
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise WeightsError(f"the classes of weights {path}: a list of names was expected, found {str(names)[:80]}.")
    return tuple(names)


def count_parameters(path: Path) -> int | None:
    """Return the number of trained parameters in a safetensors file; None for another format.

    They are counted from the file's header. The running statistics of batch normalisation are not counted.

    Raises:
        OSError: the file cannot be read.
    """
    header = _safetensors_header(path)
    if header is None:
        return None
    shapes = [facts["shape"] for name, facts in header.items() if not name.endswith(("__metadata__", *_STATISTICS))]
    return sum(int(math.prod(shape)) for shape in shapes)


def save_state(path: Path, state: Mapping[str, torch.Tensor], classes: tuple[str, ...], **facts: str) -> None:
    """Write a state dict as a safetensors file, with the class names and further facts in its metadata."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    save_file(tensors, path, metadata={"format": "pt", "classes": json.dumps(list(classes)), **facts})


def load_state(path: Path) -> dict[str, torch.Tensor]:
    """Read the named tensors of a file of weights to the CPU, without executing code from the file.

    If the file wraps the tensors ({"model": ...}, {"state_dict": ...}), the wrapper is removed, and so is a prefix
    "module." that all names have.

    Raises:
        WeightsError: the file has an unknown format, is truncated, or contains anything other than tensors.
    """
    import pickle

    import torch

    damaged = (pickle.UnpicklingError, EOFError, LookupError, AttributeError, TypeError)
    try:
        content = _read(path)
    except (OSError, ValueError, RuntimeError, MemoryError, *damaged) as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        if "weights_only" in reason:  # torch's message suggests loading the file anyway, which would execute its code
            reason = "it is no torch file, or holds more than tensors."
        raise WeightsError(
            f"weights {path} cannot be read without executing code: {reason} Known formats: safetensors, a torch state "
            "dict (weights_only), a pickle of NumPy arrays (.pkl)."
        ) from error
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
            break
    if not isinstance(content, dict) or not content:
        raise WeightsError(f"weights {path}: named tensors were expected, found {type(content).__name__}.")
    wrong = [str(name) for name, value in content.items() if not isinstance(value, torch.Tensor)]
    if wrong:
        raise WeightsError(f"weights {path}: {_first_names(wrong)} of {len(content)} entries are no tensors.")
    state = {str(name): value for name, value in content.items()}
    if all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    return state


def load_into(network: torch.nn.Module, state: Mapping[str, torch.Tensor], what: str) -> None:
    """Copy a state dict into a network. The names and shapes of all tensors must match.

    Args:
        network: the network that receives the tensors.
        state: named tensors.
        what: a description of the weights, for the error message.

    Raises:
        WeightsError: names are missing or unexpected, or shapes differ. If only the shapes of the head differ, the
            message says that the number of classes is another one.
    """
    own = network.state_dict()
    missing = [name for name in own if name not in state]
    unexpected = [name for name in state if name not in own]
    shapes = [name for name in own if name in state and own[name].shape != state[name].shape]
    problems = []
    if missing:
        problems.append(f"{len(missing)} missing ({_first_names(missing)})")
    if unexpected:
        problems.append(f"{len(unexpected)} unexpected ({_first_names(unexpected)})")
    if shapes:
        differences = [
            f"{name} is {tuple(state[name].shape)}, the network's {tuple(own[name].shape)}" for name in shapes
        ]
        problems.append(f"{len(shapes)} of another shape ({_first_names(differences)})")
    if problems:
        hint = ""
        if shapes and not missing and not unexpected and all(_is_head(name) for name in shapes):
            hint = " Only the head differs: the weights were trained on another number of classes."
        raise WeightsError(f"{what} do not fit {type(network).__name__}: tensors {', '.join(problems)}.{hint}")
    network.load_state_dict(dict(state))


def _is_head(name: str) -> bool:
    """Return whether a tensor's name is one of a classification, box or segmentation head."""
    return any(part in name for part in ("cls", "class", "predictor", "bbox_pred", "segmentation_head"))


def _first_names(names: list[str], count: int = 3) -> str:
    """Return the first `count` names joined by commas, and how many more there are."""
    rest = len(names) - count
    return ", ".join(names[:count]) + (f" and {rest} more" if rest > 0 else "")


def _safetensors_header(path: Path) -> dict[str, Any] | None:
    """Return the JSON header of a safetensors file (its length as uint64, then JSON); None for another format."""
    with path.open("rb") as file:
        start = file.read(9)
        if len(start) < 9 or start[8:] != b"{":
            return None
        length = struct.unpack("<Q", start[:8])[0]
        if length > min(_MAX_HEADER, path.stat().st_size):
            return None
        try:
            header = json.loads(b"{" + file.read(length - 1))
        except ValueError:
            return None
    return header if isinstance(header, dict) else None


def _read(path: Path) -> Any:
    if path.suffix == ".safetensors" or _safetensors_header(path) is not None:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{error}.") from error
    if path.suffix == ".pkl":
        from harness.weights.numpy_pickle import read_arrays

        return read_arrays(path)
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about old pickle protocols; a file that cannot be read raises an error anyway
        return torch.load(path, map_location="cpu", weights_only=True)
