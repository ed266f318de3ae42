"""A script that is done names the command that comes next, with paths that are there."""

from __future__ import annotations

import pathlib
import re
import shlex
import time

import pytest

import eval as evaluation
import predict
from data.images import Pixels, decode
from options.eval_options import EvalOptions
from options.parse import parse
from options.predict_options import PredictOptions
from tests.conftest import write_image
from tests.toy_runs import run_training
from util.console import print_next_command

SHORT = ("--max_steps", 1, "--niter", 1)


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    """What is next, from the line that also says how long it took."""
    last = capsys.readouterr().out.splitlines()[-1]
    told = re.fullmatch(r"took \d+ (s|minutes); (next: .*)", last)
    assert told
    return told[2]


def test_training_ends_with_the_command_that_scores_its_test_sets(
    toy: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run_training(toy, tmp_path / "with a space", *SHORT)
    told = last_line(capsys)
    assert told.startswith("next: ")
    python, script, *argv = shlex.split(told.removeprefix("next: "))
    assert "python" in python
    assert script == "eval.py"
    best = str(folder / "model_epoch_best.pth")
    assert argv == ["--model_path", best, "--dataroot", str(toy / "test")]
    more = ["--results_dir", str(tmp_path / "results"), "--device", "cpu", "--num_threads", "0"]
    assert evaluation.main(parse(EvalOptions, [*argv, *more])) == 0
    capsys.readouterr()
    run_training(toy, tmp_path / "with a space", *SHORT, "--continue_train")
    assert last_line(capsys) == told  # of a run that is finished, too
    run_training(toy, tmp_path / "dry", *SHORT, "--dry_run")
    assert "next: " not in capsys.readouterr().out


def test_without_test_sets_it_says_what_is_wanted(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("train", "val"):
        for label in ("0_real", "1_fake"):
            for number in range(4):
                write_image(tmp_path / "data" / split / label / f"{number}.png", number)
    run_training(tmp_path / "data", tmp_path, *SHORT)
    assert last_line(capsys).endswith("--dataroot FOLDER_OF_TEST_SETS")


def test_an_interpreter_below_this_folder_is_named_from_here(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for executable, shown in (
        (f"{tmp_path}/.venv/bin/python", ".venv/bin/python"),
        ("/somewhere/else/bin/python3", "python3"),
    ):
        monkeypatch.setattr("sys.executable", executable)
        print_next_command("eval.py", "--name", "a b")
        assert capsys.readouterr().out == f"next: {shown} eval.py --name 'a b'\n"


def test_each_script_ends_with_its_pace_and_what_it_waited_for_images(
    toy: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reading is so slow here that most of the time is waited for it."""

    def slowly(content: bytes, path: str, max_pixels: int) -> Pixels:
        time.sleep(0.2)
        return decode(content, path, max_pixels)

    def told(what: str) -> int:
        pace = r"(\d+) {} in \d+ s, \d[\d.]*/s; (\d+)% of the time was waited for images"
        found = re.search(pace.format(what), capsys.readouterr().err)
        assert found
        assert int(found[2]) > 50
        return int(found[1])

    monkeypatch.setattr("data.samples.decode", slowly)
    best = run_training(toy, tmp_path, *SHORT) / "model_epoch_best.pth"
    assert told("images") == 8  # one step
    command = ["--model_path", str(best), "--device", "cpu", "--num_threads", "0"]
    sets = ["--dataroot", str(toy / "test"), "--testsets", "biggan", "--results_dir", str(tmp_path)]
    assert evaluation.main(parse(EvalOptions, [*command, *sets])) == 0
    assert told("scores") == 8
    assert predict.main(parse(PredictOptions, [*command, str(toy / "test/biggan/0_real")])) == 0
    assert told("scores") == 4
