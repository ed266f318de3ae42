from __future__ import annotations

import math
from typing import Any

import numpy as np

from tools.checks.audit_figure import heatmap
from tools.checks.audit_report import Audited, describe, overview, warning
from tools.checks.audit_scores import ALL, Separability, noise
from tools.checks.cues import CUES


def test_numbers_are_described_by_their_middle_half_and_categories_by_shares() -> None:
    labels = np.repeat([0, 1], 100)
    values: list[Any] = [*range(1000, 1100), *range(1050, 1150)]
    assert describe("bytes", [float(v) for v in values], labels) == (
        "half of the reals have 1025 to 1074 bytes, half of the fakes 1075 to 1124 bytes"
    )
    values = ["a"] * 99 + ["b"] + ["a"] * 25 + ["b"] * 75
    assert describe("ending", values, labels) == "99 % of the reals have a, 25 % of the fakes"
    values = [48.0] * 190 + [50.0] * 10  # whose middle halves are but one value
    assert describe("height", values, labels) == (
        "100 % of the reals have height 48, 90 % of the fakes"
    )
    values = [0.0] * 100 + [90.0] * 60 + [80.0] * 40
    assert describe("quality", values, labels) == (
        "100 % of the reals have no JPEG quality, 0 % of the fakes"
    )


def figures(auroc: float, counts: tuple[int, int] = (500, 500)) -> Audited:
    by_cue = dict.fromkeys((*CUES, ALL), Separability(0.5, 0.5))
    by_cue["bytes"] = Separability(auroc, auroc)
    return Audited("s", counts, counts, 0, [], "", by_cue, dict.fromkeys(CUES, "words"))


def test_the_warning_begins_at_its_thresholds_and_beyond_chance() -> None:
    assert warning(figures(0.59)) == ""
    assert "hints at the label" in warning(figures(0.6))
    assert "hints at the label" in warning(figures(0.89))
    assert "nearly be read off" in warning(figures(0.9))
    assert 0.5 + 3 * noise(np.repeat([0, 1], 40)) > 0.65
    assert warning(figures(0.65, (40, 40))) == ""  # which is no news of so few images


def test_of_near_equals_the_first_is_named() -> None:
    audited = figures(0.999)
    audited.by_cue["format"] = Separability(0.99, 0.99)
    assert audited.strongest() == "format"
    audited.by_cue["format"] = Separability(0.9, 0.9)
    assert audited.strongest() == "bytes"
    assert "The file's length alone scores AP 1.00 (chance: 0.50)" in warning(audited)
    audited.by_cue["width"] = Separability(0.99, 0.992)
    audited.by_cue[ALL] = Separability(0.97, 1.0)
    assert "A detector can score AP 0.99 without looking" in warning(audited)
    audited.by_cue[ALL] = Separability(1.0, 1.0)
    assert "A detector can score AP 1.00 without looking" in warning(audited)


def test_the_heatmap_has_a_cell_for_each_set_and_cue() -> None:
    figure = heatmap({"a $x$": [0.5, 0.71], "b": [math.nan, math.nan]}, ["one_two", "all"])
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["0.50", "0.71", "-", "-"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a $x$", "b"]
    assert not any(label.get_parse_math() for label in axes.get_yticklabels())
    assert [label.get_text() for label in axes.get_xticklabels()] == ["one two", "all"]


def test_an_overview_without_figures_is_a_table_all_the_same() -> None:
    empty = Audited("x", (0, 3), (0, 3), 0, [], "holds fake images only", {}, {})
    assert overview([empty]).count("\n") == 4
    assert warning(empty) == ""
