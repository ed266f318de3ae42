from __future__ import annotations

import math
import pathlib

import numpy as np
import pytest

from evaluation.predictions import Scores, probability, read_predictions, write_predictions
from tests.tolerances import near
from util.errors import UsageError

HEADER = "testset,path,label,logit,probability\n"


def test_what_is_written_is_read_back_to_the_bit(tmp_path: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    logits = (rng.normal(size=200) * 10.0 ** rng.integers(-6, 6, 200)).astype(np.float32)
    paths = sorted(["0_real/a, b.png", "1_fake/c: d.e.png", '0_real/"q".png', "1_fake/l\nf.png"])
    paths += [f"1_fake/ü\udcff{i:03}.png" for i in range(196)]
    scores = {
        "b": Scores(paths, np.ones(200, np.uint8), logits.astype(float)),
        "a": Scores(paths[:1], np.zeros(1, np.uint8), np.array([-3.0])),
    }
    path = str(tmp_path / "new/predictions.csv")
    write_predictions(path, scores)
    again = read_predictions(path)
    assert list(again) == ["a", "b"]
    for name, (expected_paths, labels, expected_logits, _) in scores.items():
        assert again[name].paths == expected_paths
        np.testing.assert_array_equal(again[name].labels, labels)
        np.testing.assert_array_equal(again[name].logits.astype(np.float32), expected_logits)


def test_the_file_is_plain_csv_with_nine_digits(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "p.csv"
    write_predictions(
        str(path), {"s": Scores(["0_real/x.png"], np.array([0], np.uint8), np.array([1 / 3]))}
    )
    assert path.read_text() == HEADER + "s,0_real/x.png,0,0.333333333,0.582570206\n"


@pytest.mark.parametrize("logit", [-1000.0, -20.0, -0.5, 0.0, 3.0, 800.0])
def test_probability_is_the_sigmoid(logit: float) -> None:
    expected = 0.5 * (1 + math.tanh(logit / 2))
    assert probability(logit) == near(expected, 1e-15, "a few roundings of a double below 1")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["line 1", "testset"]),
        ("testset,path,label\n", ["line 1", "logit"]),
        (HEADER, ["no rows"]),
        (HEADER + "a,x.png,0,1.0,\na,y.png,2,1.0,\n", ["line 3", "label", "'2'"]),
        (HEADER + "a,x.png,1,nan,\n", ["line 2", "logit", "nan"]),
        (HEADER + "a,x.png,1,inf,\n", ["line 2", "logit", "inf"]),
        (HEADER + "a,x.png,1,high,\n", ["line 2", "logit", "high"]),
        (HEADER + "a,x.png,1\n", ["line 2", "logit"]),
        (HEADER + ",x.png,1,0.0,\n", ["line 2", "incomplete"]),
        (HEADER + "a,x.png,1,0.0,\na,x.png,1,1.0,\n", ["x.png of a", "twice"]),
        (HEADER + "a,x.png,1," + "0" * 200_000, ["no CSV"]),
    ],
)
def test_a_bad_file_is_named_with_line_and_column(
    tmp_path: pathlib.Path, text: str, words: list[str]
) -> None:
    path = tmp_path / "p.csv"
    path.write_text(text)
    with pytest.raises(UsageError) as error:
        read_predictions(str(path))
    for word in (str(path), *words):
        assert word in str(error.value)


def test_a_missing_file_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(UsageError, match=r"--predictions .*none\.csv: no such file"):
        read_predictions(str(tmp_path / "none.csv"))
