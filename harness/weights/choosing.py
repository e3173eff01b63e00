"""Finds the named tensors in the content of a file of weights, as training scripts wrap and name them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import WeightsError, closest
from harness.weights.plain_data import PlainData

if TYPE_CHECKING:
    import torch

__all__ = ["choose_state", "first_names", "shared_prefix", "without_prefix"]

_WRAPPERS = ("model", "state_dict", "model_state_dict", "model_state", "network", "net", "weights")
"""The names under which training scripts store the tensors of the trained network; an earlier name has priority."""
_PREFIXES = {
    "module.": "DataParallel",
    "_orig_mod.": "torch.compile",
    "model.": "a wrapper such as a LightningModule",
    "network.": "a wrapper",
}
"""What is put before the names of all tensors -> by what."""
_AVERAGED = "n_averaged"


def choose_state(content: Any, key: str | None, path: Path) -> tuple[dict[str, torch.Tensor], list[str]]:
    """Return the named tensors in the content of a file, and sentences for the user about what was chosen and changed.

    Without a key, these are the content itself if all of it is tensors; else the entry with one of the usual names;
    else the only entry of named tensors. The count of torch's `AveragedModel`, and prefixes that all names share, are
    taken off.

    Args:
        content: the content of the file.
        key: the entry that the user asked for, in nested entries with dots between the names; None for no request.
        path: the file, for messages.

    Raises:
        WeightsError: there are no named tensors, several entries of them, or no such entry; the message lists the
            entries.
    """
    if not isinstance(content, dict) or not content:
        raise WeightsError(f"weights {path}: named tensors were expected, found {_word(content)}.")
    notes: list[str] = []
    if key is not None:
        state = _asked_for(content, key, path)
    elif _is_state(content):
        state = content
    else:
        name = _chosen(content, path)
        state = content[name]
        others = [other for other, entry in content.items() if other != name and _is_state(entry)]
        if others:
            notes.append(
                f"weights {path}: {name!r} was read; the file also has {', '.join(map(repr, others))} "
                f"(--weights {path.name}:key={others[0]} reads that)."
            )
        elif name not in _WRAPPERS:
            notes.append(f"weights {path}: {name!r} was read, the only named tensors in the file.")
    state = {str(name): tensor for name, tensor in state.items()}
    if _AVERAGED in state and all(name.startswith("module.") for name in state if name != _AVERAGED):
        del state[_AVERAGED]
    prefix = shared_prefix(state)
    if prefix:
        by = ", ".join(dict.fromkeys(_PREFIXES[part] for part in _parts(prefix)))
        notes.append(f"weights {path}: the names of all tensors begin with {prefix!r} ({by}), which was taken off.")
    return without_prefix(state, prefix), notes


def shared_prefix(names: Mapping[str, Any]) -> str:
    """Return what training code puts before the names of all tensors; "" without such a prefix.

    >>> shared_prefix({"module._orig_mod.a.weight": 0, "module._orig_mod.a.bias": 0})
    'module._orig_mod.'
    """
    prefix = ""
    while names:
        following = next((p for p in _PREFIXES if all(name.startswith(prefix + p) for name in names)), None)
        if following is None:
            break
        prefix += following
    return prefix


def without_prefix(state: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Return a state dict without a prefix that all names have."""
    return {name[len(prefix) :]: tensor for name, tensor in state.items()}


def first_names(names: list[str], count: int = 3) -> str:
    """Return the first `count` names joined by commas, and how many more there are."""
    rest = len(names) - count
    return ", ".join(names[:count]) + (f" and {rest} more" if rest > 0 else "")


def _chosen(content: Mapping[Any, Any], path: Path) -> Any:
    """Return the name of the entry to read."""
    import torch

    states = [name for name, entry in content.items() if _is_state(entry)]
    usual = [name for name in _WRAPPERS if name in states]
    if usual or len(states) == 1:
        return (usual or states)[0]
    if states:
        raise WeightsError(
            f"weights {path}: the file has several entries of named tensors: {_inventory(content)}. Say which one is "
            f"meant: --weights {path.name}:key={states[0]}."
        )
    inside = next((content[n] for n in _WRAPPERS if isinstance(content.get(n), dict) and content[n]), content)
    wrong = [str(name) for name, value in inside.items() if not isinstance(value, torch.Tensor)]
    if len(wrong) < len(inside):
        raise WeightsError(f"weights {path}: {first_names(wrong)} of {len(inside)} entries are no tensors.")
    nested = [f"{name}.{n}" for name, entry in content.items() if isinstance(entry, dict) for n in entry]
    nested = [name for name in nested if _is_state(_at(content, name))]
    hint = f" Named tensors lie deeper: --weights {path.name}:key={nested[0]}." if nested else ""
    raise WeightsError(
        f"weights {path}: named tensors were expected, as torch.save(model.state_dict(), ...) writes them; the file "
        f"has {_inventory(content)}.{hint}"
    )


def _asked_for(content: Mapping[Any, Any], key: str, path: Path) -> dict[str, torch.Tensor]:
    """Return the entry that the user asked for."""
    entry = _at(content, key)
    if entry is None:
        near = closest(key, [str(name) for name in content])
        raise WeightsError(
            f"weights {path}: there is no entry {key!r}. The file has {_inventory(content)}."
            + (f" Did you mean {near}?" if near else "")
        )
    if not _is_state(entry):
        raise WeightsError(
            f"weights {path}: entry {key!r} holds no named tensors, it is {_word(entry)}. The file has "
            f"{_inventory(content)}."
        )
    return dict(entry)


def _at(content: Mapping[Any, Any], key: str) -> Any:
    """Return an entry by its name, or by the names of nested entries with dots between them; None if there is none."""
    if key in content:
        return content[key]
    for name, entry in content.items():
        if isinstance(entry, dict) and key.startswith(f"{name}."):
            found = _at(entry, key[len(str(name)) + 1 :])
            if found is not None:
                return found
    return None


def _is_state(entry: Any) -> bool:
    """Return whether an entry is a dict of names and tensors."""
    import torch

    return (
        isinstance(entry, dict)
        and bool(entry)
        and all(isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in entry.items())
    )


def _inventory(content: Mapping[Any, Any]) -> str:
    """Return the entries of a file in words: "model (62 named tensors), epoch (int)"."""
    return first_names([f"{name} ({_word(entry)})" for name, entry in content.items()], 8)


def _word(entry: Any) -> str:
    """Return in a few words what an entry is."""
    import torch

    if _is_state(entry):
        return f"{len(entry)} named tensors"
    if isinstance(entry, torch.Tensor):
        return f"tensor of {'x'.join(map(str, entry.shape)) or 'one number'}"
    return "settings" if isinstance(entry, PlainData) else type(entry).__name__


def _parts(prefix: str) -> list[str]:
    """Split a prefix into its parts.

    >>> _parts("module._orig_mod.")
    ['module.', '_orig_mod.']
    """
    return [f"{part}." for part in prefix.removesuffix(".").split(".")]
