"""Creates the model, the dataset or the weights that a name in a request denotes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.dataset import Dataset
from harness.discovery.declared import check_class_names, checked_length
from harness.discovery.plugins import Plugins
from harness.discovery.registry import Registry
from harness.errors import DatasetError, UnknownNameError, UsageError, WeightsError
from harness.keep.before import answered
from harness.model import Model, Weights
from harness.options import Configured, Value
from harness.planning.grammar import ParsedName, parse
from harness.planning.request import Request
from harness.weights import split_key

__all__ = ["FOLDER", "Names", "named"]

FOLDER = "folder"
"""The dataset class that opens a folder or a file of the user, given by its path."""


class Names:
    """Looks up the names of a request among the plugins and in the registry, and creates the objects.

    Every method raises an error for the first problem that it finds.
    """

    def __init__(self, request: Request, plugins: Plugins, registry: Registry) -> None:
        self.request = request
        self.plugins = plugins
        self.registry = registry

    def kind_of(self, kind: str, text: str) -> tuple[type, ParsedName]:
        """Return the class that a text names (directly or through a registry entry), with the name and the options."""
        if kind == "dataset" and (place := self._place(text)):
            return self.plugins.get(kind, FOLDER), ParsedName(FOLDER, place.options)
        parsed = parse(text, levels=False)
        entry = self.registry.entry(f"{kind}s", parsed.name)
        if not entry:
            try:
                return self.plugins.get(kind, parsed.name), parsed
            except UnknownNameError:
                known = [*self.plugins.names(kind), *self.registry.section(f"{kind}s")]
                hints = [
                    self.plugins.why_unknown(kind, parsed.name),
                    _nowhere(parsed.name) if kind == "dataset" else "",
                ]
                raise UnknownNameError(kind, parsed.name, set(known), " ".join(filter(None, hints))) from None
        options = {key: str(value) for key, value in entry.get("options", {}).items()}
        return self.plugins.get(kind, entry["kind"]), ParsedName(parsed.name, {**options, **parsed.options})

    def serves(self, kind: str, text: str) -> tuple[str, ...]:
        """Return the tasks that a named model or dataset supports."""
        cls, _ = self.kind_of(kind, text)
        if issubclass(cls, Model):
            return (cls.task,)
        assert issubclass(cls, Dataset)
        return self._tasks(cls)

    def _tasks(self, dataset: type[Dataset]) -> tuple[str, ...]:
        """Return the tasks that a dataset serves."""
        return tuple(self.plugins.names("task")) if dataset.any_task else dataset.tasks

    def dataset(self, text: str, task: str, split: str | None = None) -> Dataset:
        """Create and open the dataset that a text names.

        Args:
            text: `name[:key=value,...]`, or a path.
            task: the task whose targets are needed.
            split: the split; None for the split of the request, of the registry, or the dataset's default.

        Raises:
            UsageError: the dataset has no targets for the task.
            DatasetError: the dataset is missing, incomplete, malformed or empty.
        """
        cls, parsed = self.kind_of("dataset", text)
        assert issubclass(cls, Dataset)
        entry = self.registry.entry("datasets", parsed.name)
        if task not in (serves := self._tasks(cls)):
            raise UsageError(f"dataset {parsed.name} serves {', '.join(serves)}, not {task}.")
        place = self._place(text)
        root = (
            place.path
            if place
            else self._root(parsed.name, entry.get("folder", parsed.name))
            if cls.needs_root
            else None
        )
        split = split or self.request.split or entry.get("split")
        dataset = cls(task=task, split=split, root=root, **parsed.options)
        if cls.any_task:
            dataset.judges = self.plugins.get("task", task).judges
        who = self._who("dataset", cls.name)
        answered(who, "open()", dataset.open)
        check_class_names(dataset)
        if not answered(who, "__len__()", lambda: checked_length(dataset)):
            raise DatasetError(f"dataset {parsed.name}, split {dataset.split}: there is not one sample.")
        return dataset

    def _place(self, text: str) -> _PathDataset | None:
        """Return the path and the options if `--dataset` is a path (a folder or a file), otherwise None.

        Options follow the path after a colon. A name that a plugin or the registry knows is never a path; write ./coco
        for a folder named coco. If `--data-root` gives a path for a name, that path is used, so that recorded results
        find their files again.
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
            return _PathDataset(Path(given or path), options)
        return None

    def _root(self, name: str, folder: str) -> Path | None:
        """Return the root folder of a dataset; None if `--data-root` does not give one.

        `--data-root NAME=PATH` gives PATH. `--data-root PATH` gives PATH/folder if that exists, otherwise PATH.
        """
        roots = dict(self.request.data_roots)
        if name in roots:
            return Path(roots[name])
        if "" not in roots:
            return None
        inside = Path(roots[""]) / folder
        return inside if inside.is_dir() else Path(roots[""])

    def model(self, text: str) -> tuple[Model, str]:
        """Create the model that a text names, without loading its network; return it and its name."""
        cls, parsed = self.kind_of("model", text)
        assert issubclass(cls, Model)
        model = cls(**parsed.options)
        if missing := answered(self._who("model", cls.name), "available()", model.available):
            raise UsageError(f"model {parsed.name} cannot run here: {missing}")
        return model, parsed.name

    def _who(self, kind: str, name: str) -> str:
        """Return a plugin's kind and name, with the distribution that provides it."""
        return f"{kind} {name!r} (plugin {self.plugins.provided(kind, name).origin})"

    def is_of_rendered(self, model: str, weights: Weights) -> bool:
        """Return whether the registry lists a score of these weights on a rendered dataset (which needs no files)."""
        entry = self.registry.entry("models", model)
        facts = self.registry.entry("checkpoints", entry.get("checkpoint", weights.name))
        scored = facts.get("score", {}).get("dataset")
        if scored is None or facts.get("sha256") != weights.sha256:
            return False
        cls, _ = self.kind_of("dataset", scored)
        return issubclass(cls, Dataset) and not cls.needs_root

    def called(self, kind: str, text: str, made: Configured) -> str:
        """Return the name of a model or a dataset in results: its name, and the options that change its output.

        Args:
            kind: "model" or "dataset".
            text: the text of the request.
            made: the object that was created from the text.
        """
        place = self._place(text) if kind == "dataset" else None
        parsed = ParsedName(_base(place.path, text), place.options) if place else parse(text, levels=False)
        preset = self.registry.entry(f"{kind}s", parsed.name).get("options", {})
        needed = {option.name for option in made.required()} - preset.keys()
        defaults = {**made.resolve({**preset, **{o: made.config[o] for o in needed}}), **dict.fromkeys(needed)}
        idle = {option.name for option in made.options if option.only in ("training", "speed")}
        changed = [o for o in parsed.options if made.config[o] != defaults.get(o) and o not in idle]
        return named(parsed.name, {o: made.config[o] for o in changed})

    def weights(self, model: Model, name: str, dataset: Dataset) -> Weights:
        """Return the weights of the request; else the registry's weights for the model; else the model's default.

        Raises:
            WeightsError: there are no weights, or the file's SHA-256 differs from the one in the registry.
        """
        entry = self.registry.entry("models", name)
        source = self.request.weights or entry.get("weights")
        if source and not self.request.weights:
            local = str(self.registry.path("models", name, source))
            source = local if split_key(local)[0].is_file() else source
        who = self._who("model", model.name)
        weights = answered(who, "resolve_weights()", lambda: model.resolve_weights(source, dataset.classes))
        facts = self.registry.entry("checkpoints", entry.get("checkpoint", weights.name))
        expected = None if self.request.weights else facts.get("sha256")
        if expected and weights.path and weights.sha256 != expected:
            raise WeightsError(
                f"weights {weights.path} of model {name} have SHA-256 {weights.sha256}, the registry knows {expected}."
            )
        # The registry's facts apply to a file of the user only if it has the same content.
        known = not self.request.weights or facts.get("sha256") == weights.sha256
        if known and not weights.classes and facts.get("classes"):
            weights = replace(weights, classes=tuple(facts["classes"]))
        return weights


@dataclass(frozen=True)
class _PathDataset:
    """A dataset that the user gives by its path, with its options."""

    path: Path
    options: dict[str, str]


def _nowhere(name: str) -> str:
    """Return a hint for a dataset name that is neither known nor an existing path."""
    if Path(name).name != name:
        return f"There is no folder or file {name}."
    return f"If it is a folder or a file: there is none at {name}; --data-root {name}=PATH says where it lies now."


def _base(path: Path, text: str) -> str:
    """Return the name of a path in results: the name of the folder or file, without the folders that contain it."""
    return path.resolve().name or text


def named(name: str, options: Mapping[str, Value]) -> str:
    """Return a name with its options, sorted, as results show it. Of a local path only the file's name is shown.

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
