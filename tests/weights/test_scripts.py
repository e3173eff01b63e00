"""Files of weights as training scripts save them, with torch itself: read, chosen by a key, or refused in words."""

import argparse
import collections
import os
import pathlib
import pickle
import random
import warnings
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from harness.errors import WeightsError
from harness.files import sha256_file
from harness.weights import from_file, load_into, load_state, split_key

TORCHS_WORDS = ("weights_only", "WeightsUnpickler", "PytorchStreamReader", "add_safe_globals", "torch.load", "Please")


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    layers = {"body": nn.Conv2d(3, 4, 3), "norm": nn.BatchNorm2d(4), "head": nn.Conv2d(4, 2, 1)}
    made = nn.Sequential(collections.OrderedDict(layers))
    made(torch.rand(2, 3, 8, 8))  # running statistics that are not those of a new network
    return made.eval()


def same(state: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return state.keys() == other.keys() and all(torch.equal(state[name], other[name]) for name in other)


def settings() -> argparse.Namespace:
    """The arguments of a script, with all kinds of values that scripts keep there."""
    factory: dict[str, Any] = collections.defaultdict(list, a=[1])
    return argparse.Namespace(
        data_path=pathlib.Path("/data"),
        lr=0.02,
        epochs=26,
        device="cuda",
        amp=False,
        resume=None,
        steps=[16, 22],
        best=np.float64(0.5),
        mean=np.array([0.485, 0.456, 0.406]),
        nested=SimpleNamespace(a={1, 2}, b=(1, 2)),
        kind=torch.float16,
        more=factory,
        counts=collections.Counter("aab"),
    )


def training_state(made: nn.Module) -> dict[str, Any]:
    """What torchvision's reference scripts save beside the network."""
    optimizer = torch.optim.AdamW(made.parameters(), 0.01)
    made(torch.rand(1, 3, 8, 8)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [16, 22])
    return {"optimizer": optimizer.state_dict(), "lr_scheduler": scheduler.state_dict(), "epoch": 3, "args": settings()}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrapper", ["model", "state_dict", "model_state_dict", "model_state", "net", "ema", "theirs"])
def test_wrappers_beside_the_state_of_a_training(tmp_path: Path, wrapper: str, zipped: bool) -> None:
    made = network()
    rest = training_state(made)
    torch.save({**rest, wrapper: made.state_dict()}, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    weights = from_file("m", str(tmp_path / "w.pth"))
    assert same(load_state(weights), made.state_dict())
    assert bool(weights.notes) == (wrapper in ("ema", "theirs")), "an unusual name is told"


def test_checkpoints_of_lightning(tmp_path: Path) -> None:
    from lightning_fabric.utilities.data import AttributeDict

    made = network()
    state = {f"model.{name}": tensor for name, tensor in made.state_dict().items()}
    content = {"state_dict": state, "hyper_parameters": AttributeDict(lr=0.1, args=settings()), "callbacks": {}}
    torch.save(
        {**content, "pytorch-lightning_version": "2.5", "loops": {"fit_loop": {"state_dict": {}}}}, tmp_path / "w.ckpt"
    )
    weights = from_file("m", str(tmp_path / "w.ckpt"))
    assert same(load_state(weights), made.state_dict())
    assert [("'model.'" in note and "w.ckpt" in note) for note in weights.notes] == [True]


def test_prefixes_of_torchs_own_wrappers(tmp_path: Path) -> None:
    made = network()
    wrapped = {
        "module.": nn.DataParallel(made),
        "_orig_mod.": torch.compile(made),
        "module._orig_mod.": nn.DataParallel(torch.compile(made)),
        "network.": nn.ModuleDict({"network": made}),
        "model.": nn.ModuleDict({"model": made}),
    }
    for prefix, wrapper in wrapped.items():
        assert all(name.startswith(prefix) for name in wrapper.state_dict())
        torch.save({"model": wrapper.state_dict()}, tmp_path / "w.pth")
        weights = from_file("m", str(tmp_path / "w.pth"))
        assert same(load_state(weights), made.state_dict()), prefix
        assert [repr(prefix) in note for note in weights.notes] == [True]
        load_state(weights)
        assert len(weights.notes) == 1, "told once"
        other = network(1)
        own = {"module.": nn.DataParallel, "model.": lambda inner: nn.ModuleDict({"model": inner})}.get(prefix)
        if own:  # a network whose own names have the prefix
            load_into(own(other), load_state(weights), "weights w")
            assert same(other.state_dict(), made.state_dict())


def test_a_prefix_of_some_names_stays(tmp_path: Path) -> None:
    state = {"model.a": torch.zeros(1), "criterion.b": torch.ones(1)}
    torch.save(state, tmp_path / "w.pth")
    weights = from_file("m", str(tmp_path / "w.pth"))
    assert same(load_state(weights), state)
    assert weights.notes == []


def test_an_average_of_torch(tmp_path: Path) -> None:
    made, later = network(), network(1)
    averaged = torch.optim.swa_utils.AveragedModel(made, use_buffers=True)
    averaged.update_parameters(made)
    averaged.update_parameters(later)
    torch.save(
        {"model": later.state_dict(), "model_ema": averaged.state_dict(), "args": settings()}, tmp_path / "w.pth"
    )
    plain, ema = from_file("m", str(tmp_path / "w.pth")), from_file("m", f"{tmp_path / 'w.pth'}:key=model_ema")
    assert same(load_state(plain), later.state_dict())
    assert "w.pth:key=model_ema" in plain.notes[0], "what else there is, and how to read it"
    assert same(load_state(ema), averaged.module.state_dict())
    assert not same(load_state(ema), later.state_dict())
    assert (ema.name, ema.key, ema.sha256) == ("w.pth:key=model_ema", "model_ema", sha256_file(tmp_path / "w.pth"))
    assert plain.digest == plain.sha256 != ema.digest


def test_several_entries_have_to_be_named(tmp_path: Path) -> None:
    one, two = network(0).state_dict(), network(1).state_dict()
    path = tmp_path / "gan.pth"
    torch.save({"generator": one, "discriminator": two, "epoch": 3, "deep": {"inner": {"ema": two}}}, path)
    with pytest.raises(WeightsError, match=r"generator \(9 named tensors\), .*epoch \(int\).*gan\.pth:key=generator"):
        load_state(path)
    assert same(load_state(from_file("m", f"{path}:key=discriminator")), two)
    assert same(load_state(from_file("m", f"{path}:key=deep.inner.ema")), two)
    with pytest.raises(WeightsError, match=r"no entry 'generater'.*Did you mean generator\?"):
        load_state(from_file("m", f"{path}:key=generater"))
    with pytest.raises(WeightsError, match=r"entry 'epoch' holds no named tensors, it is int"):
        load_state(from_file("m", f"{path}:key=epoch"))
    torch.save({"state": {"model": one}, "epoch": 3}, path)
    with pytest.raises(WeightsError, match=r"lie deeper: --weights gan\.pth:key=state\.model"):
        load_state(path)


def test_files_whose_names_have_colons(tmp_path: Path) -> None:
    state = network().state_dict()
    for name in ("a:b.pth", "a:key=b", "a:key=b:key=c"):
        torch.save({"model": state, "ema": network(1).state_dict()}, tmp_path / name)
        assert split_key(str(tmp_path / name)) == (tmp_path / name, None)
        assert same(load_state(from_file("m", str(tmp_path / name))), state)
        assert split_key(f"{tmp_path / name}:key=ema") == (tmp_path / name, "ema")
        assert same(load_state(from_file("m", f"{tmp_path / name}:key=ema")), network(1).state_dict())
    assert split_key(r"C:\runs\a.pth:key=ema") == (Path(r"C:\runs\a.pth"), "ema")
    assert split_key(r"C:\runs\a.pth") == (Path(r"C:\runs\a.pth"), None)
    assert split_key("~/a.pth:key=ema") == (Path.home() / "a.pth", "ema")
    with pytest.raises(WeightsError, match=r"only key=NAME can follow, found 'ema'"):
        from_file("m", f"{tmp_path / 'a:b.pth'}:ema")
    with pytest.raises(WeightsError, match="after key="):
        from_file("m", f"{tmp_path / 'a:b.pth'}:key=")


def test_missing_counts_of_batches_are_read_as_torch_reads_them(tmp_path: Path) -> None:
    made, ours, torchs = network(), network(1), network(2)
    state = {name: tensor for name, tensor in made.state_dict().items() if not name.endswith("num_batches_tracked")}
    assert len(state) == len(made.state_dict()) - 1
    torch.save({"model": state}, tmp_path / "w.pth")
    load_into(ours, load_state(tmp_path / "w.pth"), "weights w")
    torchs.load_state_dict(torch.load(tmp_path / "w.pth", weights_only=True)["model"])  # strict
    image = torch.rand(1, 3, 8, 8)
    assert torch.equal(ours(image), made(image))
    assert torch.equal(ours(image), torchs(image))
    del state["norm.running_mean"]
    with pytest.raises(WeightsError, match=r"1 missing \(norm\.running_mean\)"):
        load_into(ours, state, "weights w")


class Executes:
    """A pickle of this runs a command of the system when it is read."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.witness}",)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("place", ["entry", "settings", "tensors", "whole", "key"])
def test_commands_in_a_file_are_refused_and_not_executed(
    tmp_path: Path, place: str, protocol: int, zipped: bool
) -> None:
    witness = tmp_path / "executed"
    evil, state = Executes(witness), network().state_dict()
    content = {
        "entry": {"model": state, "more": evil},
        "settings": {"model": state, "args": argparse.Namespace(lr=0.1, hook=evil)},
        "tensors": {"model": {**state, "a": evil}},
        "whole": evil,
        "key": {"model": state, (1, evil): 2},
    }[place]
    path = tmp_path / "w.pth"
    torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match="without executing code") as raised:
        load_state(path)
    assert not any(word in str(raised.value) for word in TORCHS_WORDS)
    assert "posix.system" in str(raised.value)
    assert not witness.exists()
    torch.load(path, weights_only=False)
    assert witness.exists(), "the file would have run the command"


def test_admitted_names_do_nothing(tmp_path: Path) -> None:
    """A pickle that calls the admitted classes, and changes them, finds stand-ins."""
    calls = [
        b"cargparse\nNamespace\n(Vrm\ntR.",  # Namespace("rm")
        b"cargparse\nNamespace\n}Vevil\nK\x01sb.",  # Namespace.evil = 1
        b"ccollections\ndefaultdict\ncposix\nsystem\n\x85R.",  # defaultdict(os.system)
        b"cbuiltins\neval\n(Vopen\ntR.",
        b"cbuiltins\ngetattr\n(cargparse\nNamespace\nV__init__\ntR.",
    ]
    torch.save({"a": torch.zeros(1)}, tmp_path / "w.pth")
    before = set(torch.serialization.get_safe_globals())
    for call in calls:
        with zipfile.ZipFile(tmp_path / "w.pth") as source, zipfile.ZipFile(tmp_path / "evil.pth", "w") as target:
            for name in source.namelist():
                target.writestr(name, b"\x80\x02" + call if name.endswith("data.pkl") else source.read(name))
        with pytest.raises(WeightsError) as raised:
            load_state(tmp_path / "evil.pth")
        assert not any(word in str(raised.value) for word in TORCHS_WORDS)
    assert not hasattr(argparse.Namespace, "evil")
    assert set(torch.serialization.get_safe_globals()) == before, "nothing stays admitted"


class Net(nn.Module):
    """A network of a script's own class."""


def test_whole_networks_and_programs_are_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"model": Net()}, path)
    with pytest.raises(WeightsError, match=r"Net .*save the tensors alone: torch\.save\(model\.state_dict\(\)"):
        load_state(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch no longer develops TorchScript, but there are such files
        torch.jit.save(torch.jit.trace(network(), torch.rand(1, 3, 8, 8)), path)
    with pytest.raises(WeightsError, match="TorchScript program"):
        load_state(path)
    torch.save(network().state_dict(), path, pickle_protocol=4)
    with pytest.raises(WeightsError, match="pickle_protocol=4"):
        load_state(path)
    np.savez(tmp_path / "w.npz", a=np.zeros(3))
    with pytest.raises(WeightsError, match="zip archive"):
        load_state(tmp_path / "w.npz")
    for text in ("<html>", "version https://git-lfs.github.com/spec/v1\n"):
        path.write_text(text)
        with pytest.raises(WeightsError, match="the file is text"):
            load_state(path)


def test_a_torch_file_under_the_name_of_a_pickle(tmp_path: Path) -> None:
    state = network().state_dict()
    for zipped in (True, False):
        torch.save({"model": state, "args": settings()}, tmp_path / "w.pkl", _use_new_zipfile_serialization=zipped)
        assert same(load_state(tmp_path / "w.pkl"), state)


@pytest.mark.parametrize("suffix", ["pth", "pkl", "safetensors"])
@pytest.mark.filterwarnings("ignore")
def test_damage_is_told_in_our_own_words(tmp_path: Path, suffix: str) -> None:
    from safetensors.torch import save_file

    state, path = dict(network().state_dict()), tmp_path / f"w.{suffix}"
    if suffix == "safetensors":
        save_file(state, path)
    elif suffix == "pkl":
        path.write_bytes(pickle.dumps({name: tensor.numpy() for name, tensor in state.items()}))
    else:
        torch.save({"model": state, "args": settings()}, path)
    whole, rng, told = path.read_bytes(), random.Random(0), []
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged[: rng.choice([len(damaged), rng.randrange(len(damaged))])])
        try:
            load_state(path)
        except WeightsError as error:
            told.append(str(error))
    assert len(told) > 50
    for text in told:
        assert str(path) in text
        assert not any(word in text for word in (*TORCHS_WORDS, "Unsupported", "deserializing")), text


def test_flags_in_a_pickle_do_not_make_addresses_of_numbers(tmp_path: Path) -> None:
    """NumPy's own dtype takes its flags from the file; one says that an array holds addresses of objects."""
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    content = pickle.dumps({"a": array}, 2)
    plain, flagged = b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t", b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ft"
    assert content.count(plain) == 1
    (tmp_path / "w.pkl").write_bytes(content.replace(plain, flagged))
    assert np.array_equal(load_state(tmp_path / "w.pkl")["a"].numpy(), array)


def test_a_small_pickle_with_a_large_memo_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.pkl").write_bytes(b"\x80\x02}r\xff\xff\xff\x7f.")  # memo[2^31 - 1]: 16 GiB
    with pytest.raises(WeightsError, match="memo is larger than the file"):
        load_state(tmp_path / "w.pkl")


def test_objects_that_a_file_has_changed(tmp_path: Path) -> None:
    state = network().state_dict()
    state.__dict__["itemz"] = 3
    torch.save({"model": state}, tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    content = (tmp_path / "w.pth").read_bytes()
    assert content.count(b"itemz") == 1
    (tmp_path / "w.pth").write_bytes(content.replace(b"itemz", b"items"))
    with pytest.raises(WeightsError, match=r"w\.pth cannot be read: the file is damaged"):
        load_state(tmp_path / "w.pth")
