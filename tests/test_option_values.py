"""Values that no work can be done with are found before it begins, in every command."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import typing

import numpy as np
import pytest
import torch
import torchvision

import eval as evaluation
from data.testsets import benchmark_note
from options.download_options import DownloadOptions
from options.eval_options import EvalOptions
from options.parse import parse
from options.train_options import TrainOptions
from tests.test_options import COMMANDS, refused
from util.errors import UsageError

SCORE = "--model_path w --dataroot d"
HUGE = str(2**64)
NEEDED = {  # what each command wants beside the option in question
    "eval.py": SCORE,
    "predict.py": "--model_path w p",
    "tools/verify.py": "d",
    "tools/audit.py": "d",
    "tools/manifest.py": "d",
    "tools/download.py": "val",
    "tools/check_detector.py": "npr:w --dataroot d",
    "tools/spectra.py": "--dataroot d",
    "minibench/shallow.py": "--real r --out o",
}
NUMBERS = [
    (script, field.name, kind)
    for script, cls in COMMANDS.items()
    for field in dataclasses.fields(cls)
    for hint in [str(typing.get_type_hints(cls)[field.name])]
    for kind in ("int", "float")
    if kind in hint
]


@pytest.mark.parametrize(("script", "name", "kind"), NUMBERS)
def test_no_number_may_be_endless(
    script: str, name: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for value in {"int": (HUGE, f"-{HUGE}"), "float": ("inf", "-inf", "nan", "1e400")}[kind]:
        argv = f"{NEEDED.get(script, '')} --{name}={value}"
        assert f"--{name} must" in refused(COMMANDS[script], argv, capsys)


@pytest.mark.parametrize(
    ("script", "argv"),
    [
        ("eval.py", "--cropSize 100000"),
        ("predict.py", "--cropSize 100000"),
        ("train.py", "--loadSize 100000"),
        ("train.py", "--loadSize 100000 --cropSize 100000"),
        ("train.py", "--num_threads 100000"),
        ("tools/verify.py", "--processes 100000"),
        ("eval.py", "--robustness --rescale_factors 1000"),
        ("eval.py", "--robustness --rescale_factors 0.000001"),
        ("eval.py", "--robustness --blur_sigmas 1000000"),
        ("eval.py", "--bootstrap 1000000000"),
    ],
)
def test_what_no_memory_holds_is_refused(
    script: str, argv: str, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refused(COMMANDS[script], f"{NEEDED.get(script, '')} {argv}", capsys)
    assert argv.split()[-2] in error or argv.split(maxsplit=1)[0] in error


@pytest.mark.parametrize("script", [s for s, name, _ in NUMBERS if name == "seed"])
def test_every_generator_takes_the_largest_seed(
    script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = NEEDED.get(script, "").split()
    seed = parse(COMMANDS[script], [*needed, "--seed", str(2**32 - 1)]).seed
    np.random.RandomState(seed)  # scikit-learn's: the narrowest of them
    torch.manual_seed(seed)
    assert "--seed must" in refused(COMMANDS[script], f"{' '.join(needed)} --seed {2**32}", capsys)


OUTPUTS = [
    ("train.py", "--checkpoints_dir"),
    ("eval.py", "--results_dir"),
    ("tools/verify.py", "--out"),
    ("tools/audit.py", "--out"),
    ("tools/manifest.py", "--out"),
    ("tools/download.py", "--root"),
    ("tools/download.py", "--checkpoints_dir"),
    ("tools/spectra.py", "--out"),
    ("tools/check_detector.py", "--results_dir"),
    ("minibench/build.py", "--out"),
    ("minibench/train_generators.py", "--out"),
    ("minibench/contact_sheet.py", "--out"),
    ("minibench/shallow.py", "--out"),
    ("benchmarks/sweep.py", "--json"),
    ("benchmarks/__main__.py", "--out"),
]


@pytest.mark.parametrize(("script", "flag"), OUTPUTS)
def test_a_place_to_write_that_is_none_is_refused(
    script: str, flag: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere/at/all")
    places = [tmp_path / "file/below/out.png", tmp_path / "link/out.png"]
    places += [pathlib.Path("/proc/none/out.png")] if os.path.isdir("/proc/self") else []
    places += [tmp_path / ("n" * 300) / "out.png"]
    for place in places:
        argv = f"{NEEDED.get(script, '')} {flag} {place}"
        assert f"{flag} must" in refused(COMMANDS[script], argv, capsys)
    parse(COMMANDS[script], f"{NEEDED.get(script, '')} {flag} {tmp_path}/new/er/out.png".split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]  # nothing is made


def test_a_run_whose_folder_is_a_file(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").write_text("mine")
    error = refused(TrainOptions, f"--checkpoints_dir {tmp_path} --name mine", capsys)
    assert "--name mine" in error
    assert str(tmp_path / "mine") in error
    assert "--out" in refused(COMMANDS["tools/manifest.py"], f"d --out {tmp_path}", capsys)
    parse(DownloadOptions, ["val", "--root", str(tmp_path)])


@pytest.mark.parametrize("more", [[], ["--name", "mine"], ["--predictions"]])
def test_results_whose_folder_is_a_file_are_found_before_anything_is_scored(
    more: list[str],
    tmp_path: pathlib.Path,
    toy: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weights, name = tmp_path / "weights.pth", more[1] if more[1:] else "weights"
    state = torchvision.models.resnet18(num_classes=1).state_dict()
    torch.save({"model": state, "arch": "resnet18", "crop_size": 32}, weights)
    (tmp_path / name).write_text("mine")
    argv = ["--model_path", str(weights), "--dataroot", str(toy / "test"), *more]
    if more == ["--predictions"]:
        argv = [*more, str(tmp_path / "weights/predictions.csv")]
    for work in ("evaluate", "read_predictions"):
        monkeypatch.setattr(evaluation, work, None)
    with pytest.raises(UsageError, match="--name") as wrong:
        evaluation.main(parse(EvalOptions, [*argv, "--results_dir", str(tmp_path)]))
    assert str(tmp_path / name) in str(wrong.value)
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"benchmark": "minibench"}', '{"note": 3}', "\xff", "[" * 99999],
)
def test_a_minibench_json_that_is_none_is_named(text: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "minibench.json").write_bytes(text.encode("latin-1"))
    (tmp_path / "test").mkdir()
    for folder in (tmp_path, tmp_path / "test"):
        with pytest.raises(UsageError, match=r"minibench\.json"):
            benchmark_note(str(folder))
