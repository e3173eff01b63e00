"""Read detectron2's configs, and find the addresses of its weights, without executing code from the configs."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import PluginError, UsageError, WeightsError, closest

__all__ = ["INSTALLATION", "is_file", "quiet", "read_config", "zoo_weights"]

_ZOO = "https://github.com/facebookresearch/detectron2/blob/main/MODEL_ZOO.md"
INSTALLATION = "https://detectron2.readthedocs.io/en/latest/tutorials/install.html"

# The only value in the model zoo's YAML files that is code: the anchor sizes of the RetinaNets.
_RETINANET_SIZES = re.compile(
    r"!!python/object/apply:eval \["
    r"\"\[\[x, x \* 2\*\*\(1\.0/3\), x \* 2\*\*\(2\.0/3\) \] for x in \[([0-9]+(?:, [0-9]+)*) \]\]\"\]"
)


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress warnings: detectron2 calls functions that torch and setuptools have deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_config(asked: str, score_thresh: float | None) -> Any:
    """Return a detectron2 config (`CfgNode`) without initial weights, for boxes only.

    Mask and keypoint heads are switched off: they cost time and do not change the boxes.

    Args:
        asked: a name in the model zoo, or the path of a YAML file.
        score_thresh: replaces the config's score threshold; None keeps it.

    Raises:
        PluginError: detectron2 cannot be imported.
        UsageError: there is no such config, it is malformed, or it would execute code.
    """
    package = _import_package()
    import yaml  # type: ignore[import-untyped]

    path = _config_path(asked, package)
    cfg = _empty_config()
    try:
        cfg.merge_from_file(str(path), allow_unsafe=False)
    except yaml.constructor.ConstructorError as error:
        raise UsageError(
            f"config {asked}: it wants to execute code ({str(error.problem).strip()}), which is refused. Write the "
            "values out in a YAML file of your own."
        ) from error
    except (yaml.YAMLError, OSError, KeyError, ValueError, AssertionError, TypeError, AttributeError) as error:
        raise UsageError(f"config {path} cannot be read by detectron2: {error}.") from error
    cfg.MODEL.WEIGHTS = ""
    cfg.MODEL.MASK_ON = cfg.MODEL.KEYPOINT_ON = False
    if score_thresh is not None:
        cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = cfg.MODEL.RETINANET.SCORE_THRESH_TEST = score_thresh
    return cfg


def _empty_config() -> Any:
    """Return detectron2's default config. Its class reads the zoo's one computed value without executing it."""
    from detectron2.config import CfgNode, get_cfg

    class Config(CfgNode):  # type: ignore[misc]
        @classmethod
        def _open_cfg(cls, filename: str) -> io.StringIO:
            with super()._open_cfg(filename) as file:
                return io.StringIO(_RETINANET_SIZES.sub(_written_out, file.read()))

    return Config(get_cfg())


def _written_out(match: re.Match[str]) -> str:
    """Return RetinaNet's anchor sizes as plain numbers."""
    return str([[x, x * 2 ** (1.0 / 3), x * 2 ** (2.0 / 3)] for x in map(int, match.group(1).split(","))])


def zoo_weights(config: str) -> str:
    """Return the path of the model zoo's weights for a config. They are downloaded to detectron2's cache if necessary.

    Raises:
        WeightsError: the zoo has no weights for the config, or the download failed; the message has the address.
    """
    _import_package()
    if Path(config).suffix != ".yaml" or Path(config).expanduser().is_file():
        raise WeightsError(f"config {config} is no name in the model zoo: give its weights by --weights.")
    try:
        with quiet():
            from detectron2 import model_zoo
    except ImportError as error:
        raise WeightsError(
            f"detectron2's list of weights cannot be read ({error}). Find those of {config} at {_ZOO}, download the "
            "file and give it by --weights."
        ) from error
    from detectron2.utils.file_io import PathManager

    try:
        address = model_zoo.get_checkpoint_url(config)
    except RuntimeError as error:
        raise WeightsError(f"detectron2's model zoo has no weights for {config}: give them by --weights.") from error
    try:
        return str(PathManager.get_local_path(address))
    except (OSError, RuntimeError) as error:
        raise WeightsError(
            f"weights {address} could not be downloaded: {error}. Download the file elsewhere and give it by --weights."
        ) from error


def _import_package() -> Path:
    """Import detectron2 and return the folder of the package.

    Raises:
        PluginError: detectron2 cannot be imported.
    """
    try:
        with quiet():
            import detectron2
            import detectron2.config
            import detectron2.data
            import detectron2.modeling  # loads the compiled code
    except ImportError as error:
        raise PluginError(
            f"detectron2 cannot be imported: {error}. It has to be built for the torch that is installed: "
            f"{INSTALLATION}"
        ) from error
    return Path(detectron2.__file__).parent


def is_file(asked: str) -> bool:
    """Return whether the text is the path of a user's YAML file. A file has priority over a name in the model zoo."""
    path = Path(asked).expanduser()
    return path.suffix in (".yaml", ".yml") and path.is_file()


def _config_path(asked: str, package: Path) -> Path:
    """Return the path of a config file: the user's own, or one of the model zoo.

    Raises:
        UsageError: there is no such config.
    """
    user_file, zoo = Path(asked).expanduser(), package / "model_zoo" / "configs"
    if is_file(asked):
        return user_file
    if user_file.suffix in (".yaml", ".yml") and (zoo / asked).is_file():
        return zoo / asked
    known = sorted(path.relative_to(zoo).as_posix() for path in zoo.glob("*/*.yaml"))
    near = closest(asked, known)
    raise UsageError(
        f"config {asked!r}: no YAML file of that path, and none of that name in detectron2's model zoo."
        + (f" Did you mean {near}?" if near else "")
        + f" The zoo: {_ZOO}"
    )
