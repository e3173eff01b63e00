"""Files of weights: found, identified, and read without executing code; the formats are told in `harness.weights`."""

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
    """The weights in a file: its SHA-256, and its classes where the file (or the one beside it) says them.

    Args:
        model_name: the model that wants them, for messages.
        asked: the path of the file.

    Raises:
        WeightsError: nothing was asked for, there is no such file, or it cannot be read.
    """
    if asked is None:
        raise WeightsError(
            f"model {model_name} has no weights of its own: give it a file by --weights. `harness train` makes one; "
            "the models whose names begin with demo bring theirs (harness list models)."
        )
    path = Path(asked).expanduser()
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "does not exist"
        raise WeightsError(f"weights {asked} for model {model_name}: the file {found}.")
    try:
        return Weights(path.name, path, sha256_file(path), read_classes(path))
    except OSError as error:
        raise WeightsError(f"weights {asked} for model {model_name} cannot be read: {error}.") from error


def check_sha256(weights: Weights, expected: str) -> None:
    """Compare with a known digest, or with its first digits.

    Raises:
        WeightsError: they differ: the file was altered, cut short, or is another one.
    """
    if not weights.sha256.startswith(expected.lower()):
        raise WeightsError(
            f"weights {weights.path or weights.name}: SHA-256 is {weights.sha256}, {expected} was expected. "
            "The file was altered, cut short in download, or is another one; get it again."
        )


def read_classes(path: Path) -> tuple[str, ...]:
    """The names of the classes that a file of weights (or the JSON file beside it) states; empty where none are.

    Raises:
        WeightsError: they are stated, but not as a list of names.
        OSError: the file cannot be read.
    """
    header = _safetensors_header(path)
    beside = path.with_suffix(".json")
    try:
        if header is not None:
            stated = header.get("__metadata__", {}).get("classes")
            names = None if stated is None else json.loads(stated)
        elif beside.is_file():
            content = json.loads(beside.read_text("utf-8"))
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
    """How many numbers a safetensors file holds that were trained; None for another format.

    Counted from the header alone, without the statistics of batch normalisation.

    Raises:
        OSError: the file cannot be read.
    """
    header = _safetensors_header(path)
    if header is None:
        return None
    shapes = [facts["shape"] for name, facts in header.items() if not name.endswith(("__metadata__", *_STATISTICS))]
    return sum(int(math.prod(shape)) for shape in shapes)


def save_state(path: Path, state: Mapping[str, torch.Tensor], classes: tuple[str, ...], **facts: str) -> None:
    """Write a state dict as safetensors, with the classes (and further facts) in its metadata."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    save_file(tensors, path, metadata={"format": "pt", "classes": json.dumps(list(classes)), **facts})


def load_state(path: Path) -> dict[str, torch.Tensor]:
    """The named tensors of a file, on the CPU. A wrapper ({"model": ...}, {"state_dict": ...}) is taken off.

    Nothing in the file is executed.

    Raises:
        WeightsError: it is of no known format, cut short, or holds something other than tensors.
    """
    import pickle

    import torch

    damaged = (pickle.UnpicklingError, EOFError, LookupError, AttributeError, TypeError)
    try:
        content = _read(path)
    except (OSError, ValueError, RuntimeError, MemoryError, *damaged) as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        if "weights_only" in reason:  # torch advises to load it all the same, which would run whatever it holds
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
        raise WeightsError(f"weights {path}: {_some(wrong)} of {len(content)} entries are no tensors.")
    state = {str(name): value for name, value in content.items()}
    if all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    return state


def load_into(network: torch.nn.Module, state: Mapping[str, torch.Tensor], what: str) -> None:
    """Copy a state dict into a network; every tensor has to find its place.

    Args:
        network: what is loaded into.
        state: named tensors.
        what: what they are, for the message.

    Raises:
        WeightsError: missing or unexpected names, or shapes that differ (a class count that differs in words).
    """
    own = network.state_dict()
    missing = [name for name in own if name not in state]
    unexpected = [name for name in state if name not in own]
    shapes = [name for name in own if name in state and own[name].shape != state[name].shape]
    problems = []
    if missing:
        problems.append(f"{len(missing)} missing ({_some(missing)})")
    if unexpected:
        problems.append(f"{len(unexpected)} unexpected ({_some(unexpected)})")
    if shapes:
        told = [f"{name} is {tuple(state[name].shape)}, the network's {tuple(own[name].shape)}" for name in shapes]
        problems.append(f"{len(shapes)} of another shape ({_some(told)})")
    if problems:
        hint = ""
        if shapes and not missing and not unexpected and all(_is_head(name) for name in shapes):
            hint = " Only the head differs: the weights were trained on another number of classes."
        raise WeightsError(f"{what} do not fit {type(network).__name__}: tensors {', '.join(problems)}.{hint}")
    network.load_state_dict(dict(state))


def _is_head(name: str) -> bool:
    return any(part in name for part in ("cls", "class", "predictor", "bbox_pred", "segmentation_head"))


def _some(names: list[str], count: int = 3) -> str:
    rest = len(names) - count
    return ", ".join(names[:count]) + (f" and {rest} more" if rest > 0 else "")


def _safetensors_header(path: Path) -> dict[str, Any] | None:
    """The JSON header of a safetensors file (length as uint64, then JSON), or None for a file of another format."""
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
        warnings.simplefilter("ignore")  # on old pickle protocols; what cannot be read is an error anyway
        return torch.load(path, map_location="cpu", weights_only=True)
