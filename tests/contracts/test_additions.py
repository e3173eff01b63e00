"""What plugins add besides classes: commands, and sections of the report. And plugins that are left out."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from harness.discovery.plugins import Plugins
from kit.command import Session
from kit.plugins import entry_points_in, write_distribution
from kit.report import made_results

CORE = Path(__file__).parents[2] / "harness"

ADDS = """
import click
import harness
from harness.pages import PageSection, Table

@harness.hookimpl
def harness_commands():
    @click.command(help="Say how often.")
    @click.option("--times", default=1)
    def shout(times):
        click.echo("ha" * times)

    @click.command()
    @click.pass_obj
    def where(url):
        click.echo(f"read {url}")

    return {"shout": shout, "results where": where}

@harness.hookimpl
def harness_report_sections(store, experiments):
    rows = store.read("results", ("experiment",), distinct=True)
    table = Table(("given", "found"), ((len(experiments), len(list(rows))),), "Counts <b>")
    return [PageSection("Added & shown", "On `this` page:", ("one",), (table,)), "no section"]
"""
FAILS = """
import harness

@harness.hookimpl
def harness_report_sections(store, experiments):
    raise ValueError("nothing to show")
"""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Session:
    """Real results, and two plugins."""
    folder = tmp_path_factory.mktemp("plugins")
    write_distribution(folder, "adding", "adding", ADDS)
    write_distribution(folder, "failing", "failing", FAILS)
    results = made_results(tmp_path_factory.getbasetemp(), cache)
    session = Session(results.folder, cache, folder)
    session.env |= {"COLUMNS": "80"}
    return session


def test_a_plugin_adds_commands(session: Session) -> None:
    assert "shout" in session.run_process("--help").stdout
    assert session.run_process("shout", "--times", "2").stdout == "haha\n"
    assert "where" in session.run_process("results", "--help").stdout
    assert session.run_process("results", "where").stdout == "read sqlite:///harness.db\n"
    wrong = session.run_process("shoot", status=2).stderr
    assert "Did you mean 'shout'" in wrong


def test_a_plugin_adds_a_section_and_one_that_fails_is_told(session: Session, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    told = session.run_process("report", "-o", str(page), "--samples", "0").stderr
    assert "plugin failing:failing: harness_report_sections: ValueError: nothing to show" in told
    assert "'no section', which is no PageSection" in told
    text = page.read_text("utf-8")
    assert "Added &amp; shown</h2>" in text
    assert "On <code>this</code> page:" in text
    assert "Counts &lt;b&gt;" in text
    ((given, found),) = session.select("select count(distinct key), count(distinct key) from experiments")
    assert f"<td>{given}</td><td>{found}</td>" in text


def test_without_the_study_everything_else_works(session: Session, tmp_path: Path) -> None:
    session.env["HARNESS_DISABLE"] = "study,failing"
    try:
        page = tmp_path / "page.html"
        told = session.run_process("report", "-o", str(page), "--samples", "0")
        assert "failing" not in told.stderr
        assert "Beside the study" not in page.read_text("utf-8")
        assert "No such command 'study'" in session.run_process("results", "study", status=2).stderr
        assert "AP" in session.run_process("results", "--task", "detection").stdout
        listed = session.run_process("list", "plugins").stdout
        assert {line.split()[0] for line in listed.splitlines() if "left out" in line} == {"study", "failing"}
        assert session.run_process("doctor").returncode == 0
    finally:
        del session.env["HARNESS_DISABLE"]
    assert session.run_process("results", "study", "--help").returncode == 0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("{'x y': click.Command('x')}", "'x y': NAME or 'results NAME'"),
        ("{'x': print}", "no click.Command"),
        ("3", "TypeError"),
        ("{'results study': click.Command('x')}", "another plugin has the command 'results study'"),
    ],
)
def test_a_wrong_command_disables_its_plugin(
    given: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    code = f"import click, harness\n@harness.hookimpl\ndef harness_commands():\n    return {given}\n"
    write_distribution(tmp_path, "wrong", f"wrong_{abs(hash(given))}", code)
    good = code.replace(given, "{'results study': click.Command('s')}")
    write_distribution(tmp_path, "good", "a_good_one", good)
    plugins = Plugins(entry_points_in(tmp_path))
    assert list(plugins.commands()) == ["results study"]
    (broken,) = plugins.broken
    assert broken.origin.distribution == "wrong"
    assert told in str(broken.error)


def test_the_core_imports_nothing_of_the_study() -> None:
    for path in CORE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            assert not any(module.startswith("harness_plugins") for module in modules), path
