"""python -m tools.runs: what runs were made of, came to, and where they were evaluated."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import shlex
import sys
from typing import Any

import pytest

from options.parse import parse
from options.train_options import TrainOptions
from tests.conftest import Script, assert_wrong_usage
from tests.toy_runs import run_training
from tools import records, runs
from util import run_lock
from util.errors import UsageError

HISTORY = "epoch,total_steps,lr,loss,val_ap,val_accuracy\n"


def make_run(
    root: pathlib.Path, name: str, *argv: str, accuracies: str = "0.5", ended: bool = True
) -> pathlib.Path:
    """A run's folder as train.py leaves it, but for what is in its checkpoints."""
    folder = root / "checkpoints" / name
    folder.mkdir(parents=True)
    options = parse(TrainOptions, ["--name", name, *argv])
    options = dataclasses.replace(  # as train.py writes them down
        options,
        loadSize=options.loadSize or 256,
        cropSize=options.cropSize or 224,
        rz_interp=options.rz_interp or ("bilinear",),
    )
    (folder / "options.json").write_text(json.dumps(dataclasses.asdict(options)))
    (folder / "run.json").write_text(json.dumps({"ended": "now"} if ended else {}))
    rows = [
        f"{n},{10 * n},0.1,0.7,0.9{n},{value}\n" for n, value in enumerate(accuracies.split(), 1)
    ]
    (folder / "history.csv").write_text(HISTORY + "".join(rows))
    for which in ("best", "latest"):
        (folder / f"model_epoch_{which}.pth").write_text(f"{name} {which}")
    return folder


def model_of(weights: pathlib.Path, mean: float | None, **ap: float | None) -> dict[str, Any]:
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    testsets = {testset: {"ap": value, "accuracy": 0.5} for testset, value in ap.items()}
    about = {"weights": str(weights), "weights_sha256": digest, "crop_size": 64}
    return {**about, "testsets": testsets, "mean": {"ap": mean}}


def evaluated(folder: pathlib.Path, metrics: dict[str, Any]) -> None:
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(metrics))


def told(root: pathlib.Path, capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[str, str]:
    """What the command prints in `root`, and its warnings."""
    sys.argv[1:] = [
        *(*argv, "--checkpoints_dir", str(root / "checkpoints")),
        *("--results_dir", str(root / "results")),
    ]
    capsys.readouterr()
    runs.main()
    return capsys.readouterr()


def cells(text: str) -> list[list[str]]:
    """The lines of its tables."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]


@pytest.fixture(autouse=True)
def command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["runs.py"])


def test_runs_are_listed_with_what_they_came_to(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path, "a", accuracies="0.6 0.75 0.7")
    make_run(tmp_path, "b", accuracies="nan", ended=False)
    empty = make_run(tmp_path, "c", ended=False)
    (empty / "history.csv").unlink()
    at_work = make_run(tmp_path, "d", ended=False)
    run_lock.acquire(str(at_work))
    (tmp_path / "checkpoints/.scores").mkdir()
    (tmp_path / "checkpoints/weights.pth").write_text("")
    out, err = told(tmp_path, capsys)
    rows = {row[0]: row[1:] for row in cells(out)}
    assert rows["a"] == ["finished", "3", "30", "75.00", "92.00"]
    assert rows["b"] == ["stopped", "1", "10", "", ""]
    assert rows["c"] == ["stopped", "0", "0", "", ""]
    assert rows["d"][0].startswith("running (process ")
    assert len(rows) == 6 and "evaluated" not in out and err == ""
    run_lock.release(str(at_work))


@pytest.mark.parametrize(
    "argv",
    [
        "",
        "--dataroot d --lr 0.001 --pairs --classes cat,dog --blur_prob 0.5 --blur_sig 0,3",
        "--preset minibench --pairs=false --seed 3",
        "--preset 2class,blur --earlystop_epoch 5",
        "--real r --fake f,g --val_fraction 0.2 --cropSize 128 --rz_interp bicubic",
        "--init w.pth --testroots a,b --replay_root c --head_lr 0.1",
    ],
)
def test_the_options_of_a_run_are_the_flags_that_make_it_again(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], argv: str
) -> None:
    make_run(tmp_path, "a", *argv.split())
    out, _ = told(tmp_path, capsys)
    flags = shlex.split(out.splitlines()[-1].removeprefix("a: "))
    again, given = parse(TrainOptions, flags), parse(TrainOptions, argv.split())
    assert again == given
    assert len(flags) <= len(argv.split()) + 2  # --dataroot is told always


def test_results_are_a_runs_whose_weights_are(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = (make_run(tmp_path, name) for name in "ab")
    moved = tmp_path / "copy.pth"
    moved.write_bytes((a / "model_epoch_best.pth").read_bytes())
    evaluated(tmp_path / "results/x", model_of(moved, 0.8125, progan=0.9, crn=0.725))
    evaluated(tmp_path / "results/deep/y", model_of(b / "model_epoch_latest.pth", None, mine=None))
    stale = model_of(a / "model_epoch_latest.pth", 0.5, progan=0.5)
    stale["weights_sha256"] = "0" * 64  # trained on since
    evaluated(tmp_path / "results/stale", stale)
    evaluated(tmp_path / "results/remade", {"testsets": {}, "mean": {}})  # of unknown weights
    both = {
        "before": model_of(a / "model_epoch_best.pth", 0.7, progan=0.7),
        "after": model_of(b / "model_epoch_best.pth", 0.8, progan=0.8) | {"crop_size": None},
    }
    evaluated(b / "before_after", {"models": both, "warnings": []})
    out, err = told(tmp_path, capsys)
    assert err == ""
    after = str(b / "before_after")
    assert [row for row in cells(out) if len(row) == 6 and row[1] in ("best", "latest")] == [
        ["a", "best", f"{after} (before)", "64", "70.00", "1"],
        ["a", "best", str(tmp_path / "results/x"), "64", "81.25", "2"],
        ["b", "best", f"{after} (after)", "whole", "80.00", "1"],
        ["b", "latest", str(tmp_path / "results/deep/y"), "64", "", "1"],
    ]


def test_nothing_is_hashed_for_nothing(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(tmp_path, "a")
    (folder / "model_epoch_20.pth").write_text("")
    hashed: list[str] = []

    def sha256(path: str) -> str:
        hashed.append(pathlib.Path(path).name)
        return ""

    monkeypatch.setattr(records, "sha256", sha256)
    told(tmp_path, capsys)
    assert not hashed
    evaluated(tmp_path / "results/x", model_of(folder / "model_epoch_best.pth", 0.5, progan=0.5))
    told(tmp_path, capsys)
    assert hashed == ["model_epoch_best.pth", "model_epoch_latest.pth"]


def test_two_runs_are_compared(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = make_run(tmp_path, "a", "--lr", "0.001", "--classes", "cat,dog", accuracies="0.5 0.6")
    make_run(tmp_path, "b", "--lr", "0.01", "--pairs", accuracies="0.7")
    make_run(tmp_path, "c", "--lr", "0.5")
    evaluated(tmp_path / "results/x", model_of(a / "model_epoch_latest.pth", 0.8, progan=0.9))
    out, _ = told(tmp_path, capsys, "b", "a")
    rows = cells(out)
    assert ["--lr", "0.01", "0.001"] in rows
    assert ["--classes", "", "cat,dog"] in rows
    assert ["--pairs", "true", "false"] in rows
    assert [row[0] for row in rows if row[0].startswith("--") and row[0].strip("-:")] == [
        "--classes",
        "--pairs",
        "--lr",
    ]
    heading = next(row for row in rows if row[0] == "epoch")
    first, second = (dict(zip(heading, row, strict=True)) for row in rows if row[0] in ("1", "2"))
    assert (first["accuracy b"], first["accuracy a"], first["AP a"]) == ("70.00", "50.00", "91.00")
    assert (second["accuracy b"], second["accuracy a"]) == ("", "60.00")
    heading = next(row for row in rows if row[0] == "AP of")
    assert heading[1:] == [f"a, latest, {tmp_path / 'results/x'}"]
    assert rows[-2:] == [["progan", "90.00"], ["mean", "80.00"]]
    assert "--lr" not in told(tmp_path, capsys, "a", "a")[0]


def test_what_is_damaged_is_said_and_the_rest_is_listed(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = make_run(tmp_path, "whole")
    evaluated(tmp_path / "results/good", model_of(whole / "model_epoch_best.pth", 0.5, progan=0.5))
    wrong = {
        "options.json": ["{", "[]", '{"lr": {}}', '{"preset": 3, "fake": 7, "arch": null}', "\xff"],
        "run.json": ["", "null"],
        "history.csv": ["epoch,val_accuracy\n1,high\n", "epoch\n1,2,3\n", "\x00", HISTORY + "1\n"],
    }
    names = []
    for file, contents in wrong.items():
        for number, content in enumerate(contents):
            names.append(f"{file[0]}{number}")
            (make_run(tmp_path, names[-1]) / file).write_bytes(content.encode("latin-1"))
    metrics = ["", "[1]", '{"testsets": 3, "weights_sha256": "x", "mean": 2}', '{"models": [1]}']
    metrics += ['{"weights_sha256": ["x"], "testsets": {"a": {"ap": "b"}}, "mean": {}}']
    for number, content in enumerate(metrics):
        evaluated(tmp_path / f"results/bad{number}", {})
        (tmp_path / f"results/bad{number}/metrics.json").write_text(content)
    out, err = told(tmp_path, capsys)
    assert {row[0] for row in cells(out)} >= {"whole", *names}
    assert next(row for row in cells(out) if "best" in row)[0] == "whole"
    for number in range(5):
        assert f"o{number}/options.json: damaged" in err
    assert "r0/run.json: damaged" in err and "h0/history.csv: damaged" in err
    for number in range(len(metrics)):
        assert f"bad{number}/metrics.json: damaged" in err
    assert all("warning: " in line for line in err.splitlines())
    (whole / "options.json").unlink()
    assert "whole/options.json: lost" in told(tmp_path, capsys, "whole", "r0")[1]


def test_wrong_usage(tmp_path: pathlib.Path, script: Script) -> None:
    assert_wrong_usage(script("-m", "tools.runs", "a"), "NAME", "two runs")
    gone = str(tmp_path / "gone")
    assert_wrong_usage(script("-m", "tools.runs", "--checkpoints_dir", gone), "--checkpoints_dir")


def test_runs_that_are_not_there_are_named(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "checkpoints/nothing").mkdir(parents=True)
    with pytest.raises(UsageError, match="holds no run"):
        told(tmp_path, capsys)
    make_run(tmp_path, "a")
    with pytest.raises(UsageError, match=r"no run b in .*: a"):
        told(tmp_path, capsys, "a", "b")


def test_a_run_of_train_is_read(
    toy: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_training(toy, tmp_path / "checkpoints", "--niter", 2)
    out, err = told(tmp_path, capsys)
    assert err == ""
    assert next(row for row in cells(out) if row[0] == "run" and row[1] != "state")[1:4] == [
        *("finished", "2", "6")
    ]
    assert f"--dataroot {toy}" in out and "--niter 2" in out
