"""Finds, identifies and reads files of weights without executing code; `harness.weights` describes the formats."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import WeightsError
from harness.files import sha256_file, write_whole
from harness.weights.choosing import choose_state, first_names, shared_prefix
from harness.weights.identity import Weights, split_key

if TYPE_CHECKING:
    import torch

__all__ = [
    "check_sha256",
    "count_parameters",
    "for_codec",
    "from_file",
    "load_into",
    "load_state",
    "packed_state",
    "read_classes",
    "save_state",
]

_COUNT = "num_batches_tracked"
_STATISTICS = ("running_mean", "running_var", _COUNT)
_MAX_HEADER = 100_000_000
_PICKLE = "A .pkl is a pickle of named NumPy arrays, as in detectron2's model zoo."


def from_file(model_name: str, asked: str | None) -> Weights:
    """Return the identity of the weights in a file: its SHA-256, and the class names that it (or its JSON file) states.

    Args:
        model_name: the name of the model that uses the weights, for error messages.
        asked: the path of the file, with ":key=NAME" after it for one entry of the file; None if the user gave none.

    Raises:
        WeightsError: no path is given, there is no such file, or it cannot be read.
    """
    if asked is None:
        raise WeightsError(
            f"model {model_name} has no weights of its own: give it a file by --weights. `harness train` makes one; "
            "the models whose names begin with demo bring theirs (harness list models)."
        )
    return _identified(asked, f"model {model_name}")


def for_codec(codec_name: str, asked: str | None) -> Weights:
    """Return the identity of the weights in a file that an option of a codec names (`Option.file`).

    `Weights.digest` belongs into the codec's `fingerprint`; `load_state` reads the tensors.

    Args:
        codec_name: the name of the codec, for error messages.
        asked: as of `from_file`, which raises the same errors.
    """
    if asked is None:
        raise WeightsError(f"codec {codec_name} has no weights of its own: give it a file by an option.")
    return _identified(asked, f"codec {codec_name}")


def _identified(asked: str, whose: str) -> Weights:
    path, key = split_key(asked)
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "does not exist"
        raise WeightsError(f"weights {asked} for {whose}: the file {problem}.{_form_hint(path)}")
    name = path.name if key is None else f"{path.name}:key={key}"
    try:
        return Weights(name, path, sha256_file(path), read_classes(path), key)
    except OSError as error:
        raise WeightsError(f"weights {asked} for {whose} cannot be read: {error}.") from error


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


def _check_content(path: Path, expected: str) -> None:
    """Compare the SHA-256 of a file, computed anew, with the one by which the file was identified.

    Raises:
        WeightsError: they differ, or the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"weights {path} cannot be read: {error.strerror or type(error).__name__}.") from error
    if found != expected:
        raise WeightsError(
            f"weights {path}: SHA-256 is {found}, {expected} was expected. The file was damaged or replaced since it "
            "was identified: get it again."
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
    """Write a state dict as a safetensors file, with the class names and further facts in its metadata.

    Raises:
        OSError: the file cannot be written; then nothing of it remains.
    """
    write_whole(path, packed_state(state, classes, **facts))


def packed_state(state: Mapping[str, torch.Tensor], classes: tuple[str, ...], **facts: str) -> bytes:
    """Return the content of the file that `save_state` writes."""
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    return save(tensors, metadata={"format": "pt", "classes": json.dumps(list(classes)), **facts})


def load_state(weights: Weights | Path) -> dict[str, torch.Tensor]:
    """Read the named tensors of a file of weights to the CPU, without executing code from the file.

    If a training script wrapped the tensors ({"model": ...}, {"state_dict": ...}, ...), the wrapper is removed, and so
    are prefixes that all names have ("module.", "model.", ...). What was chosen and changed is added to the notes of
    the weights, for the user.

    Args:
        weights: the weights, whose key says which entry of the file is read; or the path of a file.

    The content of the file is held against the SHA-256 of the weights, which is a part of every experiment's key.

    Raises:
        WeightsError: the file is not the one that was identified, has an unknown format, is damaged, has no named
            tensors, or contains objects that only code could make.
    """
    path = weights.path if isinstance(weights, Weights) else weights
    if path is None:
        raise WeightsError(f"weights {weights} are no file.")
    if isinstance(weights, Weights):
        _check_content(path, weights.sha256)
    key, notes = (weights.key, weights.notes) if isinstance(weights, Weights) else (None, list[str]())
    content = _read(path)
    try:
        state, told = choose_state(content, key, path)
    except WeightsError:
        raise
    except Exception as error:  # a file can change the objects that it makes so that they do not work
        raise WeightsError(f"weights {path} cannot be read: the file is damaged ({type(error).__name__}).") from error
    notes += [note for note in told if note not in notes]
    if isinstance(weights, Weights) and key is not None:
        weights.keys_read.append(key)
    return state


def load_into(network: torch.nn.Module, state: Mapping[str, torch.Tensor], what: str) -> None:
    """Copy a state dict into a network. The names and shapes of all tensors must match.

    As in torch, the counts of batches in batch norms (`num_batches_tracked`) may be missing; they play no part in
    predictions. A prefix that `load_state` took off is put back for a network whose own names have it.

    Args:
        network: the network that receives the tensors.
        state: named tensors.
        what: a description of the weights, for the error message.

    Raises:
        WeightsError: names are missing or unexpected, or shapes differ. If only the shapes of the head differ, the
            message says that the number of classes is another one.
    """
    own = network.state_dict()
    prefix = shared_prefix(own)
    if prefix and not shared_prefix(state):
        state = {prefix + name: tensor for name, tensor in state.items()}
    missing = [name for name in own if name not in state and name.rpartition(".")[2] != _COUNT]
    unexpected = [name for name in state if name not in own]
    shapes = [name for name in own if name in state and own[name].shape != state[name].shape]
    problems = []
    if missing:
        problems.append(f"{len(missing)} missing ({first_names(missing)})")
    if unexpected:
        problems.append(f"{len(unexpected)} unexpected ({first_names(unexpected)})")
    if shapes:
        differences = [
            f"{name} is {tuple(state[name].shape)}, the network's {tuple(own[name].shape)}" for name in shapes
        ]
        problems.append(f"{len(shapes)} of another shape ({first_names(differences)})")
    if problems:
        hint = ""
        if shapes and not missing and not unexpected and all(_is_head(name) for name in shapes):
            hint = " Only the head differs: the weights were trained on another number of classes."
        raise WeightsError(f"{what} do not fit {type(network).__name__}: tensors {', '.join(problems)}.{hint}")
    network.load_state_dict({**own, **state})


def _is_head(name: str) -> bool:
    """Return whether a tensor's name is one of a classification, box or segmentation head."""
    return any(part in name for part in ("cls", "class", "predictor", "bbox_pred", "segmentation_head"))


def _form_hint(path: Path) -> str:
    """Return a hint for a path that does not exist but begins with the name of a file and a colon."""
    file, colon, rest = str(path).rpartition(":")
    if colon and Path(file).is_file():
        return f" There is a file {file}; after its name only key=NAME can follow, found {rest!r}."
    return ""


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
    """Return the content of a file. Its format is told by its content; a pickle can also be told by its name.

    Raises:
        WeightsError: the file cannot be read.
    """
    from harness.weights.torch_file import is_torch_file, read_torch, why_unreadable

    try:
        if path.suffix == ".safetensors" or _safetensors_header(path) is not None:
            return _read_safetensors(path)
        if path.suffix == ".pkl" and not is_torch_file(path):
            return _read_pickle(path)
    except OSError as error:
        raise WeightsError(f"weights {path} {why_unreadable(path)}") from error
    return read_torch(path)


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, RuntimeError, ValueError, KeyError, AttributeError) as error:
        raise WeightsError(
            f"weights {path} cannot be read: it is no safetensors file, or it is damaged or cut short. Get it again."
        ) from error


def _read_pickle(path: Path) -> Any:
    import pickle

    from harness.weights.numpy_pickle import read_arrays

    try:
        return read_arrays(path)
    except pickle.UnpicklingError as error:
        reason = str(error).strip().split("\n")[0]
        raise WeightsError(f"weights {path} cannot be read without executing code: {reason} {_PICKLE}") from error
    except OSError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise WeightsError(f"weights {path} cannot be read: the pickle is damaged or cut short. {_PICKLE}") from error
