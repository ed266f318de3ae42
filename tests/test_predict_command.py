"""predict.py in process: the crop, the verdict, and the rows of what could not be read."""

from __future__ import annotations

import csv
import json
import pathlib

import pytest
import torch
import torchvision

import predict
from evaluation.predictions import probability
from evaluation.thresholds import Calibration, write_calibration
from options.parse import parse
from options.predict_options import PredictOptions
from tests.conftest import write_image
from tests.test_options import refused
from util.errors import UsageError
from util.files import sha256

Capture = pytest.CaptureFixture[str]
Rows = list[dict[str, str]]
CROP = 32


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Weights that carry a crop and the same ones that carry none; three images, one damaged."""
    root = tmp_path_factory.mktemp("predict")
    torch.manual_seed(0)
    carried = {"model": torchvision.models.resnet18(num_classes=1).state_dict(), "arch": "resnet18"}
    torch.save({**carried, "crop_size": CROP}, root / "ours.pth")
    torch.save(carried, root / "published.pth")
    write_image(root / "images/a.png", 1, (48, 40))
    (root / "images/b.png").write_bytes(b"junk")
    write_image(root / "images/c.png", 2, (48, 40))
    return root


def run(home: pathlib.Path, capsys: Capture, weights: str, *more: object) -> tuple[int, Rows, str]:
    """The exit code, the rows and what was said."""
    argv = ["--model_path", home / weights, "--device", "cpu", "--num_threads", 0, *more]
    capsys.readouterr()
    code = predict.main(parse(PredictOptions, [*map(str, argv), str(home / "images")]))
    out, error = capsys.readouterr()
    is_json = "jsonl" in argv
    rows = list(map(json.loads, out.splitlines())) if is_json else csv.DictReader(out.splitlines())
    return code, list(rows), error


def logits(rows: Rows) -> list[float]:
    return [float(row["logit"]) for row in rows if row["logit"]]


def test_the_crop_is_the_checkpoints_unless_told_otherwise(
    home: pathlib.Path, capsys: Capture
) -> None:
    wanted = {
        name: logits(run(home, capsys, "published.pth", *flags)[1])
        for name, flags in (("whole", ["--no_crop"]), ("crop", ["--cropSize", CROP]))
    }
    assert wanted["whole"] != wanted["crop"]
    assert logits(run(home, capsys, "published.pth")[1]) == wanted["whole"]
    code, rows, said = run(home, capsys, "ours.pth")
    assert (code, logits(rows)) == (1, wanted["crop"])
    assert "trained" not in said
    for flags in (["--no_crop"], ["--cropSize", "40"]):
        _, rows, said = run(home, capsys, "ours.pth", *flags)
        assert f"trained on crops of {CROP}" in said
        assert flags == ["--cropSize", "40"] or logits(rows) == wanted["whole"]
    assert "trained" not in run(home, capsys, "published.pth", "--cropSize", 40)[2]


def test_what_cannot_be_read_has_a_row_with_its_error(home: pathlib.Path, capsys: Capture) -> None:
    code, rows, said = run(home, capsys, "ours.pth")
    assert code == 1
    assert list(rows[0]) == ["path", "probability", "logit", "error"]
    assert [pathlib.Path(row["path"]).name for row in rows] == ["a.png", "b.png", "c.png"]
    assert [bool(row["error"]) for row in rows] == [False, True, False]
    assert (rows[1]["probability"], rows[1]["logit"]) == ("", "")
    assert "b.png" in said
    _, lines, _ = run(home, capsys, "ours.pth", "--format", "jsonl", "--threshold", 0.5)
    assert [list(line) for line in lines] == [
        ["path", "probability", "logit", "verdict", "error"]
    ] * 3
    assert [line["logit"] for line in lines] == [logits(rows)[0], None, logits(rows)[1]]
    assert lines[1]["error"] == rows[1]["error"]
    assert (lines[0]["error"], lines[1]["verdict"]) == (None, None)
    code, rows, _ = run(home, capsys, "ours.pth", "--skip_unreadable")
    assert code == 0
    assert list(rows[0]) == ["path", "probability", "logit"]
    assert len(rows) == 2


def test_a_probability_is_a_threshold(home: pathlib.Path, capsys: Capture) -> None:
    low, high = sorted(logits(run(home, capsys, "ours.pth")[1]))
    between = probability((low + high) / 2)
    for threshold, expected in ((between, {low: "real", high: "fake"}), (0.9999, "real")):
        _, rows, _ = run(home, capsys, "ours.pth", "--threshold", threshold)
        assert list(rows[0]) == ["path", "probability", "logit", "verdict", "error"]
        for row in rows:
            wanted = (
                expected if isinstance(expected, str) else expected.get(float(row["logit"] or 0))
            )
            assert row["verdict"] == (wanted if row["logit"] else "")


@pytest.mark.parametrize("value", ["0", "1", "-0.5", "1.5", "nan", "inf"])
def test_a_threshold_that_is_no_probability(value: str, capsys: Capture) -> None:
    error = refused(PredictOptions, f"--model_path w p --threshold {value}", capsys)
    assert "--threshold" in error
    assert "between 0 and 1" in error


def test_a_threshold_of_another_crop(
    home: pathlib.Path, capsys: Capture, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(UsageError, match=r"--threshold .*no such file"):
        run(home, capsys, "ours.pth", "--threshold", tmp_path / "none.json")
    digest = sha256(str(home / "ours.pth"))
    for crop_size, word in ((CROP, ""), (40, "--cropSize 40"), (None, "--no_crop")):
        origin = {"weights_sha256": digest, "crop_size": crop_size}
        learned = Calibration(0.0, 0.0, 0.0, "accuracy", "x", num_real=1, num_fake=1, **origin)
        write_calibration(str(tmp_path / "t.json"), learned)
        said = run(home, capsys, "ours.pth", "--threshold", tmp_path / "t.json")[2]
        assert ("the threshold was learned on" in said) == bool(word)
        assert word in said
    for change in ({}, {"crops": 5}, {"resize": 40}, {"reencode": "png"}):
        origin = {"weights_sha256": digest, "crop_size": CROP, **change}
        learned = Calibration(0.0, 0.0, 0.0, "accuracy", "x", num_real=1, num_fake=1, **origin)
        write_calibration(str(tmp_path / "t.json"), learned)
        said = run(home, capsys, "ours.pth", "--threshold", tmp_path / "t.json")[2]
        assert ("learned with --crops, --resize or --reencode" in said) == bool(change)
