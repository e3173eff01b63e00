"""`--data-root` and HARNESS_DATA, as every command that needs data reads them."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from harness.cli.doctor import doctor
from harness.cli.options.common import data_root_option
from harness.cli.options.request import request_options
from harness.cli.plan import plan
from harness.cli.run import run
from harness.cli.train import train
from harness.errors import UsageError


def read(*arguments: str, environment: str | None = None) -> list[tuple[str, str]]:
    """What a command gets."""
    got: list[tuple[str, str]] = []

    @click.command()
    @data_root_option
    def command(data_root: tuple[tuple[str, str], ...]) -> None:
        got.extend(data_root)

    result = CliRunner().invoke(command, arguments, env={"HARNESS_DATA": environment})
    if result.exception:
        raise result.exception
    return got


def test_what_can_be_given() -> None:
    assert read() == []
    assert read("--data-root", "/data") == [("", "/data")]
    assert read("--data-root", "voc=/a b/c=d", "--data-root", "/data") == [("voc", "/a b/c=d"), ("", "/data")]
    assert read("--data-root", "/runs/lr=1/voc") == [("", "/runs/lr=1/voc")]
    assert read("--data-root", "./lr=1") == [("", "./lr=1")]


def test_the_environment_holds_a_path_with_blanks_or_a_list() -> None:
    assert read(environment="/tmp/a b/voc") == [("", "/tmp/a b/voc")]
    several = os.pathsep.join(["voc=/a b/voc", "/data", "coco=/coco"])
    assert read(environment=several) == [("voc", "/a b/voc"), ("", "/data"), ("coco", "/coco")]
    assert read(environment="") == []
    assert read("--data-root", "/given", environment="/tmp/a b/voc") == [("", "/given")]


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (("--data-root", "/a", "--data-root", "/b"), None, "/a and /b are both given without a dataset's name"),
        (("--data-root", "voc=/a", "--data-root", "voc=/b"), None, "/a and /b are both given for voc"),
        ((), os.pathsep.join(["/a", "/b"]), "/a and /b are both given without"),
        (("--data-root", "voc="), None, "the form is PATH or NAME=PATH"),
    ],
)
def test_what_cannot(arguments: tuple[str, ...], environment: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read(*arguments, environment=environment)


@pytest.mark.parametrize("command", [run, plan, train, doctor], ids=lambda command: str(command.name))
def test_every_command_reads_them_alike(command: click.Command) -> None:
    (option,) = (p for p in command.params if "--data-root" in p.opts)
    (same,) = (p for p in data_root_option(click.Command("any")).params if "--data-root" in p.opts)
    assert (option.name, type(option.type), option.envvar, option.callback) == (
        *(same.name, type(same.type), same.envvar, same.callback),
    )


def test_an_experiment_file_takes_them_too(tmp_path: Path) -> None:
    file = tmp_path / "experiment.toml"
    file.write_text('data-root = ["/a b", "voc=/voc"]\n')
    got: list[tuple[str, str]] = []

    @click.command()
    @request_options
    def command(data_root: tuple[tuple[str, str], ...], **_: object) -> None:
        got.extend(data_root)

    result = CliRunner().invoke(command, [str(file)], env={"HARNESS_DATA": None})
    assert result.exception is None, result.exception
    assert got == [("", "/a b"), ("voc", "/voc")]
