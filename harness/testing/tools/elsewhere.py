"""Runs a function in a new Python process: with other hashes of texts, another folder, and nothing remembered."""

from __future__ import annotations

import importlib
import importlib.util
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.testing.tools.broken import broken

__all__ = ["import_module", "in_another_process", "pickled", "slow_imports"]

_SLOW = ("torch", "tensorflow", "jax", "onnxruntime", "torchvision", "transformers", "pandas", "matplotlib")
_START = "from harness.testing.tools.elsewhere import answer; answer()"


def pickled(thing: Any, what: str) -> bytes:
    """Return a thing as bytes of pickle.

    Raises:
        BrokenPromiseError: it cannot be pickled.
    """
    try:
        return pickle.dumps(thing)
    except (pickle.PicklingError, AttributeError, TypeError, ValueError, RecursionError) as error:
        broken(
            f"{what} cannot be pickled ({error}): it travels to worker processes. Define its class at the top of a "
            "module; make locks, open files, handles and functions where they are used, and not in `__init__`."
        )


def in_another_process(
    function: Callable[..., Any], *arguments: Any, about: Iterable[object] = (), hash_seed: int = 101
) -> Any:
    """Return what a function gives in a new process; its arguments and its result are pickled.

    Args:
        function: a function at the top of a module.
        arguments: its arguments.
        about: objects whose modules the process may have to load from their files.
        hash_seed: decides the order of sets of texts there.

    Raises:
        BrokenPromiseError: the arguments cannot be pickled, or the process ended without an answer.
    """
    data = pickled((function, arguments), "the plugin")
    modules = {type(one).__module__ for one in (*about, *arguments)}
    files = {name: str(getattr(sys.modules.get(name), "__file__", "") or "") for name in modules}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "call").write_bytes(pickle.dumps((sys.path, files, data)))
        # The harness's own folder, for a checkout that only this process has on its path.
        own = str(Path(importlib.import_module("harness").__file__ or "").parents[1])
        env = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
        env["PYTHONPATH"] = os.pathsep.join([own, *filter(None, [os.environ.get("PYTHONPATH")])])
        done = subprocess.run([sys.executable, "-c", _START], cwd=folder, env=env, capture_output=True, text=True)
        if not (place / "answer").is_file():
            last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
            broken(f"the plugin did not work in another process ({last}): do not rely on what this process has set up.")
        return pickle.loads((place / "answer").read_bytes())  # noqa: S301 - this process has asked for it


def answer() -> None:
    """Carry out the call of `in_another_process`: this is what the new process does."""
    paths, files, data = pickle.loads(Path("call").read_bytes())  # noqa: S301 - the parent has written it
    sys.path[:] = [*sys.path, *(path for path in paths if path not in sys.path)]
    for name, file in files.items():
        import_module(name, file)
    function, arguments = pickle.loads(data)  # noqa: S301 - as above
    Path("answer").write_bytes(pickle.dumps(function(*arguments)))


def import_module(name: str, file: str) -> ModuleType:
    """Import a module by its name, or else from its file (a file of tests, or a plugin without a package)."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        if os.environ.get("HARNESS_PLUGINS"):
            from harness.discovery.plugins import installed

            installed()  # plugins that are files get their modules' names from there
            if name in sys.modules:
                return sys.modules[name]
        spec = importlib.util.spec_from_file_location(name, file) if file else None
        if spec is None or spec.loader is None:
            raise
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module


@cache
def slow_imports(module: str) -> Sequence[str]:
    """Return the slow libraries that a module imports when it is imported."""
    file = str(getattr(sys.modules.get(module), "__file__", "") or "")
    return tuple(in_another_process(_loaded_by, module, file))


def _loaded_by(module: str, file: str) -> list[str]:
    import_module(module, file)
    return [name for name in _SLOW if name in sys.modules]
