"""What codecs that are programs share: command lines, versions, and what to install."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import ClassVar

from harness.codec import Codec
from harness.errors import CodecError, PluginError
from harness.external.running import run_program
from harness.options import Value

__all__ = ["ExternalProgram"]


class ExternalProgram(Codec):
    """Base of `ExternalCodec` and `ExternalImageCodec`.

    Class attributes:
        encoder: the encoder's command line, word by word; placeholders in braces are filled in (`harness.external`).
        decoder: the decoder's command line. Empty: the stream is decoded in this process, by libav or Pillow.
        version: a command line that prints the program's version. Empty: the SHA-256 of the encoder's file stands for
            the version.
        install: what makes the program available, for the user: "apt-get install x265".
        suffix: the ending of the stream's file: ".hevc".
        time_limit: seconds after which a program is ended; the sample has then failed.
        environment: variables that the programs are given beside those of this process.
    """

    encoder: ClassVar[tuple[str, ...]]
    decoder: ClassVar[tuple[str, ...]] = ()
    version: ClassVar[tuple[str, ...]] = ()
    install: ClassVar[str] = ""
    suffix: ClassVar[str]
    time_limit: ClassVar[float] = 600.0
    environment: ClassVar[Mapping[str, str]] = {}
    costly = True

    def fingerprint(self) -> Mapping[str, Value]:
        """Return the version of each program: the first line that its version command prints.

        Raises:
            CodecError: a program is missing, or does not tell its version.
        """
        return {f"program {name}": self._version_of(name) for name in self._programs()}

    def available(self) -> str | None:
        for name in self._programs():
            if shutil.which(name) is None:
                return f"the program {name} is not installed{f': {self.install}' if self.install else ''}."
        try:
            self.fingerprint()
        except CodecError as error:
            return str(error)
        return None

    def stream_bits(self, data: bytes) -> int:
        """Return the rate of a stream in bits: all bytes that the encoder wrote.

        A codec whose program writes a container overrides it. `ExternalCodec` leaves IVF out by itself.
        """
        return 8 * len(data)

    def words(self, command: Sequence[str], values: Mapping[str, object]) -> list[str]:
        """Return a command line with its placeholders filled in. An option that is not set gives an empty text.

        Raises:
            PluginError: a placeholder that is neither in `values` nor an option.
        """
        given = {**self.config, **values}
        texts = {name: _text(value) for name, value in given.items()}
        try:
            return [word.format_map(texts) for word in command]
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            known = ", ".join(f"{{{name}}}" for name in texts)
            raise PluginError(
                f"codec {self.name}: {error} in its command line; the placeholders are {known}."
            ) from error

    def run_on(self, command: Sequence[str], folder: Path, output: Path, values: Mapping[str, object]) -> bytes:
        """Run a program that writes a file, and return the file's content.

        Args:
            command: the command line, with placeholders.
            folder: where the program runs.
            output: the file that it writes.
            values: placeholder -> value, beside the options.

        Raises:
            CodecError: the program fails, takes too long, or writes nothing.
        """
        words = self.words(command, {"output": output, **values})
        run_program(words, folder, self.time_limit, self.environment)
        if not output.is_file() or not output.stat().st_size:
            raise CodecError(f"{words[0]} ended well, but wrote nothing to its output. The command: {' '.join(words)}")
        return output.read_bytes()

    def _programs(self) -> list[str]:
        return list(dict.fromkeys(command[0] for command in (self.encoder, self.decoder) if command))

    def _version_of(self, name: str) -> str:
        found = shutil.which(name)
        if found is None:
            raise CodecError(f"the program {name} is not installed{f': {self.install}' if self.install else ''}.")
        file = Path(found).resolve()
        stat = file.stat()
        command = self.version if self.version and self.version[0] == name else ()
        return _version(str(file), stat.st_mtime_ns, stat.st_size, command, tuple(self.environment.items()))


@cache
def _version(
    file: str, changed: int, size: int, command: tuple[str, ...], environment: tuple[tuple[str, str], ...]
) -> str:
    """Return a program's version. It is asked once, until its file changes."""
    if not command:
        return f"SHA-256 {hashlib.sha256(Path(file).read_bytes()).hexdigest()}"
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        printed = run_program(command, Path(folder), 60, dict(environment))
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    if not lines:
        raise CodecError(f"{' '.join(command)} printed no version.")
    return lines[0]


def _text(value: object) -> str:
    """Return the text of a value in a command line: numbers as short as they can be, flags as 1 and 0."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return f"{value:.15g}" if isinstance(value, float) else str(value)
