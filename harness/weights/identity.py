"""The identity of a model's weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import WeightsError

__all__ = ["Weights", "split_key"]

_KEY = ":key="


@dataclass(frozen=True)
class Weights:
    """The weights of a model: usually a file, which may come from a library that downloads it.

    Args:
        name: the weights' name in results.
        path: the file of weights. None if there is no file and the model creates the weights itself; the built-in
            detectors do not do that, and refuse None.
        sha256: hex digest of the file (or of what identifies the weights without a file). It is a part of every
            experiment's key.
        classes: the names of the classes that the weights were trained on; empty if they are unknown.
        key: the entry of the file that holds the tensors ("ema"), as the user gave it; None if the user gave none. It
            is a part of every experiment's key.
        notes: sentences for the user about how the file was read. `load_state` adds them; the engine shows them.
        keys_read: the keys that `load_state` has read. Preflight sees by them whether a model heeds the key.
    """

    name: str
    path: Path | None
    sha256: str
    classes: tuple[str, ...] = ()
    key: str | None = None
    notes: list[str] = field(default_factory=list, compare=False, repr=False)
    keys_read: list[str] = field(default_factory=list, compare=False, repr=False)

    @property
    def digest(self) -> str:
        """The text that identifies the tensors: `sha256`, with the key if the user gave one."""
        return self.sha256 if self.key is None else f"{self.sha256}{_KEY}{self.key}"


def split_key(asked: str) -> tuple[Path, str | None]:
    """Split a text `FILE[:key=NAME]` into the path of the file and the key (None without one).

    A file whose own name has ":key=" in it is that file. "~" is replaced by the user's folder.

    Raises:
        WeightsError: the key is empty.

    >>> split_key("runs/a.pth:key=ema")[1], split_key("a.pth")[1]
    ('ema', None)
    """
    whole = Path(asked).expanduser()
    file, colon, key = asked.rpartition(_KEY)
    if whole.exists() or not colon or not file:
        return whole, None
    if not key:
        raise WeightsError(f"weights {asked}: after key= the name of an entry of the file is expected, as in key=ema.")
    return Path(file).expanduser(), key
