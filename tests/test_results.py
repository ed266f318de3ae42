"""What eval.py leaves behind: whole results of what was asked for, or the ones that were there."""

from __future__ import annotations

import csv
import json
import pathlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
import torchvision

import eval as evaluate
from data.augment import Jpeg, Transform
from data.contents import ContentRecord, content_hash
from evaluation import sweep
from evaluation.evaluation import Evaluation, Provenance
from evaluation.measure import Measuring
from evaluation.metrics_file import read_provenance
from evaluation.predictions import Scores, read_predictions, write_predictions
from evaluation.score_testsets import Job, Scored
from evaluation.suspicions import suspicions
from options.detector_source import default_name
from options.eval_options import EvalOptions
from options.parse import parse
from report.latex import latex
from report.pictures import applied
from report.tables import markdown, model_tables
from tests.conftest import write_image
from tests.test_tables import make_model, random_scores
from tests.toy_runs import load, run_training
from util.errors import Interrupted, Terminated, UsageError, WorkError
from util.files import atomic_folder

Run = Callable[..., pathlib.Path]


def save_weights(path: pathlib.Path, seed: int = 0, **more: object) -> pathlib.Path:
    torch.manual_seed(seed)
    network = torchvision.models.resnet18(num_classes=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": network.state_dict(), "arch": "resnet18", "crop_size": 32, **more}, path)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return save_weights(tmp_path_factory.mktemp("weights") / "mine.pth")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    root = tmp_path_factory.mktemp("images")
    for number, testset in enumerate(["progan", "san"] * 4):
        for label in ("0_real", "1_fake"):
            write_image(root / testset / label / f"{number}.png", 2 * number + (label < "1"))
    return root


@pytest.fixture
def run(weights: pathlib.Path, images: pathlib.Path, tmp_path: pathlib.Path) -> Run:
    """Run eval.py in this process on the fixtures; return the results' folder."""

    def call(*argv: object, model: object = weights, root: object = images) -> pathlib.Path:
        base = ["--results_dir", tmp_path, "--bootstrap", 0, "--thumbnails", "none"]
        if "--predictions" not in argv:
            base += ["--model_path", model, "--dataroot", root]
            base += ["--batch_size", 4, "--num_threads", 0]
        evaluate.main(parse(EvalOptions, list(map(str, [*base, *argv]))))
        return tmp_path

    return call


def metrics_of(folder: pathlib.Path) -> dict:
    metrics: dict = json.loads((folder / "metrics.json").read_text())
    return metrics


def test_results_are_named_for_the_run() -> None:
    assert default_name("checkpoints/demo/model_epoch_latest.pth") == "demo-latest"
    assert default_name("checkpoints/demo/model_epoch_best.pth") == "demo-best"
    assert default_name("a/demo/model_epoch_20.pth") == "demo-20"
    assert default_name("weights/blur_jpg_prob0.5.pth") == "blur_jpg_prob0.5"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--cropSize", 24], "crop_size"),
        (["--precision", "bf16"], "precision"),
        (["--reencode", "jpeg:90"], "reencode"),
        (["--testsets", "san"], "progan"),
        (["other weights"], "weights_sha256"),
        (["other images"], "other images"),
    ],
)
def test_other_results_are_refused_before_anything_is_scored(
    run: Run,
    tmp_path: pathlib.Path,
    images: pathlib.Path,
    weights: pathlib.Path,
    change: list,
    words: str,
) -> None:
    first = run("--name", "x") / "x"
    before = {p.name: p.read_bytes() for p in first.iterdir() if p.is_file()}
    cells = set(tmp_path.rglob("*.csv"))
    model, root = weights, images
    if change == ["other weights"]:
        model, change = save_weights(tmp_path / "other.pth", seed=1), []
    if change == ["other images"]:
        root, change = tmp_path / "copy", []
        shutil.copytree(images, root)
    with pytest.raises(UsageError, match=f"{words}.*--overwrite"):
        run("--name", "x", *change, model=model, root=root)
    assert {p.name: p.read_bytes() for p in first.iterdir() if p.is_file()} == before
    assert set(tmp_path.rglob("*.csv")) == cells
    run("--name", "x", "--overwrite", *change, model=model, root=root)
    assert metrics_of(first) != json.loads(before["metrics.json"])


def test_the_same_command_and_a_wider_one_replace_their_own_results(run: Run) -> None:
    folder = run("--name", "x", "--testsets", "san") / "x"
    assert metrics_of(folder)["partial"] == ["progan"]
    assert "Partial: 1 of the 2 test sets" in (folder / "table.md").read_text()
    assert "Partial: 1 of the 2 test sets" in (folder / "report.html").read_text()
    run("--name", "x", "--testsets", "san")
    run("--name", "x")
    assert metrics_of(folder)["partial"] == []
    assert "Partial" not in (folder / "table.md").read_text()


@pytest.mark.usefixtures("figures")
def test_no_file_of_earlier_results_stays_and_a_strangers_file_does(run: Run) -> None:
    options = ("--robustness", "--blur_sigmas", 1, "--jpeg_qualities", 90, "--rescale_factors", 1)
    folder = run("--name", "x", "--testsets", "san", *options) / "x"
    (folder / "notes.txt").write_text("mine")
    (folder / "figures/own.txt").write_text("mine, too")
    assert (folder / "robustness.csv").exists()
    with pytest.raises(UsageError, match="further levels of blur"):
        run("--name", "x", "--testsets", "san")
    run("--name", "x", "--testsets", "san", "--overwrite")
    assert not (folder / "robustness.csv").exists()
    assert not (folder / "figures/robustness_blur.png").exists()
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "figures/own.txt").read_text() == "mine, too"


@pytest.mark.parametrize("error", [KeyboardInterrupt, Terminated])
def test_a_stopped_sweep_leaves_the_old_results_whole(
    run: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, error: type
) -> None:
    folder = run("--name", "x", "--testsets", "san") / "x"
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    score = sweep.score_testsets

    def stop(jobs: list[Job], *more: Any) -> Iterator[list[Scored]]:  # noqa: ANN401
        for job, scored in zip(jobs, score(jobs, *more), strict=True):
            if job.name == "san":
                raise error
            yield scored

    with monkeypatch.context() as patch:
        patch.setattr(sweep, "score_testsets", stop)
        with pytest.raises(Interrupted, match=r"kept in .*\.scores.*as it was.*same") as stopped:
            run("--name", "x")
    expected = signal.SIGTERM if error is Terminated else signal.SIGINT
    assert stopped.value.exit_code == 128 + expected
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    assert not list(tmp_path.glob(".x.*"))
    run("--name", "x")
    assert set(metrics_of(folder)["testsets"]) == {"progan", "san"}


def test_a_folder_is_replaced_in_one_step_or_not_at_all(tmp_path: pathlib.Path) -> None:
    old = tmp_path / "out"
    old.mkdir()
    (old / "a.csv").write_text("old")
    with pytest.raises(WorkError, match="could not be written"):  # noqa: SIM117
        with atomic_folder(str(old), lambda path: True) as new:
            pathlib.Path(new, "a.csv").write_text("new")
            raise OSError("disk full")
    assert [(p.name, p.read_text()) for p in old.iterdir()] == [("a.csv", "old")]
    with atomic_folder(str(old), lambda path: True) as new:
        pathlib.Path(new, "b.csv").write_text("new")
    assert [(p.name, p.read_text()) for p in old.iterdir()] == [("b.csv", "new")]
    assert list(tmp_path.iterdir()) == [old]


def test_broken_metrics_are_named(run: Run) -> None:
    folder = run("--name", "x", "--testsets", "san") / "x"
    for text in ("{", "[]", '{"a": 1}'):
        (folder / "metrics.json").write_text(text)
        with pytest.raises(UsageError, match=r"metrics\.json: not the metrics"):
            run("--predictions", folder / "predictions.csv", "--name", "again")


def test_a_test_set_called_mean_is_refused(run: Run, tmp_path: pathlib.Path) -> None:
    write_image(tmp_path / "test/mean/0_real/a.png", 1)
    write_image(tmp_path / "test/mean/1_fake/a.png", 2)
    with pytest.raises(UsageError, match="'mean'"):
        run(root=tmp_path / "test")
    scores = {"mean": Scores(["a", "b"], np.array([0, 1], np.uint8), np.array([0.0, 1.0]))}
    write_predictions(str(tmp_path / "p.csv"), scores)
    with pytest.raises(UsageError, match="'mean'"):
        run("--predictions", tmp_path / "p.csv")


def test_a_threshold_is_learned_on_other_images_of_the_same_protocol(
    run: Run, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("--testsets", "progan", "--name", "held-out")
    held_out = tmp_path / "held-out/predictions.csv"
    with pytest.raises(UsageError, match=r"progan/0_real/0\.png is one of the test sets' own"):
        run("--name", "x", "--calibrate_on", held_out)
    with pytest.raises(UsageError, match="another crop_size"):
        run("--testsets", "san", "--cropSize", 24, "--name", "x", "--calibrate_on", held_out)
    capsys.readouterr()
    run("--testsets", "san", "--name", "x", "--calibrate_on", held_out)
    told = capsys.readouterr().out
    threshold = json.loads((tmp_path / "x/threshold.json").read_text())
    assert threshold["precision"] == "fp32"
    assert f"threshold: logit {threshold['threshold']:.4f}" in told
    assert "| test set | accuracy |" in told
    file = tmp_path / "x/threshold.json"
    assert f"--threshold {file} --cropSize 32 PATH..." in told
    shutil.copy(held_out, tmp_path / "bare.csv")
    run("--testsets", "san", "--name", "y", "--calibrate_on", tmp_path / "bare.csv")
    assert "no metrics.json beside it" in capsys.readouterr().err


def test_a_robustness_sweep_ends_with_a_short_table(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    levels = ("--blur_sigmas", "1.000001,1.0000012", "--jpeg_qualities", 90)
    folder = run(*levels, "--rescale_factors", 1, "--robustness", "--testsets", "san") / "mine"
    assert "| AP under | blur 1.000001 | blur 1.0000012 | jpeg 90 | rescale 1 |" in (
        capsys.readouterr().out
    )
    rows = list(csv.DictReader((folder / "robustness.csv").open()))
    assert [row["level"] for row in rows] == ["1.000001", "1.0000012", "90", "1"]
    cells = {path.stem for path in folder.parent.glob(".scores/*/san/*.csv")}
    assert {"blur_1.000001", "blur_1.0000012", "jpeg_90", "plain"} <= cells


def test_the_pictures_show_what_was_scored(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Sequence[Transform]] = []
    monkeypatch.setattr(
        "report.thumbnails.applied", lambda its, image: (shown.append(its), applied(its, image))[1]
    )
    flags = ("--thumbnails", "all")
    folder = run("--testsets", "san", "--reencode", "jpeg:40", "--name", "x", *flags) / "x"
    run("--predictions", folder / "predictions.csv", "--name", "y", *flags)
    assert all(Jpeg(1.0, (40,), ("pil",)) in transforms for transforms in shown)
    assert len(shown) == 2 * 8


def test_pictures_of_earlier_results_go_with_them(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("report.thumbnails.EMBEDDED", 0)
    flags = ("--testsets", "san", "--thumbnails")
    folder = run(*flags, "all") / "mine"
    (folder / "thumbnails/notes.txt").write_text("mine")
    assert len(list((folder / "thumbnails").glob("*.png"))) == 8
    run(*flags, "none")
    assert [path.name for path in (folder / "thumbnails").iterdir()] == ["notes.txt"]


def test_metrics_say_when_by_what_and_how_the_weights_were_trained(
    run: Run, tmp_path: pathlib.Path
) -> None:
    made_from = {"options": {"seed": 7, "dataroot": "d"}, "data": {"train": "abc of 2 real"}}
    model = save_weights(tmp_path / "told.pth", made_from=made_from, total_steps=12)
    folder = run("--testsets", "san", "--name", "x", model=model) / "x"
    told = metrics_of(folder)
    assert set(told["made"]) == {"at", "command", "git_commit", "python", "packages"}
    assert told["trained"] == {
        **{"data": {"train": "abc of 2 real"}, "dataroot": "d", "seed": 7, "steps": 12}
    }
    page = (folder / "report.html").read_text()
    assert "abc of 2 real" in page
    assert told["made"]["at"] in page
    run("--predictions", folder / "predictions.csv", "--name", "y")
    assert metrics_of(folder.parent / "y")["made"] == told["made"]


def scores_of(labels: list[int], logits: list[float]) -> Scores:
    names = [f"{number}.png" for number in range(len(labels))]
    return Scores(names, np.array(labels, np.uint8), np.array(logits))


def suspected(labels: list[int], logits: list[float]) -> list[str]:
    evaluation = Evaluation("m", Provenance(), Measuring(bootstrap=0))
    evaluation.add("s", scores_of(labels, logits))
    return suspicions(evaluation)


def test_a_set_of_one_verdict_and_a_ranking_upside_down_are_told() -> None:
    half = [0] * 100 + [1] * 100
    rising = np.linspace(-3, -0.1, 200).tolist()
    assert suspected(half, [*rising[:-2], 1.0, 2.0]) == [
        "s: 99 % of the images are called real; other weights, or another crop, may be meant"
    ]
    assert suspected(half, [*rising[:-3], 1.0, 2.0, 3.0]) == []
    (told,) = suspected(half, [-x - 1 for x in rising])
    assert told == "s: AUROC is 0.000; are the labels swapped?"
    assert suspected([1, 1], [1.0, 2.0]) == []


def test_padded_images_are_told_in_table_page_and_metrics(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "8 of 8 images are smaller than the crop of 64"
    for name in ("first", "kept"):  # scored, then from the scores that were kept
        folder = run("--testsets", "san", "--cropSize", 64, "--name", name) / name
        assert words in capsys.readouterr().err
        assert words in (folder / "table.md").read_text()
        assert words in (folder / "report.html").read_text()
        assert any(words in text for text in metrics_of(folder)["warnings"])
    run("--testsets", "san", "--cropSize", 40, "--name", "fits")
    assert "smaller than the crop" not in capsys.readouterr().err


def test_images_that_the_weights_were_trained_on_are_told(
    run: Run, images: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = ContentRecord()
    record.add(content_hash(path.read_bytes()) for path in (images / "san/0_real").iterdir())
    model = save_weights(tmp_path / "trained.pth", trained_on=record.state())
    for name in ("first", "kept"):
        folder = run("--name", name, model=model) / name
        told = capsys.readouterr().err
        assert "san: 4 of the 8 images looked up are among those that the weights" in told
        assert "progan: 4" not in told
        assert metrics_of(folder)["seen_in_training"] == {"san": [4, 8]}


def test_a_record_of_many_images_is_a_sample_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.contents.MAX_RECORDED", 100)
    contents = [content_hash(str(number).encode()) for number in range(1000)]
    record = ContentRecord()
    record.add(contents[:500])
    assert record.rate in (8, 16)
    assert len(record.keys) <= 100
    again = ContentRecord(record.state())
    found, looked_up = again.look_up(contents[:500])
    assert found == looked_up == len(record.keys)
    assert again.look_up(contents[500:])[0] == 0
    other = ContentRecord()
    other.add(contents[500:510])
    other.merge(again)
    found, looked_up = other.look_up(contents[:510])
    assert (found, other.rate) == (looked_up, again.rate)


BREAKS = ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("line_break", BREAKS)
def test_a_line_break_in_a_name_breaks_no_table(line_break: str) -> None:
    name = f"a{line_break}\\immediate\\write18{{x}}"
    named = make_model({name: random_scores(1)}, name)
    named.provenance.predictions = name
    for line in latex([named]).splitlines():
        assert not line.startswith("\\immediate")
        assert line.startswith("%") or "textbackslash" in line or "immediate\\write18" not in line
    for table in model_tables(named, ""):
        lines = markdown(table).splitlines()
        assert len(lines) == 2 + len(table.cells)
        assert all(line.startswith("| ") for line in lines)


def test_sigterm_is_answered_as_ctrl_c_is() -> None:
    code = (
        "import os, signal, time\nfrom util import errors\n"
        "def main():\n os.kill(os.getpid(), signal.SIGTERM)\n time.sleep(60)\nerrors.run(main)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (143, "-c: stopped by SIGTERM\n")


def test_a_trained_checkpoint_says_what_it_has_seen(
    toy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    folder = run_training(toy, tmp_path, "--niter", 1)
    contents = [content_hash(path.read_bytes()) for path in (toy / "train").rglob("*.png")]
    assert ContentRecord(load(folder)["trained_on"]).look_up(contents) == (24, 24)
    tuned = run_training(
        *(toy, tmp_path, "--name", "tuned", "--niter", 1, "--classes", "cat"),
        *("--init", folder / "model_epoch_best.pth"),
    )
    assert ContentRecord(load(tuned)["trained_on"]).look_up(contents) == (24, 24)
    val = [content_hash(path.read_bytes()) for path in (toy / "val").rglob("*.png")]
    assert ContentRecord(load(tuned)["trained_on"]).look_up(val) == (0, 8)


@pytest.mark.parametrize(
    "text",
    [
        '{"testsets": {}, "seen_in_training": [1]}',
        '{"testsets": {}, "robustness": null}',
        '{"testsets": {}, "unreadable": 3}',
        '{"testsets": {}, "roots": 7}',
        '{"testsets": {}, "crop_size": "large"}',
        '{"models": []}',
    ],
)
def test_a_metrics_json_of_another_shape_is_named(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(UsageError, match=r"metrics\.json: not the metrics\.json of an evaluation"):
        read_provenance(str(tmp_path / "predictions.csv"))


def test_scores_of_a_model_take_no_name_of_a_results_file(tmp_path: pathlib.Path) -> None:
    sets = {"san": random_scores(1)}
    files = [tmp_path / "table.csv", tmp_path / "robustness.csv", tmp_path / "b/predictions.csv"]
    for file in files:
        write_predictions(str(file), sets)
    argv = ["--predictions", *map(str, files), "--results_dir", str(tmp_path), "--name", "r"]
    assert evaluate.main(parse(EvalOptions, [*argv, "--bootstrap", "0"])) == 0
    models = metrics_of(tmp_path / "r")["models"]
    assert len(models) == 3
    for name in models:
        assert read_predictions(str(tmp_path / f"r/{name}.csv"))["san"].paths == sets["san"].paths
    assert (tmp_path / "r/table.csv").read_text().startswith("model,testset,")
    assert not (tmp_path / "r/robustness.csv").exists()
