"""Runs a command line in this process as if it had a process of its own: what it finds, says and leaves is the same.

A process of its own costs seconds, nearly all of them for importing torch. Here a command gets the working directory,
the environment, the arguments, the warnings and the plugins that it would have there; what it and its workers write is
caught where processes write it, below Python; and everything is as it was afterwards. What only a process has is not
here: it cannot be killed, it is not known as another owner of claims, and it starts with all modules imported.
"""

from __future__ import annotations

import importlib
import io
import logging
import os
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

from harness.cli import main
from harness.files import told_damage

__all__ = ["in_process"]


def in_process(
    arguments: Sequence[str], folder: Path, env: Mapping[str, str], path: Path | None = None, full: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run `harness` with arguments, as a process would in a folder with an environment.

    Args:
        arguments: the words behind `harness`.
        folder: the working directory.
        env: the whole environment.
        path: a folder of modules and distributions that only this command sees.
        full: whether nothing can be written to standard output, as if it was a file on a full disk.
    """
    told_damage()  # of what this process has read before
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        open("/dev/full" if full else os.devnull, "wb") as disk,  # noqa: PTH123
    ):
        with ExitStack() as stack:
            stack.enter_context(_writing_to((disk if full else out).fileno(), err.fileno()))
            for surroundings in (_place(folder, env), _words(arguments), _default_warnings(), _signals(), _threads()):
                stack.enter_context(surroundings)
            stack.enter_context(_modules(path))
            status = _status()
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(sys.__stdout__.encoding, "surrogateescape").replace("\r\n", "\n"))
    return subprocess.CompletedProcess(["harness", *arguments], status, *texts)


def _status() -> int:
    try:
        main()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except Exception:  # noqa: BLE001 - Python prints what nobody catches, and exits with 1
        traceback.print_exc()
        return 1


def _stream(number: int) -> TextIO:
    """What Python makes of a standard stream; it stays open, for loggers that have taken it once."""
    own = sys.__stdout__ if number == 1 else sys.__stderr__
    raw = open(number, "wb", buffering=0, closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(raw, own.encoding, own.errors, write_through=True)


_STREAMS: list[TextIO] = []


@contextmanager
def _writing_to(out: int, err: int) -> Iterator[None]:
    """Standard output and standard error are two files, for libraries and forked workers too."""
    if not _STREAMS:
        _STREAMS.extend((_stream(1), _stream(2)))
    before = sys.stdin, sys.stdout, sys.stderr
    for stream in before[1:]:
        stream.flush()
    kept = [(os.dup(number), number) for number in (1, 2)]
    handlers = [(handler, handler.stream) for handler in _handlers() if handler.stream is before[2]]
    with open(os.devnull) as nothing:  # noqa: PTH123
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdin, (sys.stdout, sys.stderr) = nothing, _STREAMS
        for handler, _ in handlers:
            handler.setStream(sys.stderr)
        try:
            yield
        finally:
            for stream in _STREAMS:
                stream.flush()
            sys.stdin, sys.stdout, sys.stderr = before
            for handler, stream in handlers:
                handler.setStream(stream)
            for copy, number in kept:
                os.dup2(copy, number)
                os.close(copy)


def _handlers() -> list[logging.StreamHandler[Any]]:
    """The handlers that write to a stream, of all loggers."""
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    every = [handler for logger in loggers if isinstance(logger, logging.Logger) for handler in logger.handlers]
    return [handler for handler in every if type(handler) is logging.StreamHandler]


@contextmanager
def _place(folder: Path, env: Mapping[str, str]) -> Iterator[None]:
    before, folder_before = dict(os.environ), Path.cwd()
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(folder_before)
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _words(arguments: Sequence[str]) -> Iterator[None]:
    before, sys.argv = sys.argv, ["harness", *arguments]
    try:
        yield
    finally:
        sys.argv = before


@contextmanager
def _default_warnings() -> Iterator[None]:
    """Warnings are what a user sees of them: pytest makes each an error."""

    def show(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object) -> None:
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))

    global _filters
    with warnings.catch_warnings():
        warnings.filters[:] = _filters  # type: ignore[index]
        warnings._filters_mutated()  # type: ignore[attr-defined]
        warnings.showwarning = show  # type: ignore[assignment]
        try:
            yield
        finally:
            _filters = list(warnings.filters)


def _users_filters() -> list[Any]:
    with warnings.catch_warnings():
        warnings.resetwarnings()
        for category in (ResourceWarning, ImportWarning, PendingDeprecationWarning, DeprecationWarning):
            warnings.simplefilter("ignore", category)
        warnings.filterwarnings("default", category=DeprecationWarning, module="__main__")
        return list(warnings.filters)


_filters = _users_filters()
"""What libraries add when they are imported stays from one command to the next, as the libraries do."""


@contextmanager
def _signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _threads() -> Iterator[None]:
    """Forked workers must not inherit OpenCV's pool of threads, and no command leaves another number of them."""
    cv2, torch = sys.modules.get("cv2"), sys.modules.get("torch")
    before = cv2.getNumThreads() if cv2 else 0, torch.get_num_threads() if torch else 0
    if cv2:
        cv2.setNumThreads(1)  # ends the pool's threads; 0 would leave them
    try:
        yield
    finally:
        if cv2:
            cv2.setNumThreads(before[0])
        if torch:
            torch.set_num_threads(before[1])


@contextmanager
def _modules(path: Path | None) -> Iterator[None]:
    """Nothing is remembered of other commands, and what is imported from a folder is forgotten."""
    _forget()
    if path is None:
        yield
        return
    importlib.invalidate_caches()
    sys.path.insert(0, str(path))
    try:
        yield
    finally:
        sys.path.remove(str(path))
        importlib.invalidate_caches()
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(f"{path}{os.sep}"):
                del sys.modules[name]
        _forget()


def _forget() -> None:
    """Empty what the core and its plugins remember for the life of a process: plugins, names, files."""
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in ("harness", "harness_codecs", "harness_plugins") and ".demo_world" not in name:
            for value in list(vars(module).values()):
                if callable(getattr(value, "cache_clear", None)):
                    value.cache_clear()
