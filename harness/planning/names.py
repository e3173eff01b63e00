"""From a name of a request to what it names: a model, a dataset, weights; the first that is wrong raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.dataset import Dataset
from harness.discovery.plugins import Plugins
from harness.discovery.registry import Registry
from harness.errors import DatasetError, UnknownNameError, UsageError, WeightsError
from harness.model import Model, Weights
from harness.options import Configured, Value
from harness.planning.grammar import ParsedName, parse
from harness.planning.request import Request

__all__ = ["FOLDER", "Names", "named"]

FOLDER = "folder"
"""The kind of dataset that any folder or file of one's own is opened by."""


class Names:
    """Looks up what a request names, among the plugins and in the registry."""

    def __init__(self, request: Request, plugins: Plugins, registry: Registry) -> None:
        self.request = request
        self.plugins = plugins
        self.registry = registry

    def kind_of(self, kind: str, text: str) -> tuple[type, ParsedName]:
        """The class behind a name (of a plugin, or of a registry entry) and what was asked of it."""
        if kind == "dataset" and (place := self._place(text)):
            return self.plugins.get(kind, FOLDER), ParsedName(FOLDER, place.options)
        asked = parse(text, levels=False)
        entry = self.registry.entry(f"{kind}s", asked.name)
        if not entry:
            try:
                return self.plugins.get(kind, asked.name), asked
            except UnknownNameError:
                named = [*self.plugins.names(kind), *self.registry.section(f"{kind}s")]
                why = [self.plugins.why_unknown(kind, asked.name), _nowhere(asked.name) if kind == "dataset" else ""]
                raise UnknownNameError(kind, asked.name, set(named), " ".join(filter(None, why))) from None
        options = {key: str(value) for key, value in entry.get("options", {}).items()}
        return self.plugins.get(kind, entry["kind"]), ParsedName(asked.name, {**options, **asked.options})

    def serves(self, kind: str, text: str) -> tuple[str, ...]:
        """The tasks that a named model or dataset serves."""
        cls, _ = self.kind_of(kind, text)
        if issubclass(cls, Model):
            return (cls.task,)
        assert issubclass(cls, Dataset)
        return cls.tasks

    def dataset(self, text: str, task: str, split: str | None = None) -> Dataset:
        """The opened dataset that a text asks for.

        Raises:
            DatasetError: missing, half-present, malformed, or empty.
        """
        cls, asked = self.kind_of("dataset", text)
        assert issubclass(cls, Dataset)
        entry = self.registry.entry("datasets", asked.name)
        if task not in cls.tasks:
            raise UsageError(f"dataset {asked.name} serves {', '.join(cls.tasks)}, not {task}.")
        place = self._place(text)
        root = (
            place.path if place else self._root(asked.name, entry.get("folder", asked.name)) if cls.needs_root else None
        )
        split = split or self.request.split or entry.get("split")
        dataset = cls(task=task, split=split, root=root, **asked.options)
        dataset.open()
        if not len(dataset):
            raise DatasetError(f"dataset {asked.name}, split {dataset.split}: there is not one sample.")
        return dataset

    def _place(self, text: str) -> _Place | None:
        """What `--dataset` names by its path: a folder or a file of one's own, with options behind a colon.

        A name that a plugin or the registry knows is never a path; ./coco is the folder. A name that --data-root
        gives a path for is that path, so that recorded results find their files again.
        """
        path, options = text, dict[str, str]()
        if not Path(text).exists():
            name, colon, rest = text.rpartition(":")
            if colon and "=" in rest and (Path(name).exists() or name in dict(self.request.data_roots)):
                path, options = name, parse(f"{FOLDER}:{rest}", levels=False).options
        if path in self.plugins.names("dataset") or path in self.registry.section("datasets"):
            return None
        given = dict(self.request.data_roots).get(path)
        if given is not None or Path(path).exists():
            return _Place(Path(given or path), options)
        return None

    def _root(self, name: str, folder: str) -> Path | None:
        """`--data-root NAME=PATH`; else PATH/folder where that exists, else PATH."""
        roots = dict(self.request.data_roots)
        if name in roots:
            return Path(roots[name])
        if "" not in roots:
            return None
        inside = Path(roots[""]) / folder
        return inside if inside.is_dir() else Path(roots[""])

    def model(self, text: str) -> tuple[Model, str]:
        """The model that a text asks for, not loaded, and its name."""
        cls, asked = self.kind_of("model", text)
        assert issubclass(cls, Model)
        model = cls(**asked.options)
        if missing := model.available():
            raise UsageError(f"model {asked.name} cannot run here: {missing}")
        return model, asked.name

    def is_of_rendered(self, model: str, weights: Weights) -> bool:
        """Whether the registry knows a model's weights by their score on a dataset that is rendered."""
        entry = self.registry.entry("models", model)
        facts = self.registry.entry("checkpoints", entry.get("checkpoint", weights.name))
        scored = facts.get("score", {}).get("dataset")
        if scored is None or facts.get("sha256") != weights.sha256:
            return False
        cls, _ = self.kind_of("dataset", scored)
        return issubclass(cls, Dataset) and not cls.needs_root

    def called(self, kind: str, text: str, made: Configured) -> str:
        """What results call a model or a dataset: its name, and the given options that change what it gives."""
        place = self._place(text) if kind == "dataset" else None
        asked = ParsedName(_base(place.path, text), place.options) if place else parse(text, levels=False)
        usual = made.resolve(self.registry.entry(f"{kind}s", asked.name).get("options", {}))
        training = {option.name for option in made.options if option.only == "training"}
        changed = [o for o in asked.options if made.config[o] != usual[o] and o not in training]
        return named(asked.name, {o: made.config[o] for o in changed})

    def weights(self, model: Model, name: str, dataset: Dataset) -> Weights:
        """The weights that were asked for, else the registry's for the model of that name, else the model's own.

        Raises:
            WeightsError: there are none, or the file is not the one that the registry knows.
        """
        entry = self.registry.entry("models", name)
        asked = self.request.weights or entry.get("weights")
        if asked and not self.request.weights:
            local = self.registry.path("models", name, asked)
            asked = str(local) if local.is_file() else asked
        weights = model.resolve_weights(asked, dataset.classes)
        facts = self.registry.entry("checkpoints", entry.get("checkpoint", weights.name))
        expected = None if self.request.weights else facts.get("sha256")
        if expected and weights.path and weights.sha256 != expected:
            raise WeightsError(
                f"weights {weights.path} of model {name} have SHA-256 {weights.sha256}, the registry knows {expected}."
            )
        # A file of the user's own is another checkpoint than the model's, unless it has the same content.
        known = not self.request.weights or facts.get("sha256") == weights.sha256
        if known and not weights.classes and facts.get("classes"):
            weights = replace(weights, classes=tuple(facts["classes"]))
        return weights


@dataclass(frozen=True)
class _Place:
    """A dataset that is named by its path."""

    path: Path
    options: dict[str, str]


def _nowhere(name: str) -> str:
    """What to do where a name that may be a path is none."""
    if Path(name).name != name:
        return f"There is no folder or file {name}."
    return f"If it is a folder or a file: there is none at {name}; --data-root {name}=PATH says where it lies now."


def _base(path: Path, text: str) -> str:
    """What results call a place: the name of the folder or file, never where it lies."""
    return path.resolve().name or text


def named(name: str, options: Mapping[str, Value]) -> str:
    """A name with options, sorted, as results show it. Of a local path only the file's name is told.

    >>> named("torchvision", {"max_size": 640, "arch": "ssd300_vgg16"})
    'torchvision:arch=ssd300_vgg16,max_size=640'
    >>> named("detectron2", {"config": "/home/somebody/mine.yaml"})
    'detectron2:config=mine.yaml'
    """
    texts = []
    for option, value in sorted(options.items()):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if isinstance(value, str):
            path = Path(text)
            text = path.name if path.is_absolute() or text.startswith("~") or path.is_file() else text
        texts.append(f"{option}={text}")
    return name + (f":{','.join(texts)}" if texts else "")
