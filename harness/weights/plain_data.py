"""What a torch file may hold beside tensors, and what stands for it here: objects that can do nothing.

Training scripts store their settings and their state beside the tensors. In torch's files an object is the name of a
class with the object's content. The classes in this module stand for the named ones, so a file's classes are neither
imported nor called, and their content is dropped. Only classes that hold plain data are admitted: a file that names
anything else is refused, although it would be as harmless.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

__all__ = ["PlainData", "admitted"]


class PlainData:
    """Stands for an object without tensors. It takes any content, and keeps none."""

    __slots__ = ()

    def __new__(cls, *content: object) -> PlainData:
        return object.__new__(cls)

    def __init__(self, *content: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


class _Mapping:
    """Stands for a kind of dict. What is made of it is an OrderedDict, which torch's reader can fill."""

    def __new__(cls, *content: object) -> OrderedDict[Any, Any]:  # type: ignore[misc]
        return OrderedDict()


_PATHS = ("Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath")
_DATA = {
    "argparse": ("Namespace",),
    "builtins": ("bool", "bytes", "dict", "float", "frozenset", "int", "list", "range", "slice", "str", "tuple"),
    "datetime": ("date", "datetime", "time", "timedelta", "timezone"),
    "decimal": ("Decimal",),
    "numpy": ("dtype", "ndarray"),
    "numpy._core.multiarray": ("_reconstruct", "scalar"),
    "numpy.core.multiarray": ("_reconstruct", "scalar"),
    "numpy.dtypes": ("BoolDType", "Float16DType", "Float32DType", "Float64DType", "Int32DType", "Int64DType"),
    "omegaconf.base": ("ContainerMetadata", "Metadata"),
    "omegaconf.dictconfig": ("DictConfig",),
    "omegaconf.listconfig": ("ListConfig",),
    "omegaconf.nodes": ("AnyNode", "BooleanNode", "FloatNode", "IntegerNode", "PathNode", "StringNode"),
    "pathlib": _PATHS,
    "pathlib._local": _PATHS,
    "types": ("SimpleNamespace",),
    "typing": ("Any",),
    "uuid": ("UUID",),
}
_DICTS = {
    "addict.addict": ("Dict",),
    "collections": ("defaultdict",),
    "detectron2.config.config": ("CfgNode",),
    "easydict": ("EasyDict",),
    "fvcore.common.config": ("CfgNode",),
    "lightning.fabric.utilities.data": ("AttributeDict",),
    "lightning.pytorch.utilities.parsing": ("AttributeDict",),
    "lightning_fabric.utilities.data": ("AttributeDict",),
    "pytorch_lightning.utilities.parsing": ("AttributeDict",),
    "yacs.config": ("CfgNode",),
}
"""Module -> the names of what is admitted. The numpy functions make the numbers and arrays of a script's state."""


def admitted() -> dict[str, Callable[..., Any]]:
    """Return the full name of each admitted class or function -> what stands for it."""
    kinds = ((PlainData, _DATA), (_Mapping, _DICTS))
    return {f"{m}.{name}": stand_in for stand_in, table in kinds for m, names in table.items() for name in names}
