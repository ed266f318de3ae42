"""A study that was run again, beside the table that ships."""

from __future__ import annotations

import csv
import pathlib

import numpy as np
import pytest

from studies.compare import described, prediction_interval, run_again, same_figures
from studies.reading import Row
from studies.results import columns_of
from tests.conftest import Script, assert_wrong_usage


def rows(shift: float = 0.0, seeds: int = 3, start: int = 0) -> list[Row]:
    """The augmentation study's rows of two held-out sets and progan, spread by a point or two."""
    return [
        {
            **{"study": "augmentation", "augmentation": name, "seed": str(seed)},
            **{"testset": testset, "metric": "ap"},
            "value": f"{base + shift + 0.01 * (seed % 3) + 0.1 * (testset == 'progan'):.6f}",
        }
        for name, base in (("none", 0.8), ("blur", 0.7))
        for seed in range(start, start + seeds)
        for testset in ("progan", "biggan", "san")
    ]


def write(folder: pathlib.Path, its: list[Row]) -> pathlib.Path:
    folder.mkdir()
    with (folder / "augmentation.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, columns_of("augmentation"))
        table.writeheader()
        table.writerows(its)
    return folder


def test_figures_of_the_same_seeds_are_compared_one_by_one() -> None:
    ours = rows(seeds=2)
    assert same_figures("augmentation", ours, rows()) == (12, 12, 0, 0, "none, 0, progan, ap")
    ours[4]["value"] = f"{float(ours[4]['value']) + 0.06:.6f}"
    same = same_figures("augmentation", ours, rows())
    assert same
    assert (same.figures, same.equal, same.where) == (12, 11, "none, 1, biggan, ap")
    assert same.largest == pytest.approx(0.06)
    assert same.mean == pytest.approx(0.005)
    assert same_figures("augmentation", rows(start=3), rows()) is None


def test_one_more_run_lies_in_the_interval_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    runs, more = rng.normal(0.8, 0.02, (4000, 3)), rng.normal(0.8, 0.02, 4000)
    inside = 0
    for values, its in zip(runs, more, strict=True):
        low, high = prediction_interval({str(seed): value for seed, value in enumerate(values)})
        inside += low <= its <= high
    error = (0.95 * 0.05 / 4000) ** 0.5
    assert abs(inside / 4000 - 0.95) < 4 * error


def test_a_run_that_is_like_the_shipped_ones_is_told_from_one_that_is_not() -> None:
    again = run_again("augmentation", rows(start=3, seeds=1), rows())
    assert [(its.condition, its.seed, its.is_inside()) for its in again] == [
        (("none", "ap"), "3", True),
        (("blur", "ap"), "3", True),
    ]
    assert again[0].value == pytest.approx(0.8)  # the mean over biggan and san, not progan
    assert not any(its.is_inside() for its in run_again("augmentation", rows(0.2), rows()))
    assert run_again("augmentation", rows(), rows(seeds=1)) == []


def test_the_mean_is_over_the_sets_that_both_have() -> None:
    part = [row for row in rows() if row["testset"] != "san"]
    for row in (both := rows()):
        row["value"] = "0.100000" if row["testset"] == "san" else row["value"]
    assert all(its.is_inside() for its in run_again("augmentation", part, both))


def test_it_says_what_agrees_and_what_does_not(tmp_path: pathlib.Path, script: Script) -> None:
    ours, shipped = write(tmp_path / "ours", rows(0.2, seeds=1)), write(tmp_path / "s", rows())
    result = script("-m", "studies.compare", ours, "--shipped", shipped)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "augmentation: 0 of 6 figures of the same seeds are equal to the last digit; they differ by"
        " 20 points on average, by 20 points at most (none, 0, progan, ap)",
        "augmentation: 0 of 2 means over test sets lie where 95% of further runs are expected",
        "  outside: none, ap, seed 0: 100.00, expected 76.03 to 85.97",
        "  outside: blur, ap, seed 0: 90.00, expected 66.03 to 75.97",
    ]
    assert described("augmentation", [], rows()) == [
        "augmentation: the two tables have no figure in common"
    ]


def test_folders_without_a_table_in_common_are_one_line(
    tmp_path: pathlib.Path, script: Script
) -> None:
    empty = script("-m", "studies.compare", tmp_path)
    assert_wrong_usage(empty, "have no table of the same study")
    assert_wrong_usage(script("-m", "studies.compare"), "TABLES must be one folder")
