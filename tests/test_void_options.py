"""An option that the others make void is an error that names both, wherever a command has one."""

from __future__ import annotations

import dataclasses
import re

import pytest

from options.eval_options import EvalOptions
from options.parse import parse
from options.train_options import TrainOptions
from tests.test_options import COMMANDS, refused

SCORE = "--model_path w --dataroot d"
USES_OF_PREDICTIONS = {  # what has an effect on a report made from saved predictions
    *("predictions", "dataroot", "testsets", "bootstrap", "cluster", "few_shot", "calibrate_on"),
    *(
        "benchmark",
        "target_fpr",
        "published",
        "results_dir",
        "name",
        "thumbnails",
        "no_figures",
        "overwrite",
    ),
    "quiet",
}


@pytest.mark.parametrize(
    ("script", "argv", "words"),
    [
        ("train.py", "--momentum 0.9", ["--momentum ", "--optim sgd"]),
        ("train.py", "--momentum 0.0 --optim adam", ["--momentum ", "--optim sgd"]),
        ("train.py", "--beta1 0.9 --optim sgd", ["--beta1 ", "--optim adam"]),
        ("train.py", "--dataroot d --real r --fake f", ["--dataroot ", "--fake"]),
        ("train.py", "--train_split a --real r --fake f", ["--train_split ", "--fake"]),
        ("train.py", "--classes a --real r --fake f", ["--classes ", "--fake"]),
        ("train.py", "--preset 2class --real r --fake f", ["--classes ", "--fake"]),
        ("train.py", "--replay_fraction 0.5", ["--replay_fraction ", "--replay_root"]),
        ("train.py", "--earlystop_epoch 5 --schedule onecycle", ["--earlystop_epoch ", "onecycle"]),
        ("train.py", "--blur_sig 1", ["--blur_sig ", "--blur_prob"]),
        ("train.py", "--blur_method scipy --preset no_aug", ["--blur_method ", "--blur_prob"]),
        ("train.py", "--preset blur --blur_sig 1 --blur_prob 0", ["--blur_sig ", "--blur_prob"]),
        ("train.py", "--jpg_qual 75", ["--jpg_qual ", "--jpg_prob"]),
        ("train.py", "--jpg_method pil --jpg_prob 0", ["--jpg_method ", "--jpg_prob"]),
        ("train.py", "--jpg_passes 3", ["--jpg_passes ", "--jpg_prob"]),
        ("train.py", "--lr 1 --head_lr 1 --freeze backbone", ["--lr ", "--head_lr", "--freeze"]),
        ("train.py", "--testroots t", ["--testroots ", "--init"]),
        ("train.py", "--pairs --class_bal", ["--class_bal ", "--pairs"]),
        ("eval.py", f"{SCORE} --blur_sigmas 1", ["--blur_sigmas ", "--robustness"]),
        ("eval.py", f"{SCORE} --jpeg_qualities 90", ["--jpeg_qualities ", "--robustness"]),
        ("eval.py", f"{SCORE} --rescale_factors 1", ["--rescale_factors ", "--robustness"]),
        ("eval.py", f"{SCORE} --gradcam --thumbnails none", ["--gradcam ", "--thumbnails none"]),
        ("eval.py", f"{SCORE} --max_batch_pixels 9", ["--max_batch_pixels ", "--no_crop"]),
        ("eval.py", f"{SCORE} --no_crop --cropSize 9", ["--cropSize ", "--no_crop"]),
        ("eval.py", f"{SCORE} --target_fpr 0.1", ["--target_fpr ", "--calibrate_on"]),
        ("eval.py", f"{SCORE} --fake f", ["--dataroot ", "--fake"]),
        ("eval.py", "--model_path w --fake f --testsets a", ["--testsets ", "--fake"]),
        ("eval.py", "--model_path w --fake f --benchmark mini", ["--benchmark ", "--fake"]),
        ("eval.py", "--model_path w --fake f --split a", ["--split ", "--fake"]),
        ("eval.py", "--predictions p --bootstrap 0 --cluster x", ["--cluster ", "--bootstrap"]),
        ("eval.py", "--predictions p --device auto", ["--device ", "--predictions"]),
        ("eval.py", "--predictions p --no_crop", ["--no_crop ", "--predictions"]),
        ("tools/verify.py", "d --quick --processes 2", ["--processes ", "--quick"]),
        ("tools/verify.py", "d --quick --max_pixels 9", ["--max_pixels ", "--quick"]),
        ("tools/audit.py", "d --fake f", ["DATAROOT ", "--fake"]),
        ("tools/manifest.py", "--fake f --split test", ["--split ", "--fake"]),
        ("eval.py", f"{SCORE} --val_fraction 0.2", ["--val_fraction ", "--split"]),
        (
            "eval.py",
            "--model_path w --dataroot . --split val --val_fraction 0.2",
            ["with a folder"],
        ),
        ("train.py", "--dataroot . --val_fraction 0.2", ["--val_fraction ", "with a folder"]),
        ("tools/download.py", "val --parts 1", ["--parts ", "train"]),
    ],
)
def test_an_option_that_others_make_void_is_refused(
    script: str, argv: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    error = refused(COMMANDS[script], argv, capsys)
    for word in words:
        assert word in error


@pytest.mark.parametrize(
    ("script", "argv"),
    [
        ("train.py", "--preset 2class --schedule onecycle"),
        ("train.py", "--preset blur --blur_prob 0"),
        ("train.py", "--preset blur,2class"),
        ("train.py", "--preset blur_jpg_prob0.5 --blur_sig 1 --jpg_qual 80"),
        ("train.py", "--real r --fake f --replay_root d --train_split train"),
        ("train.py", "--lr 1 --head_lr 1"),
        ("eval.py", f"{SCORE} --gradcam"),
        ("eval.py", f"{SCORE} --no_crop --max_batch_pixels 9"),
        ("eval.py", f"{SCORE} --robustness --blur_sigmas 1"),
        ("eval.py", "--predictions p --dataroot d --testsets a --calibrate_on q --target_fpr 0.1"),
        ("eval.py", "--predictions p --no_crop --published blur_jpg_prob0.5"),
        ("tools/verify.py", "d --processes 2 --max_pixels 9"),
        ("train.py", "--real r --fake f --val_fraction 0.2"),
        ("eval.py", "--model_path w --real r --fake f --split val --val_fraction 0.2"),
        ("tools/audit.py", "list.csv --split val --val_fraction 0.2"),
    ],
)
def test_what_has_an_effect_passes(script: str, argv: str) -> None:
    parse(COMMANDS[script], argv.split())


@pytest.mark.parametrize("presets", ["blur,jpeg", "2class,4class", "no_aug,blur_jpg_prob0.1"])
def test_presets_that_disagree_are_refused(
    presets: str, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refused(TrainOptions, f"--preset {presets}", capsys)
    assert all(word in error for word in ("--preset", *presets.split(",")))


def test_every_option_of_eval_does_something_with_predictions_or_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    values = {"reencode": "png", "precision": "bf16", "device": "cpu", "rescale_factors": "0.5"}
    for field in dataclasses.fields(EvalOptions):
        if field.name in USES_OF_PREDICTIONS:
            continue
        value = [] if field.type == "bool" else [values.get(field.name, "1")]
        argv = ["--predictions", "p", f"--{field.name}", *value]
        assert f"--{field.name} " in refused(EvalOptions, " ".join(argv), capsys), field.name


def test_what_an_option_needs_is_named_as_it_is_declared() -> None:
    known = {f"--{field.name}" for cls in COMMANDS.values() for field in dataclasses.fields(cls)}
    for cls in COMMANDS.values():
        for field in dataclasses.fields(cls):
            for condition in field.metadata["needs"]:
                assert condition.words.startswith(("with ", "without ")), field.name
                assert set(re.findall(r"--\w+", condition.words)) <= known, field.name
