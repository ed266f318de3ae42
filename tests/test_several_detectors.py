"""Several detectors in one command, an ensemble of them, and images as they are and aligned."""

from __future__ import annotations

import csv
import functools
import json
import pathlib
import shutil

import numpy as np
import pytest
import scipy.optimize
import sklearn.metrics
import torch
from scipy.special import expit, log_expit, logit

from evaluation.ensemble import mean_scores
from evaluation.predictions import Scores, read_predictions
from evaluation.thresholds import calibrate, platt_scaling
from networks.create import create_network
from options.detector_source import DetectorSource, detector_names, detector_sources
from options.eval_options import EvalOptions
from options.parse import parse
from options.predict_options import PredictOptions
from tests.conftest import Script, assert_wrong_usage
from tests.tolerances import near, written

Row = dict[str, str]


def rows_of(path: pathlib.Path) -> list[Row]:
    return list(csv.DictReader(path.open()))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, toy: pathlib.Path) -> pathlib.Path:
    """Two networks of ours, and a file as NPR's authors released it, all of random weights."""
    folder = tmp_path_factory.mktemp("home")
    for seed, name in enumerate(("one", "two")):
        torch.manual_seed(seed)
        network = create_network("mobilenet_v3_small")
        torch.nn.init.normal_(network.get_submodule("classifier.3").weight)
        content = {"model": network.state_dict(), "arch": "mobilenet_v3_small", "crop_size": 32}
        torch.save(content, folder / f"{name}.pth")
    torch.manual_seed(2)
    state = create_network("resnet50_2stages").state_dict()
    released = {f"module.{key.replace('fc.', 'fc1.')}": value for key, value in state.items()}
    torch.save({"model": released, "total_steps": 1}, folder / "NPR.pth")
    return folder


@pytest.fixture
def sweep(script: Script, toy: pathlib.Path, home: pathlib.Path, tmp_path: pathlib.Path) -> Script:
    """Run eval.py on the toy's test sets, into the test's folder."""
    base = ("eval.py", "--dataroot", toy / "test", "--results_dir", tmp_path, "--bootstrap", 50)
    return functools.partial(script, *base)


def test_several_give_what_each_gives_alone(
    home: pathlib.Path, sweep: Script, tmp_path: pathlib.Path
) -> None:
    one, two, npr = (
        ("--model_path", home / "one.pth"),
        ("--model_path", home / "two.pth"),
        ("--detector", f"npr:{home / 'NPR.pth'}"),
    )
    for alone in (one, two, npr):
        result = sweep(*alone)
        assert result.returncode == 0, result.stderr
    shutil.rmtree(tmp_path / ".scores")  # what is kept would hide what one pass computes
    result = sweep(*one, *npr, *two)
    assert result.returncode == 0, result.stderr
    names = ("one", "two", "npr-NPR")
    together = tmp_path / "one_vs_two_vs_npr-NPR"
    table = rows_of(together / "table.csv")
    for name in names:
        own = [
            {k: v for k, v in row.items() if k != "model"} for row in table if row["model"] == name
        ]
        assert own == rows_of(tmp_path / name / "table.csv")
        ours = (together / f"{name}.csv").read_bytes()
        assert ours == (tmp_path / name / "predictions.csv").read_bytes()

    metrics = json.loads((together / "metrics.json").read_text())["models"]
    assert metrics["npr-NPR"]["crop_size"] is None  # its authors score whole images
    assert metrics["one"]["crop_size"] == 32
    assert metrics["npr-NPR"]["parameters"] == 1_437_761
    assert all(its["images_per_second"] > 0 for its in metrics.values())

    shown = result.stdout.split("| rank ")[1].splitlines()
    places = [line.split("|")[1:3] for line in shown[2:5]]
    means = {n: float(r["ap"]) for r in table if r["testset"] == "mean" for n in [r["model"]]}
    best_first = sorted(names, key=lambda name: -means[name])
    assert [(rank.strip(), name.strip()) for rank, name in places] == [
        (str(number), name) for number, name in enumerate(best_first, start=1)
    ]
    assert "one minus npr-NPR" in result.stdout
    again = sweep(*one, *npr, *two)
    assert "nothing was scored anew" in again.stdout
    assert rows_of(together / "table.csv") == table


def test_several_crops_of_whole_images_are_refused(home: pathlib.Path, sweep: Script) -> None:
    npr = ("--detector", f"npr:{home / 'NPR.pth'}", "--crops", 5)
    assert_wrong_usage(sweep(*npr), "--crops 5", "npr", "--cropSize")
    assert sweep(*npr, "--cropSize", 32).returncode == 0


def test_an_ensemble_is_the_mean_of_calibrated_probabilities(
    home: pathlib.Path, sweep: Script, toy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    both = ("--model_path", home / "one.pth", "--model_path", home / "two.pth")
    result = sweep(*both, "--calibrate_on", toy / "val", "--ensemble", "--name", "both")
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "both"
    parts, probabilities = [], []
    for name in ("one", "two"):
        scores = read_predictions(str(folder / f"{name}.csv"))["progan"]
        learned = json.loads((folder / f"{name}.threshold.json").read_text())
        assert learned["calibrated_on"] == str(toy / "val")
        parts.append(scores)
        probabilities.append(expit(learned["scale"] * scores.logits + learned["shift"]))
    ensemble = read_predictions(str(folder / "ensemble.csv"))["progan"]
    assert ensemble.paths == parts[0].paths
    mean = (probabilities[0] + probabilities[1]) / 2
    assert expit(ensemble.logits) == near(mean, 1e-8, "the files hold 9 digits of a logit")
    (row,) = (
        row
        for row in rows_of(folder / "table.csv")
        if (row["model"], row["testset"]) == ("ensemble", "progan")
    )
    ap = sklearn.metrics.average_precision_score(ensemble.labels, mean)
    assert float(row["ap"]) == written(ap, 6)
    assert row["calibrated_accuracy"] == ""  # it has no threshold of its own
    assert f"--threshold {folder}/one.threshold.json" in result.stdout
    assert (
        sweep(*both, "--calibrate_on", toy / "val", "--ensemble", "--name", "both").returncode == 0
    )


def test_platt_scaling_has_the_highest_likelihood() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat((0, 1), (40, 25)).astype(np.uint8)
    for logits in (rng.normal(3 * labels - 2.0, 2.0), 50.0 * labels + 7):  # the second separable
        target = np.where(labels == 1, 26 / 27, 1 / 42)

        def loss(at: np.ndarray, logits: np.ndarray = logits, target: np.ndarray = target) -> float:
            z = at[0] * logits + at[1]
            return -float(np.sum(target * log_expit(z) + (1 - target) * log_expit(-z)))

        scale, shift = platt_scaling(labels, logits)
        best = scipy.optimize.minimize(loss, np.array([scale, shift]), method="Nelder-Mead")
        assert loss(np.array([scale, shift])) <= best.fun * (1 + 1e-6)
        assert np.isfinite((scale, shift)).all()
        assert scale > 0


def test_the_mean_is_over_the_images_that_all_have_scored() -> None:
    labels = np.array([0, 1, 1], np.uint8)
    first = Scores(["a", "b", "c"], labels, np.array([-1.0, 40.0, 2.0]))
    second = Scores(["a", "c"], labels[[0, 2]], np.array([1.0, 0.0]))
    unchanged = calibrate(labels, np.array([-1.0, 1.0, 1.0]), None, calibrated_on="x")
    plain = [None, None]
    mean = mean_scores([first, second], plain)
    assert mean.paths == ["a", "c"]
    assert mean.labels.tolist() == [0, 1]
    wanted = [(expit(-1) + expit(1)) / 2, (expit(2) + 0.5) / 2]
    assert mean.logits == near(logit(wanted), 1e-12, "two sums in another order")
    sure = mean_scores([first, first], plain)
    assert np.isfinite(sure.logits).all()
    assert unchanged.calibrated(np.array([0.0])) == [unchanged.shift]


def test_aligned_columns_are_those_of_images_reencoded(
    home: pathlib.Path, sweep: Script, tmp_path: pathlib.Path
) -> None:
    which = ("--model_path", home / "one.pth")
    aligned = sweep(*which, "--aligned", "jpeg:60", "--name", "aligned")
    reencoded = sweep(*which, "--reencode", "jpeg:60", "--name", "reencoded")
    assert aligned.returncode == reencoded.returncode == 0, aligned.stderr + reencoded.stderr
    rows = rows_of(tmp_path / "aligned/table.csv")
    for row, other in zip(rows, rows_of(tmp_path / "reencoded/table.csv"), strict=True):
        for metric in ("ap", "accuracy", "auroc", "brier"):
            assert row[f"aligned_{metric}"] == other[metric]
        assert float(row["aligned_ap_change"]) == written(float(other["ap"]) - float(row["ap"]), 5)
        assert float(row["aligned_ap_change_low"]) <= float(row["aligned_ap_change"])
    assert any(row["aligned_ap"] != row["ap"] for row in rows)
    text = (tmp_path / "aligned/table.md").read_text()
    assert "As they are against re-encoded" in text
    assert "As they are against re-encoded" in (tmp_path / "aligned/report.html").read_text()

    # the same table again, from the scores alone
    again = sweep("--predictions", tmp_path / "aligned/predictions.csv", "--name", "again")
    assert again.returncode == 0, again.stderr
    assert rows_of(tmp_path / "again/table.csv") == rows
    lost = sweep(*which, "--name", "aligned")
    assert_wrong_usage(lost, "aligned.csv", "--aligned")


def test_fakes_alone_are_reencoded(
    home: pathlib.Path, sweep: Script, toy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    which = ("--model_path", home / "one.pth")
    logits = {}
    for name, encoder in (("plain", ()), ("all", ("jpeg:60",)), ("fakes", ("jpeg:60@fake",))):
        result = sweep(*which, "--name", name, *(("--reencode", *encoder) if encoder else ()))
        assert result.returncode == 0, result.stderr
        logits[name] = read_predictions(str(tmp_path / name / "predictions.csv"))["biggan"]
    real = logits["plain"].labels == 0
    wanted = np.where(real, logits["plain"].logits, logits["all"].logits)
    assert logits["fakes"].logits.tolist() == wanted.tolist()
    assert (logits["all"].logits[real] != logits["plain"].logits[real]).any()
    assert "fakes alone first re-encoded as jpeg:60" in (tmp_path / "fakes/table.md").read_text()


def test_an_image_of_both_labels_cannot_be_treated_by_label(
    home: pathlib.Path, script: Script, toy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    shutil.copytree(toy / "test/biggan", tmp_path / "root/biggan")
    some = next((tmp_path / "root/biggan/0_real").iterdir())
    shutil.copy(some, tmp_path / "root/biggan/1_fake/twice.png")
    base = ("eval.py", "--model_path", home / "one.pth", "--dataroot", tmp_path / "root")
    result = script(*base, "--results_dir", tmp_path, "--reencode", "jpeg:60@fake")
    assert result.returncode == 2
    assert "is among the real and among the fake images" in result.stderr.splitlines()[-1]
    assert "twice.png" in result.stderr
    assert script(*base, "--results_dir", tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--detector univfd", ["--detector univfd", "needs its file"]),
        ("--detector nobody:w.pth", ["--detector", "univfd"]),
        ("--detector univfd:", ["--detector", "must name a file"]),
        (
            "--model_path a --model_path b --detector univfd",
            ["--detector univfd", "needs its file"],
        ),
        ("--detector npr:a --ensemble --calibrate_on x", ["--ensemble", "several"]),
        ("--detector npr:a --detector safe:b --ensemble", ["--ensemble", "--calibrate_on"]),
        ("--detector npr:a --aligned png", ["--aligned", "jpeg"]),
        ("--detector npr:a --aligned jpeg:9 --reencode png", ["--aligned", "--reencode"]),
        ("--detector npr:a --reencode png@fake", ["--reencode"]),
        ("--detector npr:a --resize 0x9", ["--resize"]),
    ],
)
def test_wrong_detectors_are_one_line(
    line: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        parse(EvalOptions, ["--dataroot", "d", *line.split()])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    for word in words:
        assert word in said


def test_what_is_asked_for_is_what_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    assert detector_sources(["a.pth"], ["univfd"]) == [DetectorSource("a.pth", "univfd")]
    assert detector_sources(["a.pth"], ["univfd:b.pth,c.bin", "npr:d"]) == [
        DetectorSource("a.pth"),
        DetectorSource("b.pth", "univfd", "c.bin"),
        DetectorSource("d", "npr"),
    ]
    sources = detector_sources(
        ["x/run/model_epoch_best.pth", "y/w.pth", "z/w.pth"], ["npr:q/w.pth"]
    )
    assert detector_names(sources) == ["run-best", "w", "w (2)", "npr-w"]
    with pytest.raises(SystemExit):
        parse(PredictOptions, ["--model_path", "a", "--detector", "npr:b", "image.png"])
    assert "exclude each other" in capsys.readouterr().err
