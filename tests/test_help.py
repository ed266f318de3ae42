"""What --help and --version say, of every command."""

from __future__ import annotations

import dataclasses
import re
import shlex

import pytest

from networks import architectures
from options.names import ARCHITECTURES, BENCHMARKS, PUBLISHED, VERSION
from options.parse import parse
from tests.commands import ROOT
from tests.test_options import COMMANDS


def printed(name: str, flag: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stopped:
        parse(COMMANDS[name], [flag])
    assert stopped.value.code == 0
    return capsys.readouterr().out


def run_as(name: str) -> tuple[str, ...]:
    """The words that start a command."""
    module = name.removesuffix(".py").removesuffix("/__main__").replace("/", ".")
    return ("python", "-m", module) if "/" in name else ("python", name)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_with_two_examples_and_a_page(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    help = printed(name, "--help", capsys)
    examples, _, page = help.partition("\nexamples:\n")[2].partition("\nmore: ")
    lines = [shlex.split(line) for line in examples.strip().split("\n")]
    assert len(lines) == 2
    assert (ROOT / page.strip()).is_file()
    told = {tuple(words[: len(run_as(name))]) for words in lines}
    shares = name.startswith("benchmarks/") and "__main__" not in name  # options with the others
    assert told == {run_as(name)} or (shares and all(w[:2] == ("python", "-m") for w in told))


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_valid_commands(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for example in COMMANDS[name].examples:
        words = shlex.split(example)
        parse(COMMANDS[name], words[3 if words[1] == "-m" else 2 :])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_what_stands_for_a_value_says_what_it_is(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    help = printed(name, "--help", capsys)
    stands = {
        field.name: re.search(rf"^  --{field.name} ([A-Z|]+)", help, re.MULTILINE)
        for field in dataclasses.fields(COMMANDS[name])
        if field.type != "bool" and not field.metadata["positional"]
    }
    assert all(stands.values()), stands
    kinds = {"FOLDER", "FILE", "LIST", "N", "SIZE", "NUMBER", "NAME", "ENCODER", "P", "P|FILE"}
    kinds |= {"FOLDER|FILE", "NAME|FILE", "REGEX"}
    assert {found[1] for found in stands.values() if found} <= kinds


@pytest.mark.parametrize("name", COMMANDS)
def test_the_version_is_that_of_the_project(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(name, "--version", capsys) == f"cnn-detection {VERSION}\n"
    assert f'\nname = "cnn-detection"\nversion = "{VERSION}"\n' in (
        ROOT / "pyproject.toml"
    ).read_text(encoding="utf-8")


def test_help_lists_the_names_that_an_option_takes(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("train.py", "eval.py", "predict.py"):
        words = re.split(r"[\s,]+", printed(name, "--help", capsys))
        assert set(ARCHITECTURES) <= set(words)
        assert name != "eval.py" or {*PUBLISHED, *BENCHMARKS} <= set(words)


def test_the_listed_architectures_are_those_that_can_be_built() -> None:
    assert tuple(architectures.ARCHITECTURES) == ARCHITECTURES
