"""--profile: a trace of some steps and their largest costs, and the same bits as without."""

from __future__ import annotations

import json
import pathlib

import pytest

from tests.toy_runs import assert_same_run, run_training


def test_the_steps_that_were_asked_for_are_traced(
    toy: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = ("--max_steps", 8, "--batch_size", 2)
    plain = run_training(toy, tmp_path / "plain", *steps)
    assert not (plain / "profile.json").exists()
    capsys.readouterr()
    profiled = run_training(toy, tmp_path / "profiled", *steps, "--profile", 2)
    said = capsys.readouterr().out
    events = json.loads((profiled / "profile.json").read_text())["traceEvents"]
    names = [event.get("name", "") for event in events if event.get("ph") == "X"]
    assert len({name for name in names if name.startswith("ProfilerStep")}) == 2
    assert any("convolution" in name for name in names)
    rows = [line for line in said.splitlines() if line.startswith("| `")]
    shares = [float(row.split("|")[4].removesuffix(" % ").strip()) for row in rows]
    assert len(rows) == 5 and shares == sorted(shares, reverse=True) and sum(shares) <= 100
    assert str(profiled / "profile.json") in said
    assert_same_run(plain, profiled)


def test_a_run_that_is_too_short_says_so(
    toy: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = ("--max_steps", 6, "--batch_size", 2)
    folder = run_training(toy, tmp_path, *steps, "--profile", 2)
    assert "--profile 2: nothing was written, as it takes 7 steps" in capsys.readouterr().err
    assert not (folder / "profile.json").exists()
