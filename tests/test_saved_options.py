"""--options: a run starts from the options of an earlier one, and flags override them."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import pytest

import eval as evaluation
from options.eval_options import EvalOptions
from options.parse import parse
from options.train_options import TrainOptions
from tests.conftest import Script, assert_wrong_usage
from tests.test_options import refused
from tests.toy_runs import run_training

WHOLE_RUN = ("--max_steps", 1, "--niter", 1)
SCORE = ["--model_path", "w.pth", "--dataroot", "d"]


def write(path: pathlib.Path, values: object) -> str:
    path.write_text(json.dumps(values))
    return str(path)


def saved_by(path: pathlib.Path, *argv: str) -> str:
    """The options.json of a run that was given `argv`."""
    return write(path, dataclasses.asdict(parse(TrainOptions, [*argv])))


def evaluated_by(path: pathlib.Path, *argv: str) -> str:
    """The metrics.json of an evaluation that was given `argv`."""
    options = dataclasses.asdict(parse(EvalOptions, [*argv]))
    return write(path, {"weights": "w.pth", "testsets": {}, "options": options})


def json_of(folder: pathlib.Path, name: str) -> Any:  # noqa: ANN401
    return json.loads((folder / name).read_text())


def test_a_run_from_saved_options_has_the_same_but_for_its_name(
    toy: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Augmented, with tuples, numbers, switches and a preset, started by nothing but the file."""
    flags = ("--preset", "blur", "--no_flip", "--seed", 3, "--classes", "cat", "--overwrite")
    first = run_training(toy, tmp_path, *WHOLE_RUN, *flags)
    monkeypatch.chdir(tmp_path)
    file = ["--options", str(first / "options.json")]
    run_training(toy, tmp_path, *file, "--name", "second")  # with the flags of the toy runs
    evaluation_of = parse(TrainOptions, [*file, "--name", "third"])
    one, other = (json_of(tmp_path / name, "options.json") for name in ("run", "second"))
    assert one.pop("name") == "run" and other.pop("name") == "second"
    assert one.pop("overwrite") and not other.pop("overwrite")
    assert one == other
    assert one["classes"] == ["cat"] and one["seed"] == 3 and one["preset"] == ["blur"]
    third = json.loads(json.dumps(dataclasses.asdict(evaluation_of)))
    assert {k: third[k] for k in one} == one
    with (
        (tmp_path / "run/history.csv").open() as mine,
        (tmp_path / "second/history.csv").open() as its,
    ):
        same = [[line.split(",")[:4] for line in file] for file in (mine, its)]
    assert same[0] == same[1]


def test_flags_come_before_the_file_and_the_file_before_defaults(tmp_path: pathlib.Path) -> None:
    file = saved_by(tmp_path / "o.json", "--preset", "minibench", "--seed", "7", "--no_flip")
    base = ["--options", file, "--name", "b"]
    asis = parse(TrainOptions, base)
    assert (asis.seed, asis.no_flip, asis.pairs, asis.max_steps) == (7, True, True, 1500)
    assert (asis.preset, asis.name) == (("minibench",), "b")
    changed = parse(TrainOptions, [*base, "--seed", "8", "--no_flip=false", "--max_steps", "9"])
    assert (changed.seed, changed.no_flip, changed.max_steps) == (8, False, 9)
    assert dataclasses.replace(changed, seed=7, no_flip=True, max_steps=1500) == asis
    older = json.loads(pathlib.Path(file).read_text())
    for name in ("ema", "blur_method", "lr"):  # the preset's rate is not looked up again
        del older[name]
    lacking = parse(TrainOptions, ["--options", write(tmp_path / "old.json", older), "--name", "b"])
    assert dataclasses.replace(lacking, lr=asis.lr) == asis
    assert lacking.lr == TrainOptions().lr


def test_what_becomes_of_folders_is_never_taken_from_a_file(tmp_path: pathlib.Path) -> None:
    its = {"continue_train": True, "allow_changes": ["data"], "overwrite": True, "dry_run": True}
    its |= {"name": "a", "quiet": True}
    file = write(tmp_path / "o.json", its)
    options = parse(TrainOptions, ["--options", file, "--name", "b"])
    assert options == TrainOptions(name="b")
    told = parse(TrainOptions, ["--options", file, "--name", "a", "--continue_train"])
    assert told == TrainOptions(name="a", continue_train=True)
    metrics = evaluated_by(
        tmp_path / "m.json", *SCORE, "--name", "x", "--overwrite", "--crops", "5"
    )
    again = parse(EvalOptions, ["--options", metrics])
    assert again == parse(EvalOptions, [*SCORE, "--crops", "5"])


def test_what_flags_make_void_has_its_default(tmp_path: pathlib.Path) -> None:
    sgd = saved_by(tmp_path / "o.json", "--optim", "sgd", "--momentum", "0.9", "--class_bal")
    base = ["--options", sgd, "--name", "b"]
    assert parse(TrainOptions, base).momentum == 0.9
    adam = parse(TrainOptions, [*base, "--optim", "adam", "--pairs"])
    assert adam == TrainOptions(name="b", pairs=True)
    # what had no effect in the file stays, or the run could not be continued
    idle = saved_by(tmp_path / "i.json", "--preset", "blur", "--blur_prob", "0")
    assert parse(TrainOptions, ["--options", idle, "--name", "b"]).blur_sig == (0.0, 3.0)
    swept = evaluated_by(
        tmp_path / "m.json", *SCORE, "--robustness", "--blur_sigmas", "0,1", "--bootstrap", "5"
    )
    remade = parse(EvalOptions, ["--options", swept, "--predictions", "p.csv"])
    assert remade == EvalOptions(dataroot="d", predictions=("p.csv",), bootstrap=5)


@pytest.mark.parametrize(
    ("content", "argv", "words"),
    [
        ('{"lr": 0.1', "", ["FILE", "damaged", "column"]),
        ("\x00\xff", "", ["FILE", "damaged"]),
        ("[" * 100_000, "", ["FILE", "damaged"]),
        ("[1]", "", ["FILE", "holds no options"]),
        ('{"lrr": 0.1}', "", ["FILE", "'lrr'", "'lr'"]),
        ('{"weights": "w", "testsets": {}}', "", ["FILE", "'weights'", "options.json"]),
        ('{"lr": "fast"}', "", ["FILE", "lr is 'fast'", "a number"]),
        ('{"lr": true}', "", ["FILE", "lr is True", "a number"]),
        ('{"lr": -1}', "", ["FILE", "lr must be above 0"]),
        ('{"lr": NaN}', "", ["FILE", "lr must be"]),
        ('{"lr": 1e999}', "", ["FILE", "lr must be"]),
        ('{"lr": null}', "", ["FILE", "lr is None"]),
        ('{"niter": 2.5}', "", ["FILE", "niter is 2.5", "a whole number"]),
        ('{"niter": 1e30}', "", ["FILE", "niter is 1e+30"]),
        (f'{{"niter": {2**70}}}', "", ["FILE", "niter must be at most"]),
        ('{"pairs": "yes"}', "", ["FILE", "pairs is 'yes'", "true or false"]),
        ('{"classes": "cat"}', "", ["FILE", "classes is 'cat'", "a list"]),
        ('{"classes": ["cat", 3]}', "", ["FILE", "classes is 3", "a text"]),
        ('{"optim": "lion"}', "", ["FILE", "optim must be one of", "lion"]),
        ('{"preset": ["gone"]}', "", ["FILE", "preset must be one of", "gone"]),
        ('{"dataroot": "a\\u0000b"}', "", ["FILE", "dataroot is 'a\\x00b'"]),
        ('{"init": "\\ud800"}', "", ["FILE", "init is '\\ud800'"]),
        ('{"cropSize": 300, "loadSize": 256}', "", ["FILE", "--cropSize 300 is larger"]),
        ('{"fake": ["f"], "real": "r"}', "--dataroot d", ["FILE", "--dataroot", "with --fake"]),
        ("{}", "--preset 2class", ["--preset", "--options"]),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line_that_names_it(
    tmp_path: pathlib.Path,
    content: str,
    argv: str,
    words: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "options.json"
    path.write_bytes(content.encode("latin-1"))
    error = refused(TrainOptions, f"--options {path} --name b {argv}", capsys)
    for word in words:
        assert word.replace("FILE", str(path)) in error


def test_a_run_needs_a_name_and_a_file_that_is_there(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "o.json", {"name": "a"})
    assert "--name is needed" in refused(TrainOptions, f"--options {file}", capsys)
    for missing in (tmp_path / "none.json", tmp_path, ""):
        error = refused(TrainOptions, f"--name b --options={missing}", capsys)
        assert f"--options {missing}: cannot be read" in error
    assert "--options" in refused(TrainOptions, "--option x", capsys)


def test_each_script_says_what_it_takes(
    toy: pathlib.Path, tmp_path: pathlib.Path, script: Script
) -> None:
    train = saved_by(tmp_path / "options.json", "--name", "a")
    scored = evaluated_by(tmp_path / "metrics.json", *SCORE)
    older = write(tmp_path / "older.json", {"weights": "w", "testsets": {}})
    both = write(tmp_path / "both.json", {"testsets": {}, "options": {"crops": 3}})
    wrong = [("train.py", scored, "'weights'", "checkpoints/NAME/options.json")]
    wrong += [
        ("eval.py", file, "'options'", "results/NAME/metrics.json") for file in (train, older)
    ]
    wrong += [("eval.py", both, "crops", "must be 1, 5 or 10")]
    for name, file, *words in wrong:
        assert_wrong_usage(script(name, "--options", file, "--name", "b"), name, file, *words)
    help = script("train.py", "--help").stdout
    assert "--options FILE" in help and "checkpoints/NAME/options.json" in help
    assert "--options" not in script("predict.py", "--help").stdout


def test_an_evaluation_is_repeated_from_its_metrics(
    toy: pathlib.Path, tmp_path: pathlib.Path, script: Script
) -> None:
    best = run_training(toy, tmp_path, *WHOLE_RUN) / "model_epoch_best.pth"
    results = ["--results_dir", str(tmp_path / "results")]
    base = [
        "--model_path",
        str(best),
        "--dataroot",
        str(toy / "test"),
        "--thumbnails",
        "2",
        *results,
    ]
    base += [
        "--testsets",
        "progan,own set",
        "--bootstrap",
        "20",
        "--few_shot",
        "2",
        "--device",
        "cpu",
    ]
    assert (
        evaluation.main(parse(EvalOptions, [*base, "--name", "first", "--num_threads", "0"])) == 0
    )
    first = tmp_path / "results/first"
    file = str(first / "metrics.json")
    again = script("eval.py", "--options", file, "--name", "again")
    assert again.returncode == 0, again.stderr
    mine, its = (
        json_of(tmp_path / "results" / name, "metrics.json") for name in ("first", "again")
    )
    assert mine["options"].pop("name") == "first" and its["options"].pop("name") == "again"
    for metrics in (mine, its):  # when it was made, and how fast
        metrics.pop("images_per_second", None)
        del metrics["made"]
    assert mine == its
    table = [
        (tmp_path / "results" / name / "table.csv").read_bytes() for name in ("first", "again")
    ]
    assert table[0] == table[1]
    whole = script("eval.py", "--options", file, "--no_crop", "--testsets", "progan")
    assert whole.returncode == 0, whole.stderr  # in the folder that is named for the weights
    swept = json_of(tmp_path / "results/run-best", "metrics.json")
    assert (swept["crop_size"], list(swept["testsets"])) == (None, ["progan"])
    assert swept["bootstrap"] == 20
