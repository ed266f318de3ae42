"""eval.py and predict.py against a plain loop written independently of them."""

from __future__ import annotations

import csv
import io
import json
import os
import pathlib
import shutil

import numpy as np
import pytest
import scipy.ndimage
import sklearn.metrics
import torch
import torchvision
from PIL import Image

from evaluation.predictions import Scores, write_predictions
from tests.conftest import Script, assert_wrong_usage, write_image
from tests.plain_protocol import plain_logits
from tests.tolerances import assert_as_exact, near, written
from tests.undrawn import figures

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


def network_of(weights: pathlib.Path) -> torch.nn.Module:
    """What torchvision makes of the file, without this project."""
    network: torch.nn.Module = torchvision.models.resnet50(num_classes=1)
    network.load_state_dict(torch.load(weights, weights_only=True)["model"])
    return network.eval()


def rows_of(path: pathlib.Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open()))


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

    rows = rows_of(folder / "predictions.csv")
    files = {p for p in sweep.rglob("*") if p.is_file() and not p.name.startswith(".")}
    assert {sweep / row["testset"] / row["path"] for row in rows} == files
    keys = [(row["testset"], row["path"]) for row in rows]
    assert keys == sorted(keys)
    paths = [sweep / row["testset"] / row["path"] for row in rows]
    expected = plain_logits(network_of(weights), paths, CROP if protocol == "crop" else None)
    assert_as_exact([float(row["logit"]) for row in rows], *expected)
    for row in rows:
        sigmoid = 1 / (1 + np.exp(-float(row["logit"])))
        assert float(row["probability"]) == written(sigmoid, 8)
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
        assert float(row["ap"]) == written(ap, 6)
        assert float(row["accuracy"]) == written(accuracy, 6)
    mean = (float(table[0]["ap"]) + float(table[1]["ap"])) / 2  # zeta is none of the eleven
    assert float(table[-1]["ap"]) == near(mean, 1.1e-6, "three figures of 6 decimals")
    console = result.stdout.partition("\n\nresults: ")[0].splitlines()
    assert [line for line in console if line.startswith("| zeta set ")]
    assert set(console) <= set((folder / "table.md").read_text().splitlines())
    results, last = result.stdout.splitlines()[-2:]
    assert str(folder) in results
    next_command = last.partition("; next: ")[2].split()
    assert next_command[1:3] == ["predict.py", "--model_path"]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["crop_size"] == (CROP if protocol == "crop" else None)
    assert set(metrics["testsets"]) == {"progan", "san", "zeta set"}


def test_tables_are_made_again_from_predictions(
    weights: pathlib.Path, sweep: pathlib.Path, tmp_path: pathlib.Path, script: Script
) -> None:
    first = tmp_path / "first"
    with figures():
        script(
            *("eval.py", "--model_path", weights, "--dataroot", sweep, "--results_dir", tmp_path),
            *("--name", "first", "--testsets", "san,progan", "--cropSize", CROP),
        )
        again = script(
            *("eval.py", "--predictions", first / "predictions.csv", "--results_dir", tmp_path),
            *("--name", "remade"),
        )
    assert again.returncode == 0, again.stderr
    for name in ("predictions.csv", "table.csv", "table.md", "table.tex"):
        assert (tmp_path / "remade" / name).read_text() == (first / name).read_text()
    both = [
        json.loads((tmp_path / run / "metrics.json").read_text()) for run in ("first", "remade")
    ]
    assert [metrics.pop("options")["name"] for metrics in both] == ["first", "remade"]
    assert both[0] == both[1]
    pages = [(tmp_path / run / "report.html").read_text() for run in ("first", "remade")]
    assert pages[1].replace("remade", "first") == pages[0]  # pictures and all
    assert (first / "figures/roc.png").exists()
    assert 'href="#figures"' in pages[0]
    with figures():
        plain = script(
            *("eval.py", "--predictions", first / "predictions.csv", "--results_dir", tmp_path),
            *("--name", "plain", "--no_figures"),
        )
    assert plain.returncode == 0, plain.stderr
    assert not (tmp_path / "plain/figures").exists()
    assert 'id="figures"' not in (tmp_path / "plain/report.html").read_text()
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


def test_a_damaged_image_is_listed_and_all_others_are_scored(
    weights: pathlib.Path, sweep: pathlib.Path, tmp_path: pathlib.Path, script: Script
) -> None:
    for name in ("progan", "san"):
        shutil.copytree(sweep / name, tmp_path / "test" / name)
    (tmp_path / "test/progan/cat/0_real/broken.png").write_bytes(b"junk")
    (tmp_path / "test/lost/1_fake").mkdir(parents=True)
    (tmp_path / "test/lost/1_fake/all.png").write_bytes(b"")
    arguments = ["eval.py", "--model_path", weights, "--dataroot", tmp_path / "test"]
    arguments += ["--results_dir", tmp_path, "--cropSize", CROP]
    result = script(*arguments)
    assert result.returncode == 1
    assert "progan/cat/0_real/broken.png: cannot be read as an image" in result.stderr
    assert "lost/1_fake/all.png: cannot be read" in result.stderr
    assert "2 images could not be read" in result.stderr
    assert "Traceback" not in result.stderr
    table = list(csv.DictReader((tmp_path / "published/table.csv").open()))
    assert [row["testset"] for row in table] == ["progan", "san", "mean"]
    assert [row["num_unreadable"] for row in table] == ["1", "0", ""]
    assert (table[0]["num_real"], table[0]["num_fake"]) == ("12", "12")
    assert "broken.png" in (tmp_path / "published/report.html").read_text()
    assert "| unreadable |" in result.stdout

    quiet = script(*arguments, "--skip_unreadable")
    assert quiet.returncode == 0
    assert "broken.png" not in quiet.stderr
    assert "progan: 1 image could not be read" in quiet.stderr
    again = list(csv.DictReader((tmp_path / "published/table.csv").open()))
    assert again == table


@pytest.mark.parametrize("protocol", ["crop", "no_crop"])
def test_what_was_scored_is_not_scored_again(
    weights: pathlib.Path,
    sweep: pathlib.Path,
    tmp_path: pathlib.Path,
    script: Script,
    protocol: str,
) -> None:
    """Files are known by their bytes: a copy is not scored anew, and a file whose bytes changed is
    not taken for what it was, though its size and its time are the same.
    """
    shutil.copytree(sweep / "san", tmp_path / "test/san")
    choice = ["--no_crop"] if protocol == "no_crop" else ["--cropSize", CROP]
    arguments = ["eval.py", "--model_path", weights, "--results_dir", tmp_path / "results"]
    arguments += ["--thumbnails", "none", *choice, "--dataroot"]
    assert script(*arguments, tmp_path / "test", "--name", "first").returncode == 0
    shutil.copytree(sweep / "san", tmp_path / "copy/san")
    for root in ("test", "copy"):
        again = script(*arguments, tmp_path / root, "--name", root)
        assert again.returncode == 0, again.stderr
        assert "nothing was scored anew" in again.stdout
        predictions = [tmp_path / f"results/{run}/predictions.csv" for run in ("first", root)]
        assert predictions[0].read_bytes() == predictions[1].read_bytes()
    for path in (tmp_path / "test").rglob("*.*"):
        state = path.stat()
        path.write_bytes(b"x" * state.st_size)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    changed = script(*arguments, tmp_path / "test", "--name", "changed")
    assert changed.returncode == 1
    assert "cannot be read" in changed.stderr
    other = script(*arguments, tmp_path / "copy", "--precision", "bf16")  # another protocol
    assert "nothing was scored anew" not in other.stdout


def test_a_robustness_sweep_scores_each_level_and_goes_on_where_it_was(
    weights: pathlib.Path, sweep: pathlib.Path, tmp_path: pathlib.Path, script: Script
) -> None:
    arguments = ["eval.py", "--model_path", weights, "--dataroot", sweep, "--testsets", "san"]
    arguments += ["--results_dir", tmp_path, "--cropSize", CROP, "--robustness", "--bootstrap", 50]
    arguments += ["--overwrite"]  # of other levels
    with figures():
        first = script(
            *arguments, "--blur_sigmas", "0,2", "--jpeg_qualities", 60, "--rescale_factors", 0.5
        )
    assert first.returncode == 0, first.stderr
    rows = list(csv.DictReader((tmp_path / "published/robustness.csv").open()))
    assert [(row["degradation"], row["level"]) for row in rows] == [
        ("blur", "0"),
        ("blur", "2"),
        ("jpeg", "60"),
        ("rescale", "0.5"),
    ]
    (table, _) = csv.DictReader((tmp_path / "published/table.csv").open())
    assert (rows[0]["ap"], rows[0]["ap_low"]) == (table["ap"], table["ap_low"])

    predictions = rows_of(tmp_path / "published/predictions.csv")
    labels = [int(image["label"]) for image in predictions]
    for row, degrade in zip(rows[1:], (blurred, compressed, halved), strict=True):
        paths = []
        for number, image in enumerate(predictions):
            paths.append(tmp_path / f"{number}.png")
            degrade(Image.open(sweep / "san" / image["path"]).convert("RGB")).save(paths[-1])
        _, logits = plain_logits(network_of(weights), paths, CROP)
        ap = sklearn.metrics.average_precision_score(labels, logits)
        assert float(row["ap"]) == written(ap, 6)
    assert (tmp_path / "published/figures/robustness_jpeg.png").stat().st_size > 1000

    kept = (tmp_path / ".scores").rglob("*.csv")
    cells = sorted(path for path in kept if path.name != "contents.csv")
    times = {cell: cell.stat().st_mtime_ns for cell in cells}
    more = script(*arguments, "--blur_sigmas", "2,3", "--jpeg_qualities", 60)
    assert more.returncode == 0, more.stderr
    assert (
        len(list((tmp_path / ".scores").rglob("*.csv"))) == len(cells) + 4
    )  # 3, 0.75, 0.25; contents
    again = script(
        *arguments, "--blur_sigmas", "0,2", "--jpeg_qualities", 60, "--rescale_factors", 0.5
    )
    assert "nothing was scored anew" in again.stdout
    assert list(csv.DictReader((tmp_path / "published/robustness.csv").open())) == rows
    assert {cell: cell.stat().st_mtime_ns for cell in cells} == times


def blurred(image: Image.Image) -> Image.Image:
    """A Gaussian of sigma 2, in floating point, rounded once at the end."""
    pixels = scipy.ndimage.gaussian_filter(np.asarray(image).astype(float), (2, 2, 0))
    return Image.fromarray(np.round(pixels).astype(np.uint8))


def compressed(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=60)
    return Image.open(buffer)


def halved(image: Image.Image) -> Image.Image:
    return image.resize([round(side / 2) for side in image.size], Image.Resampling.BILINEAR)


def test_a_threshold_learned_elsewhere_is_used_and_kept(
    weights: pathlib.Path, sweep: pathlib.Path, tmp_path: pathlib.Path, script: Script
) -> None:
    arguments = ["eval.py", "--model_path", weights, "--dataroot", sweep, "--cropSize", CROP]
    arguments += ["--results_dir", tmp_path, "--testsets", "san,progan"]
    result = script(*arguments, "--calibrate_on", sweep / "zeta set", "--target_fpr", 0.2)
    assert result.returncode == 0, result.stderr
    learned = json.loads((tmp_path / "published/threshold.json").read_text())
    assert (learned["num_real"], learned["num_fake"], learned["crop_size"]) == (6, 6, CROP)
    reals = sorted((sweep / "zeta set").glob("*/*"))  # those that it is learned on, first
    plain, exact = (np.array(logits) for logits in plain_logits(network_of(weights), reals, CROP))
    second = np.argsort(exact[:6])[-2]  # one of six reals is above
    ours = np.where(np.arange(12) == second, learned["threshold"], plain)
    assert_as_exact(ours, plain, exact)
    predictions = list(csv.DictReader((tmp_path / "published/predictions.csv").open()))
    san = [row for row in predictions if row["testset"] == "san"]
    right = [(float(r["logit"]) > learned["threshold"]) == (r["label"] == "1") for r in san]
    table = {r["testset"]: r for r in csv.DictReader((tmp_path / "published/table.csv").open())}
    assert float(table["san"]["calibrated_accuracy"]) == written(np.mean(right), 6)

    predict = ["predict.py", "--model_path", weights, "--cropSize", CROP, sweep / "san/1_fake"]
    answer = script(*predict, "--threshold", tmp_path / "published/threshold.json")
    assert answer.returncode == 0
    rows = list(csv.DictReader(answer.stdout.splitlines()))
    assert list(rows[0]) == ["path", "probability", "logit", "verdict", "error"]
    for row in rows:
        if row["verdict"] == "fake":
            assert float(row["logit"]) > learned["unsure_to"]
        elif row["verdict"] == "real":
            assert float(row["logit"]) <= learned["unsure_from"]
        else:
            assert row["verdict"] == "unsure"
    lines = script(*predict, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line)["path"] for line in lines] == [row["path"] for row in rows]
    assert json.loads(lines[0])["logit"] == float(rows[0]["logit"])  # the same, done twice
    whole = script(*predict[:3], sweep / "san/1_fake", "--threshold", learned_for_others(tmp_path))
    assert_wrong_usage(whole, "--threshold", "other weights")
    again = ["eval.py", "--predictions", tmp_path / "published/predictions.csv", "--results_dir"]
    again += [tmp_path, "--name", "again", "--calibrate_on"]
    made = script(*again, tmp_path / "published/predictions.csv")
    assert_wrong_usage(made, "--calibrate_on", "own")
    assert_wrong_usage(script(*again, sweep / "san"), "--calibrate_on", "predictions.csv")
    own = script(*arguments, "--calibrate_on", sweep / "san/0_real")
    assert_wrong_usage(own, "--calibrate_on", "test set")


def learned_for_others(folder: pathlib.Path) -> pathlib.Path:
    learned = json.loads((folder / "published/threshold.json").read_text())
    (folder / "other.json").write_text(json.dumps({**learned, "weights_sha256": "0" * 64}))
    return folder / "other.json"


def test_two_models_are_compared_on_their_predictions(
    tmp_path: pathlib.Path, script: Script
) -> None:
    rng = np.random.default_rng(0)
    names = [f"{label}/{i:03}.png" for label in ("0_real", "1_fake") for i in range(50)]
    labels = np.repeat((0, 1), 50).astype(np.uint8)
    for model, distance in (("good", 2.0), ("weak", 0.5)):
        scores = {s: Scores(names, labels, rng.normal(labels * distance)) for s in ("crn", "san")}
        write_predictions(str(tmp_path / model / "predictions.csv"), scores)
    files = [tmp_path / model / "predictions.csv" for model in ("good", "weak")]
    result = script("eval.py", "--predictions", *files, "--results_dir", tmp_path)
    assert result.returncode == 0, result.stderr
    assert "good minus weak" in result.stdout
    leads = list(csv.DictReader((tmp_path / "good_vs_weak/comparison.csv").open()))
    assert [row["testset"] for row in leads] == ["crn", "san", "mean"]
    assert all(float(row["difference_low"]) > 0 for row in leads)
    assert not (tmp_path / "good_vs_weak/predictions.csv").exists()
    page = (tmp_path / "good_vs_weak/report.html").read_text()
    assert "good" in page
    assert "weak" in page
    clash = script(
        *("eval.py", "--predictions", *files, "--calibrate_on", files[0]),
        *("--results_dir", tmp_path),
    )
    assert_wrong_usage(clash, "--calibrate_on")


def test_wrong_folders_are_named(
    weights: pathlib.Path, sweep: pathlib.Path, tmp_path: pathlib.Path, script: Script
) -> None:
    base = ["eval.py", "--model_path", weights, "--dataroot"]
    assert_wrong_usage(script(*base, tmp_path / "no"), f"{tmp_path}/no: no such folder")
    assert_wrong_usage(script(*base, sweep, "--testsets", "crn"), "crn", "progan, san, zeta set")
    (tmp_path / "all/train").mkdir(parents=True)
    (tmp_path / "all/test").mkdir()
    assert_wrong_usage(script(*base, tmp_path / "all"), str(tmp_path / "all/test"))
    shutil.rmtree(tmp_path / "all")
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
    folders = [sweep / "san/0_real", sweep / "san/1_fake"]
    result = script("predict.py", "--model_path", weights, bad, *folders, "--batch_size", 3)
    assert result.returncode == 1
    assert f"predict.py: warning: {bad}" in result.stderr
    network = network_of(weights)
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert list(rows[0]) == ["path", "probability", "logit", "error"]
    assert len(rows) == 17
    assert rows[0]["error"]
    paths = [pathlib.Path(row["path"]) for row in rows[1:]]
    logits = [float(row["logit"]) for row in rows[1:]]
    assert_as_exact(logits, *plain_logits(network, paths, None))
    cropped = script("predict.py", "--model_path", weights, "--cropSize", CROP, *folders)
    logits = [float(row["logit"]) for row in csv.DictReader(cropped.stdout.splitlines())]
    assert_as_exact(logits, *plain_logits(network, paths, CROP))


def test_reencoding_gives_every_image_the_same_last_encoder(
    weights: pathlib.Path, tmp_path: pathlib.Path, script: Script
) -> None:
    for number in range(6):
        write_image(tmp_path / f"test/san/0_real/{number}.png", number)
        write_image(tmp_path / f"test/san/1_fake/{number}.png", 9 + number)
        write_image(tmp_path / f"jpeg/san/0_real/{number}.png", number)
    for path in (tmp_path / "test").rglob("*.png"):
        again = tmp_path / "jpeg" / path.relative_to(tmp_path / "test").with_suffix(".jpg")
        again.parent.mkdir(parents=True, exist_ok=True)
        Image.open(path).save(again, quality=60)
    for path in (tmp_path / "jpeg").rglob("*.png"):
        path.unlink()
    flags = ("--model_path", weights, "--results_dir", tmp_path, "--bootstrap", 0, "--cropSize", 32)
    logits = {}
    for name, more in (
        ("plain", ()),
        ("png", ("--reencode", "png")),
        ("ours", ("--reencode", "jpeg:60")),
        ("theirs", ("--dataroot", tmp_path / "jpeg")),
    ):
        arguments = more if name == "theirs" else ("--dataroot", tmp_path / "test", *more)
        result = script("eval.py", *flags, *arguments, "--name", name)
        assert result.returncode == 0, result.stderr
        rows = csv.DictReader((tmp_path / name / "predictions.csv").open())
        logits[name] = np.array([float(row["logit"]) for row in rows])
    expected = plain_logits(network_of(weights), sorted((tmp_path / "jpeg").rglob("*.jpg")), 32)
    assert_as_exact(logits["ours"], *expected)
    assert_as_exact(logits["theirs"], *expected)
    np.testing.assert_array_equal(logits["png"], logits["plain"])
    assert np.abs(logits["ours"] - logits["plain"]).max() > 1e-3  # kept scores are told apart
    assert "first re-encoded as jpeg:60" in (tmp_path / "ours/table.md").read_text()
    wrong = script("eval.py", *flags, "--dataroot", tmp_path, "--reencode", "jpeg:0")
    assert_wrong_usage(wrong, "--reencode must be png or jpeg:1 to jpeg:100")
