"""What fine-tuning gained and forgot: read from left to right, before and after."""

from __future__ import annotations

import csv
import json
import pathlib

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

import train
from evaluation.measure import Difference, Estimate, Lead
from evaluation.predictions import read_predictions
from networks.detector import Detector
from networks.normalize import normalize
from report.before_after import changes
from tests.conftest import write_image
from tests.tolerances import assert_as_exact, exact_logits, near
from tests.toy_runs import RESNET, run_training
from util.errors import UsageError


def make_testsets(root: pathlib.Path, *names: str) -> str:
    """Write test sets, each in a folder of its own; return what --testroots takes."""
    for name in names:
        for number in range(6):
            for label in ("0_real", "1_fake"):
                path = root / name / "test" / name / label / f"{number}.png"
                write_image(path, number + 10 * len(label), (40, 40))
    return ",".join(str(root / name / "test") for name in names)


@pytest.mark.usefixtures("figures")
def test_what_was_gained_and_forgotten_is_told(
    toy: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    roots = make_testsets(tmp_path, "new", "progan")
    init = run_training(toy, tmp_path, *RESNET, "--max_steps", 1) / "model_epoch_best.pth"
    fine = (*RESNET, "--name", "fine", "--init", init, "--niter", 2, "--lr", 1e-2)
    flags = (*fine, "--testroots", roots)
    with pytest.raises(UsageError, match="nowhere: no such folder"):  # before it trains
        run_training(toy, tmp_path, *flags[:-1], f"{roots},{tmp_path / 'nowhere'}")
    with pytest.raises(UsageError, match="--testroots: two test sets are called new"):
        run_training(toy, tmp_path, *flags[:-1], f"{roots},{tmp_path / 'new/test'}")
    assert not (tmp_path / "fine").exists()
    folder = run_training(toy, tmp_path, *flags)
    report = folder / "before_after"
    rows = list(csv.DictReader((report / "comparison.csv").open()))
    assert [row["testset"] for row in rows] == ["progan", "new", "mean"]
    assert {(row["first"], row["second"]) for row in rows} == {("after", "before")}
    table = list(csv.DictReader((report / "table.csv").open()))
    assert [row["model"] for row in table] == ["before"] * 3 + ["after"] * 3
    for row, before, after in zip(rows, table[:3], table[3:], strict=True):
        difference = float(after["ap"]) - float(before["ap"])
        assert float(row["difference"]) == near(difference, 1.6e-6, "three figures of 6 decimals")
    for name, weights in (("after", folder / "model_epoch_best.pth"), ("before", init)):
        mine = read_predictions(str(folder / f"before_after/{name}.csv"))
        for testset, scores in mine.items():
            network = torchvision.models.resnet18(num_classes=1).eval()
            network.load_state_dict(torch.load(weights, weights_only=True)["model"])
            pixels = [
                np.asarray(Image.open(tmp_path / testset / "test" / testset / path))[4:36, 4:36]
                for path in scores.paths
            ]
            images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
            with torch.no_grad():
                plain = network(normalize(images))
            assert_as_exact(scores.logits, plain, exact_logits(network, normalize(images)))
    said = capsys.readouterr().out
    headings = next(line for line in said.splitlines() if "after minus before" in line)
    assert headings.index("before AP") < headings.index("after AP")
    told = (
        "significant changes of AP (95 % paired bootstrap), after minus before, in points; gained"
    )
    assert told in said
    assert (folder / "before_after/figures/performance.png").stat().st_size > 1000
    weights_before = (folder / "model_epoch_best.pth").read_bytes()
    run_training(toy, tmp_path, *flags, "--continue_train")
    said = capsys.readouterr().out
    assert "this run is finished" in said
    assert "after minus before" in said  # the table again, from the scores that were kept
    assert (folder / "model_epoch_best.pth").read_bytes() == weights_before


def test_changes_are_those_whose_interval_excludes_zero() -> None:
    lines = [
        Difference(name, {"ap": Lead(0.5 + d, 0.5, Estimate(d, d - 0.1, d + 0.1))})
        for name, d in (("a", 0.2), ("b", 0.05), ("c", -0.3), ("d", 0.4), ("mean", 0.5))
    ]
    assert changes(lines).endswith("gained: d +40.0, a +20.0; lost: c -30.0")
    assert changes(lines[1:2]).endswith("gained: nothing; lost: nothing")
    without = Difference("a", {"ap": Lead(0.7, 0.5, Estimate(0.2))})  # too few for an interval
    assert changes([without]).endswith("gained: nothing; lost: nothing")


def test_some_of_the_test_sets_are_scored_and_explained_for_both_networks(
    toy: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    roots = make_testsets(tmp_path, "new", "progan", "san")
    init = run_training(toy, tmp_path, "--max_steps", 1) / "model_epoch_best.pth"
    flags = ("--name", "fine", "--init", init, "--max_steps", 1, "--testroots", roots)
    with pytest.raises(UsageError, match=r"--testsets: no crn in .*; they hold new, progan, san"):
        run_training(toy, tmp_path, *flags, "--testsets", "san,crn")
    assert not (tmp_path / "fine").exists()
    explained: dict[str, int] = {}

    def look(detector: Detector, image: torch.Tensor, *, threshold: float) -> object:
        explained[detector.weights] = explained.get(detector.weights, 0) + 1
        return np.zeros(image.shape[1:])

    monkeypatch.setattr(train, "gradcam", look)
    folder = run_training(toy, tmp_path, *flags, "--testsets", "san,new", "--gradcam")
    report, best = folder / "before_after", str(folder / "model_epoch_best.pth")
    wrong = {
        weights: sum(
            int(((its.logits > 0) != (its.labels == 1)).sum())
            for its in read_predictions(str(report / f"{name}.csv")).values()
        )
        for name, weights in (("before", str(init)), ("after", best))
    }
    assert set(explained) == {weights for weights, count in wrong.items() if count}
    metrics = json.loads((report / "metrics.json").read_text())
    assert list(metrics["models"]) == ["before", "after"]
    for its in metrics["models"].values():
        assert (list(its["testsets"]), its["partial"]) == (["san", "new"], ["progan"])
    assert (report / "report.html").stat().st_size > 10_000
    explained.clear()
    run_training(toy, tmp_path, *flags, "--testsets", "san", "--continue_train")
    assert not explained
    metrics = json.loads((report / "metrics.json").read_text())
    assert list(metrics["models"]["after"]["testsets"]) == ["san"]
