"""Files of weights: read without executing code, checked, and refused in words."""

import collections
import json
import pickle
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from harness.errors import WeightsError
from harness.files import sha256_file
from harness.weights import check_sha256, from_file, load_into, load_state, numpy_pickle, read_classes, save_state


class Executes:
    """A pickle of this makes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return subprocess.check_call, (["touch", str(self.path)],)


def network(classes: int = 3) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        collections.OrderedDict(body=nn.Conv2d(3, 4, 3), norm=nn.BatchNorm2d(4), class_head=nn.Linear(4, classes))
    )


def same(state: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return state.keys() == other.keys() and all(torch.equal(state[name], other[name]) for name in other)


def test_safetensors_carry_their_classes(tmp_path: Path) -> None:
    state = network().state_dict()
    path = tmp_path / "w.safetensors"
    save_state(path, state, ("cat", "dog"), recipe="brief")
    assert same(load_state(path), state)
    weights = from_file("m", str(path))
    assert weights.classes == ("cat", "dog")
    assert weights.sha256 == sha256_file(path)
    assert (weights.name, weights.path) == ("w.safetensors", path)
    path.rename(tmp_path / "w.bin")  # told by its content
    assert same(load_state(tmp_path / "w.bin"), state)


@pytest.mark.parametrize("wrapper", [None, "model", "state_dict"])
@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files(tmp_path: Path, wrapper: str | None, zipped: bool) -> None:
    state = dict(network().state_dict())
    content = state if wrapper is None else {wrapper: state, "epoch": 3}
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    assert same(load_state(tmp_path / "w.pth"), state)
    assert from_file("m", str(tmp_path / "w.pth")).classes == ()
    (tmp_path / "w.json").write_text(json.dumps({"classes": ["a", "b"]}))
    assert from_file("m", str(tmp_path / "w.pth")).classes == ("a", "b")


def test_prefix_of_data_parallel_is_taken_off(tmp_path: Path) -> None:
    state = network().state_dict()
    torch.save({f"module.{name}": value for name, value in state.items()}, tmp_path / "w.pth")
    assert same(load_state(tmp_path / "w.pth"), dict(state))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_numpy_arrays(tmp_path: Path, protocol: int) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "float": rng.normal(size=(2, 3)).astype(np.float32),
        "half": np.asfortranarray(rng.normal(size=(3, 2)).astype(np.float16)),
        "int": np.arange(5),
        "big": np.arange(5, dtype=">i4"),
        "flag": np.array([True, False]),
        "none": np.zeros((0, 4), np.float32),
        "scalar": np.array(7.0),
    }
    content = {"model": collections.OrderedDict(arrays), "__author__": "somebody", "iteration": np.int64(3)}
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(content, protocol))
    state = load_state(tmp_path / "w.pkl")
    assert state.keys() == arrays.keys()
    for name, array in arrays.items():
        assert np.array_equal(state[name].numpy(), array)


@pytest.mark.parametrize("suffix", [".pkl", ".pth", ".pt"])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_code_in_a_file_is_not_executed(tmp_path: Path, suffix: str, protocol: int) -> None:
    witness = tmp_path / "executed"
    path = tmp_path / f"w{suffix}"
    content = {"model": {"a": np.zeros(3, np.float32), "b": Executes(witness)}}
    path.write_bytes(pickle.dumps(content, protocol))
    with pytest.raises(WeightsError, match="without executing code"):
        load_state(path)
    torch.save({"a": torch.zeros(3), "b": Executes(witness)}, path)
    with pytest.raises(WeightsError):
        load_state(path)
    assert not witness.exists()


def test_a_pickle_changes_nothing_of_what_it_names(tmp_path: Path) -> None:
    # GLOBAL numpy.dtype, then BUILD with the state (None, {"__defaults__": ("O",)})
    (tmp_path / "w.pkl").write_bytes(b"cnumpy\ndtype\n(N(S'__defaults__'\n(S'O'\ntdtb.")
    with pytest.raises(WeightsError, match="found function"):
        load_state(tmp_path / "w.pkl")
    assert numpy_pickle._dtype.__defaults__ is None
    (tmp_path / "w.pkl").write_bytes(b"cnumpy\nndarray\n(I3\ntR.")
    with pytest.raises(WeightsError, match="damaged"):
        load_state(tmp_path / "w.pkl")


@pytest.mark.parametrize(
    "content",
    [
        np.array([{}], object),
        np.zeros(2, np.longdouble),
        np.array(["text"]),
        np.zeros(2, [("a", "f4")]),
        slice(3),
        {1, 2},
    ],
)
def test_pickles_of_anything_else_are_refused(tmp_path: Path, content: object) -> None:
    (tmp_path / "w.pkl").write_bytes(pickle.dumps({"model": {"a": content}}))
    with pytest.raises(WeightsError):
        load_state(tmp_path / "w.pkl")


def test_damaged_files(tmp_path: Path) -> None:
    state = dict(network().state_dict())
    save_state(tmp_path / "w.safetensors", state, ())
    torch.save(state, tmp_path / "w.pth")
    (tmp_path / "w.pkl").write_bytes(pickle.dumps({name: value.numpy() for name, value in state.items()}))
    for name in ("w.safetensors", "w.pth", "w.pkl"):
        content = (tmp_path / name).read_bytes()
        for length in (0, 1, 20, len(content) // 2, len(content) - 1):
            (tmp_path / f"cut-{name}").write_bytes(content[:length])
            with pytest.raises(WeightsError, match=f"cut-{name}"):
                load_state(tmp_path / f"cut-{name}")


def test_files_that_hold_no_state(tmp_path: Path) -> None:
    for content in ([1, 2], {}, {"model": {"epoch": 3}}, torch.zeros(3)):
        torch.save(content, tmp_path / "w.pth")
        with pytest.raises(WeightsError, match=r"w\.pth"):
            load_state(tmp_path / "w.pth")


def test_asking_for_files(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="model m has no weights of its own: give it a file by --weights"):
        from_file("m", None)
    with pytest.raises(WeightsError, match="does not exist"):
        from_file("m", str(tmp_path / "absent.pth"))
    with pytest.raises(WeightsError, match="is a folder"):
        from_file("m", str(tmp_path))


@pytest.mark.parametrize("content", ["{", '{"classes": 3}', '{"classes": [1]}', "[[]]"])
def test_classes_that_are_no_names(tmp_path: Path, content: str) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "w.pth")
    (tmp_path / "w.json").write_text(content)
    with pytest.raises(WeightsError, match="classes of weights"):
        read_classes(tmp_path / "w.pth")


def test_known_digests(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "w.pth")
    weights = from_file("m", str(tmp_path / "w.pth"))
    check_sha256(weights, weights.sha256.upper())
    check_sha256(weights, weights.sha256[:8])
    with pytest.raises(WeightsError, match=f"SHA-256 is {weights.sha256}, {'0' * 64} was expected"):
        check_sha256(weights, "0" * 64)


def test_load_into_names_what_does_not_fit() -> None:
    whole = dict(network().state_dict())
    target = network()
    with torch.no_grad():
        for parameter in target.parameters():
            parameter.zero_()
    load_into(target, whole, "weights w")
    assert same(dict(target.state_dict()), whole)
    less = {name: value for name, value in whole.items() if name != "body.bias"}
    with pytest.raises(WeightsError, match=r"weights w do not fit Sequential: tensors 1 missing \(body\.bias\)"):
        load_into(target, less, "weights w")
    with pytest.raises(WeightsError, match=r"1 unexpected \(more\)"):
        load_into(target, {**whole, "more": torch.zeros(1)}, "weights w")
    with pytest.raises(
        WeightsError, match=r"class_head\.weight is \(5, 4\), the network's \(3, 4\).*number of classes"
    ):
        load_into(target, dict(network(5).state_dict()), "weights w")
    with pytest.raises(WeightsError, match=r"1 of another shape") as raised:
        load_into(target, {**whole, "body.bias": torch.zeros(9)}, "weights w")
    assert "number of classes" not in str(raised.value)
