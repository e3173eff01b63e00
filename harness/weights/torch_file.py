"""Reads files that torch.save wrote, without executing code, and says in plain words why one cannot be read."""

from __future__ import annotations

import pickle
import pickletools
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from harness.errors import WeightsError
from harness.weights.plain_data import admitted

__all__ = ["is_torch_file", "read_torch", "why_unreadable"]

_ZIP = b"PK\x03\x04"
_MAGIC = 0x1950A86A20F9469CFC6C
"""The number that files of torch before 1.6 begin with, as a pickle of its own."""
_OWN_MODULES = ("torch._utils", "torch._tensor", "torch.storage", "torch.nn.parameter", "torch.serialization")
_OWN_NAMES = (
    *("collections.OrderedDict", "collections.Counter", "_codecs.encode"),
    *("builtins.set", "builtins.bytearray", "builtins.complex"),
)
"""What torch's reader admits by itself: the modules of what makes tensors, and names."""
_SAVE = "torch.save(model.state_dict(), 'weights.pth')"


def is_torch_file(path: Path) -> bool:
    """Return whether a file begins as torch's files do: as a zip archive, or with the magic number of older files.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(32)
    return start.startswith(_ZIP) or start[2:14] == b"\x8a\n" + _MAGIC.to_bytes(10, "little")


def read_torch(path: Path) -> Any:
    """Return the content of a torch file, with tensors on the CPU. Objects of plain data are `PlainData`.

    Raises:
        WeightsError: the file is damaged, or holds objects of other kinds.
    """
    import torch

    stand_ins: list[Any] = [(stand_in, name) for name, stand_in in admitted().items()]
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(stand_ins):
            warnings.simplefilter("ignore")  # about old pickle protocols; a file that cannot be read raises an error
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise anything, and torch's own words advise to execute its code
        raise WeightsError(f"weights {path} {why_unreadable(path)}") from error


def why_unreadable(path: Path) -> str:
    """Return the rest of the sentence "weights PATH ...", which says why a file is no readable file of weights."""
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        return f"cannot be read: {error.strerror or type(error).__name__}."
    known = "Known formats: safetensors, a state dict of torch.save, a pickle of NumPy arrays (.pkl)."
    if not start:
        return f"cannot be read: the file is empty. {known}"
    if start.startswith(_ZIP):
        return _why_zip(path)
    if start.lstrip()[:1] in (b"<", b"{") or start.startswith((b"version https://git-lfs", b"#")):
        return (
            f"cannot be read: the file is text (it begins with {start[:24]!r}), perhaps the page or the pointer of a "
            f"download instead of its content. {known}"
        )
    names, protocol = _names_in(path)
    return _why_pickle(names, protocol) or f"cannot be read: the file is damaged, cut short or no weights. {known}"


def _why_zip(path: Path) -> str:
    damaged = "cannot be read: the file is damaged or cut short; get it again."
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
            if any(name.endswith("/constants.pkl") for name in members):
                return (
                    "cannot be read without executing code: the file is a TorchScript program (torch.jit.save). Save "
                    "its tensors alone: torch.save(torch.jit.load('FILE').state_dict(), 'weights.pth')."
                )
            data = [name for name in members if name.endswith("data.pkl")]
            if not data:
                return (
                    "cannot be read: the file is a zip archive, but none that torch.save wrote. Unpack it, and give "
                    "the file of weights in it."
                )
            with archive.open(data[0]) as file:
                names, protocol = _names(file)
    except Exception:  # noqa: BLE001 - a damaged archive can raise anything, and that it is damaged is the answer
        return damaged
    return _why_pickle(names, protocol) or damaged


def _why_pickle(names: list[str], protocol: int) -> str:
    """Return why a pickle is refused; "" if neither its names nor its protocol are the reason."""
    known = {*admitted(), *_OWN_NAMES}
    foreign = [name for name in dict.fromkeys(names) if name not in known and not _of_torch(name)]
    if foreign:
        listed = ", ".join(foreign[:3]) + (f" and {len(foreign) - 3} more" if len(foreign) > 3 else "")
        return (
            f"cannot be read without executing code: the file holds objects that {listed} would have to make. In the "
            f"program that made the file, save the tensors alone: {_SAVE}."
        )
    if 2 < protocol <= pickle.HIGHEST_PROTOCOL:
        return (
            f"cannot be read without executing code: the file was saved with pickle_protocol={protocol}. Save it again "
            f"without this argument: {_SAVE}."
        )
    return ""


def _of_torch(name: str) -> bool:
    """Return whether a name is one of those that tensors are made of."""
    module, _, last = name.rpartition(".")
    return module in _OWN_MODULES or (module == "torch" and (last.endswith("Storage") or last[:1].islower()))


def _names_in(path: Path) -> tuple[list[str], int]:
    """Return the names in up to five pickles that follow each other (files of torch before 1.6), and the protocol."""
    names: list[str] = []
    protocol = 0
    try:
        with path.open("rb") as file:
            for _ in range(5):
                found, protocol = _names(file)
                names += found
    except Exception:  # noqa: BLE001 - the names up to the damage are known, and nothing else is asked for
        return names, protocol
    return names, protocol


def _names(file: BinaryIO | Any) -> tuple[list[str], int]:
    """Return the full names of all classes and functions that a pickle names, and its protocol. Nothing is executed.

    Raises:
        ValueError: this is no pickle, or it is cut short.
    """
    names: list[str] = []
    protocol = 0
    strings: list[str] = []
    memo: dict[int, str] = {}
    memoized = 0
    for operation, argument in _operations(file):
        if operation == "PROTO":
            protocol = int(argument)
        elif operation in ("GLOBAL", "INST"):
            names.append(str(argument).replace(" ", ".", 1))
        elif operation == "STACK_GLOBAL":
            names.append(".".join(strings[-2:]))
        elif operation == "MEMOIZE" or operation.endswith("PUT"):
            if strings:
                memo[memoized if argument is None else int(argument)] = strings[-1]
            memoized += 1
        elif operation.endswith("GET"):
            strings.append(memo.get(int(argument), "?"))
        elif isinstance(argument, str):
            strings.append(argument)
    return [name.replace("__builtin__.", "builtins.", 1) for name in names], protocol


def _operations(file: BinaryIO | Any) -> Iterator[tuple[str, Any]]:
    for operation, argument, _ in pickletools.genops(file):
        yield operation.name, argument
