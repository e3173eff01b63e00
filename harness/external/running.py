"""Run a program to its end, and say in words what went wrong."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.errors import CodecError, plain_text

__all__ = ["run_program"]

_TOLD = 600
"""Characters of a program's own words that stand in an error."""


def run_program(words: Sequence[str], folder: Path, limit: float, environment: Mapping[str, str]) -> str:
    """Run a program without input, and return what it printed: standard output, then standard error.

    Args:
        words: the program and its arguments; no shell takes part.
        folder: the working directory of the program.
        limit: seconds after which the program, and what it has started, is ended.
        environment: variables that are set beside those of this process.

    Raises:
        CodecError: the program cannot be started, ends with another exit code than 0, or takes too long.
    """
    try:
        process = subprocess.Popen(
            list(words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise CodecError(f"{words[0]} could not be started: {error}.") from error
    with process, _ended_with(process):
        try:
            output, errors = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            raise CodecError(f"{words[0]} was ended: it took more than {limit:g} s. {_command(words)}") from None
    printed = b"\n".join(filter(None, (output, errors))).decode(errors="replace")
    if process.returncode:
        raise CodecError(f"{words[0]} {_how(process.returncode)}. {_said(errors or output)} {_command(words)}")
    return printed


@contextmanager
def _ended_with(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End the program, and what it has started, if this process does not wait for its end."""
    try:
        yield
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise


def _how(code: int) -> str:
    if code > 0:
        return f"ended with exit code {code}"
    with suppress(ValueError):
        return f"was ended by signal {-code} ({signal.Signals(-code).name})"
    return f"was ended by signal {-code}"


def _said(output: bytes) -> str:
    """Return the last lines of what a program said."""
    text = " / ".join(filter(None, (line.strip() for line in output.decode(errors="replace").splitlines())))
    if len(text) > _TOLD:
        text = f"... {text[-_TOLD:]}"
    return f"It said: {plain_text(text)}" if text else "It said nothing."


def _command(words: Sequence[str]) -> str:
    return plain_text(f"The command: {' '.join(words)}")
