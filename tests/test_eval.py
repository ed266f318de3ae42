"""eval.py and predict.py against a plain loop written independently of them."""

from __future__ import annotations

import csv
import json
import pathlib
import shutil

import numpy as np
import pytest
import sklearn.metrics
import torch
import torchvision
from PIL import Image, ImageOps

from tests.conftest import Script, assert_wrong_usage, write_image

CROP = 48


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A ResNet-50 whose logits differ between images, in the published layout."""
    torch.manual_seed(0)
    network = torchvision.models.resnet50(num_classes=1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    path = tmp_path_factory.mktemp("weights") / "published.pth"
    torch.save({"model": network.state_dict(), "optimizer": {}, "total_steps": 1}, path)
    return path


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Test sets with every kind of file: endings, modes, sizes below and above the crop."""
    root = tmp_path_factory.mktemp("sweep")
    sizes = [(64, 60), (20, 70), (47, 31), (48, 48), (90, 49), (33, 33)]
    number = 0
    for folder in ("progan/cat", "progan/dog", "san", "zeta set"):
        for label in ("0_real", "1_fake"):
            for size in sizes:
                number += 1
                ending = ("png", "JPG", "bmp", "jpeg")[number % 4]
                write_image(root / folder / label / f"a b:{number}.x.{ending}", number, size)
    for number, mode in enumerate(("L", "P", "RGBA", "LA")):
        path = root / f"san/{('0_real', '1_fake')[number % 2]}/{mode}.png"
        write_image(path, 100 + number, (60, 50))
        Image.open(path).convert(mode).save(path)
    (root / "san/0_real/._hidden.png").write_bytes(b"no image")
    return root


def plain_logit(path: pathlib.Path, network: torch.nn.Module, crop: int | None) -> float:
    """The protocol in a few lines that share nothing with the project."""
    image = Image.open(path).convert("RGB")
    if crop:
        width, height = image.size
        border = [max(crop - width, 0), max(crop - height, 0)]
        left, top = border[0] // 2, border[1] // 2
        image = ImageOps.expand(image, (left, top, border[0] - left, border[1] - top))
        x, y = (round((side - crop) / 2) for side in image.size)
        image = image.crop((x, y, x + crop, y + crop))
    pixels = torch.tensor(np.array(image), dtype=torch.float32).permute(2, 0, 1) / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    pixels = (pixels - mean[:, None, None]) / std[:, None, None]
    with torch.no_grad():
        return float(network(pixels[None]))


@pytest.mark.parametrize("protocol", ["crop", "no_crop"])
def test_scores_and_tables_are_those_of_a_plain_loop(
    weights: pathlib.Path,
    sweep: pathlib.Path,
    tmp_path: pathlib.Path,
    script: Script,
    protocol: str,
) -> None:
    choice = ["--no_crop"] if protocol == "no_crop" else ["--cropSize", CROP]
    result = script(
        *("eval.py", "--model_path", weights, "--dataroot", sweep, "--results_dir", tmp_path),
        *("--batch_size", 5, "--num_threads", 1, *choice),
    )
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "published"

    network = torchvision.models.resnet50(num_classes=1)
    network.load_state_dict(torch.load(weights, weights_only=True)["model"])
    network.eval()
    rows = list(csv.DictReader((folder / "predictions.csv").open()))
    files = {p for p in sweep.rglob("*") if p.is_file() and not p.name.startswith(".")}
    assert {sweep / row["testset"] / row["path"] for row in rows} == files
    keys = [(row["testset"], row["path"]) for row in rows]
    assert keys == sorted(keys)
    for row in rows:
        crop = CROP if protocol == "crop" else None
        expected = plain_logit(sweep / row["testset"] / row["path"], network, crop)
        assert float(row["logit"]) == pytest.approx(expected, abs=1e-4)
        assert float(row["probability"]) == pytest.approx(1 / (1 + np.exp(-expected)), abs=1e-4)
        assert row["label"] == str(int("1_fake" in row["path"]))

    table = list(csv.DictReader((folder / "table.csv").open()))
    assert [row["testset"] for row in table] == ["progan", "san", "zeta set", "mean"]
    for row in table[:-1]:
        mine = [r for r in rows if r["testset"] == row["testset"]]
        labels = np.array([int(r["label"]) for r in mine])
        logits = np.array([float(r["logit"]) for r in mine])
        assert (int(row["num_real"]), int(row["num_fake"])) == (sum(labels == 0), sum(labels))
        ap = sklearn.metrics.average_precision_score(labels, logits)
        accuracy = sklearn.metrics.accuracy_score(labels, logits > 0)
        assert float(row["ap"]) == pytest.approx(ap, abs=1e-6)
        assert float(row["accuracy"]) == pytest.approx(accuracy, abs=1e-6)
    mean = (float(table[0]["ap"]) + float(table[1]["ap"])) / 2  # zeta is none of the eleven
    assert float(table[-1]["ap"]) == pytest.approx(mean, abs=1.1e-6)
    assert (folder / "table.md").read_text() in result.stdout
    assert str(folder) in result.stdout.splitlines()[-1]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["crop_size"] == (CROP if protocol == "crop" else None)
    assert set(metrics["testsets"]) == {"progan", "san", "zeta set"}


def test_tables_are_made_again_from_predictions(
    weights: pathlib.Path, sweep: pathlib.Path, tmp_path: pathlib.Path, script: Script
) -> None:
    script(
        *("eval.py", "--model_path", weights, "--dataroot", sweep, "--results_dir", tmp_path),
        *("--name", "first", "--testsets", "san,progan", "--cropSize", CROP),
    )
    first = tmp_path / "first"
    again = script(
        *("eval.py", "--predictions", first / "predictions.csv", "--results_dir", tmp_path),
        *("--name", "second"),
    )
    assert again.returncode == 0, again.stderr
    for name in ("predictions.csv", "table.csv", "table.md", "metrics.json"):
        assert (tmp_path / "second" / name).read_text() == (first / name).read_text()
    beside = script(
        *("eval.py", "--predictions", first / "predictions.csv", "--results_dir", tmp_path),
        *("--published", "blur_jpg_prob0.5"),
    )
    assert "63.90" in beside.stdout  # SAN's published AP
    arguments = ("eval.py", "--predictions", first / "predictions.csv", "--name", "third")
    script(*arguments, "--results_dir", tmp_path, "--testsets", "san")
    table = list(csv.DictReader((tmp_path / "third/table.csv").open()))
    assert [row["testset"] for row in table] == ["san", "mean"]
    assert_wrong_usage(script(*arguments, "--testsets", "crn"), "--testsets", "crn", "progan, san")
    wrong = script("eval.py", "--predictions", first / "table.csv", "--results_dir", tmp_path)
    assert_wrong_usage(wrong, "table.csv, line 1", "path")
    unknown = script("eval.py", "--predictions", first / "predictions.csv", "--published", "best")
    assert_wrong_usage(unknown, "--published", "blur_jpg_prob0.1")


def test_weights_that_do_not_fit_score_nothing(
    weights: pathlib.Path, sweep: pathlib.Path, tmp_path: pathlib.Path, script: Script
) -> None:
    state = torch.load(weights, weights_only=True)["model"]
    del state["layer3.2.bn1.running_var"]
    torch.save({"model": state}, tmp_path / "cut.pth")
    arguments = ["--dataroot", sweep, "--results_dir", tmp_path / "results"]
    result = script("eval.py", "--model_path", tmp_path / "cut.pth", *arguments)
    assert_wrong_usage(result, "layer3.2.bn1.running_var", "cut.pth")
    result = script("eval.py", "--model_path", tmp_path / "none.pth", *arguments)
    assert_wrong_usage(result, "none.pth")
    result = script("predict.py", "--model_path", tmp_path / "cut.pth", sweep / "san/0_real")
    assert_wrong_usage(result, "layer3.2.bn1.running_var")
    assert not (tmp_path / "results").exists()


def test_a_damaged_image_costs_its_test_set_only(
    weights: pathlib.Path, sweep: pathlib.Path, tmp_path: pathlib.Path, script: Script
) -> None:
    for name in ("progan", "san"):
        shutil.copytree(sweep / name, tmp_path / "test" / name)
    (tmp_path / "test/progan/cat/0_real/broken.png").write_bytes(b"junk")
    result = script(
        *("eval.py", "--model_path", weights, "--dataroot", tmp_path / "test"),
        *("--results_dir", tmp_path, "--cropSize", CROP),
    )
    assert result.returncode == 1
    assert "progan/cat/0_real/broken.png" in result.stderr
    assert "Traceback" not in result.stderr
    table = list(csv.DictReader((tmp_path / "published/table.csv").open()))
    assert [row["testset"] for row in table] == ["san", "mean"]


def test_wrong_folders_are_named(
    weights: pathlib.Path, sweep: pathlib.Path, tmp_path: pathlib.Path, script: Script
) -> None:
    base = ["eval.py", "--model_path", weights, "--dataroot"]
    assert_wrong_usage(script(*base, tmp_path / "no"), "--dataroot", "no")
    assert_wrong_usage(script(*base, sweep, "--testsets", "crn"), "crn", "progan, san, zeta set")
    (tmp_path / "odd/real").mkdir(parents=True)
    assert_wrong_usage(script(*base, tmp_path), "odd", "0_real", "real")


def test_one_label_alone_gives_empty_cells_and_a_warning(
    weights: pathlib.Path, tmp_path: pathlib.Path, script: Script
) -> None:
    write_image(tmp_path / "test/mine/1_fake/a.png", 1)
    result = script(
        *("eval.py", "--model_path", weights, "--dataroot", tmp_path / "test"),
        *("--results_dir", tmp_path),
    )
    assert result.returncode == 0
    assert "mine holds fake images only" in result.stderr
    row = next(csv.DictReader((tmp_path / "published/table.csv").open()))
    assert (row["ap"], row["auroc"], row["real_accuracy"]) == ("", "", "")


def test_the_miniature_says_so(
    weights: pathlib.Path, tmp_path: pathlib.Path, script: Script
) -> None:
    write_image(tmp_path / "test/progan/0_real/a.png", 1)
    write_image(tmp_path / "test/progan/1_fake/a.png", 2)
    (tmp_path / "minibench.json").write_text('{"note": "A miniature, not the paper."}')
    arguments = ("--dataroot", tmp_path / "test", "--results_dir", tmp_path)
    result = script("eval.py", "--model_path", weights, *arguments)
    assert "A miniature, not the paper." in result.stdout
    assert "A miniature, not the paper." in (tmp_path / "published/table.md").read_text()


def test_predict_scores_whole_images_and_goes_on_past_a_bad_one(
    weights: pathlib.Path, sweep: pathlib.Path, tmp_path: pathlib.Path, script: Script
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"junk")
    folder = sweep / "san/0_real"
    result = script("predict.py", "--model_path", weights, bad, folder, "--batch_size", 3)
    assert result.returncode == 1
    assert f"predict.py: error: {bad}" in result.stderr
    network = torchvision.models.resnet50(num_classes=1)
    network.load_state_dict(torch.load(weights, weights_only=True)["model"])
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert list(rows[0]) == ["path", "probability", "logit"]
    assert len(rows) == 8
    for row in rows:
        expected = plain_logit(pathlib.Path(row["path"]), network.eval(), None)
        assert float(row["logit"]) == pytest.approx(expected, abs=1e-4)
    cropped = script("predict.py", "--model_path", weights, "--cropSize", CROP, folder / "L.png")
    (row,) = csv.DictReader(cropped.stdout.splitlines())
    expected = plain_logit(folder / "L.png", network, CROP)
    assert float(row["logit"]) == pytest.approx(expected, abs=1e-4)
