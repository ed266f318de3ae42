from __future__ import annotations

import csv
import json
import math
import pathlib

import numpy as np
import pytest

from data.testsets import ORDER, PAPER_ELEVEN
from util.errors import InputError
from util.predictions import Scores
from util.published import check_published, published, published_names
from util.report import caption, markdown_table, read_about, table_rows, write_tables


def scores(seed: int = 0, labels: tuple[int, ...] = (0, 0, 1, 1, 1)) -> Scores:
    logits = np.random.default_rng(seed).normal(size=len(labels))
    return Scores([f"{i}.png" for i in range(len(labels))], np.array(labels, np.uint8), logits)


def test_the_mean_is_over_the_papers_eleven_that_were_scored() -> None:
    sets = {"progan": scores(1), "crn": scores(2), "stylegan2": scores(3), "own": scores(4)}
    rows = table_rows(list(sets), sets, PAPER_ELEVEN, {})
    assert [row["testset"] for row in rows] == [*sets, "mean"]
    for figure in ("ap", "accuracy", "auroc"):
        expected = (rows[0][figure] + rows[1][figure]) / 2
        assert rows[-1][figure] == pytest.approx(expected)
    assert math.isnan(rows[-1]["num_real"])


def test_without_any_of_the_eleven_the_mean_is_over_all() -> None:
    sets = {"stylegan2": scores(3), "own": scores(4)}
    rows = table_rows(list(sets), sets, PAPER_ELEVEN, {})
    assert rows[-1]["ap"] == pytest.approx((rows[0]["ap"] + rows[1]["ap"]) / 2)


def test_an_undefined_figure_is_empty_and_outside_the_mean(tmp_path: pathlib.Path) -> None:
    sets = {"progan": scores(1), "crn": scores(2, labels=(1, 1))}
    rows = table_rows(list(sets), sets, PAPER_ELEVEN, {})
    assert rows[-1]["ap"] == rows[0]["ap"]
    write_tables(str(tmp_path), rows, "caption", {})
    table = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert (table[1]["ap"], table[1]["real_accuracy"], table[1]["num_real"]) == ("", "", "0")
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["testsets"]["crn"]["ap"] is None


def test_table_csv_is_as_the_contract_says(tmp_path: pathlib.Path) -> None:
    sets = {"progan": scores(1)}
    write_tables(str(tmp_path), table_rows(["progan"], sets, PAPER_ELEVEN, {}), "c", {"arch": "r"})
    lines = (tmp_path / "table.csv").read_text().splitlines()
    assert lines[0].startswith(
        "testset,num_real,num_fake,ap,accuracy,real_accuracy,fake_accuracy,auroc"
    )
    name, num_real, num_fake, *figures = lines[1].split(",")
    assert (name, num_real, num_fake) == ("progan", "2", "3")
    assert all(len(figure.partition(".")[2]) == 6 for figure in figures)
    assert lines[2].startswith("mean,,,0.")
    assert read_about(str(tmp_path)) == {"arch": "r"}


def test_published_figures_stand_beside_ours() -> None:
    sets = {"san": scores(1), "own": scores(2)}
    rows = table_rows(list(sets), sets, PAPER_ELEVEN, published("blur_jpg_prob0.5"))
    assert rows[0]["published_ap"] == 0.639
    assert rows[0]["published_accuracy"] == 0.5
    assert math.isnan(rows[1]["published_ap"])
    assert rows[-1]["published_ap"] == 0.639
    table = markdown_table(rows)
    assert "published AP" in table.splitlines()[0]
    assert len({len(line) for line in table.splitlines()}) == 1  # aligned


def test_published_means_are_those_the_paper_prints() -> None:
    """Table 2's means, from the figures as they are shipped; independent of how they are read."""
    printed = {"No aug": 90.1, "Blur+JPEG (0.5)": 90.8, "Blur+JPEG (0.1)": 92.6, "2-class": 81.3}
    for name, mean in printed.items():
        figures = published(name)
        assert set(figures) == set(PAPER_ELEVEN)
        assert np.mean([row["ap"] for row in figures.values()]) == pytest.approx(
            mean / 100, abs=0.00051
        )


def test_the_released_models_have_both_protocols() -> None:
    assert set(published("blur_jpg_prob0.1")) == set(ORDER)
    assert published("blur_jpg_prob0.1")["crn"]["ap"] == 0.982
    assert published("blur_jpg_prob0.1", no_crop=True)["crn"]["ap"] == 0.998


def test_an_unknown_published_name_is_refused_with_the_known_ones() -> None:
    check_published("")
    for name in published_names():
        check_published(name)
    with pytest.raises(InputError, match=r"--published x is not one of .*No aug"):
        check_published("x")


def test_a_name_cannot_break_the_markdown_table() -> None:
    sets = {"a|b": scores()}
    lines = markdown_table(table_rows(["a|b"], sets, PAPER_ELEVEN, {})).splitlines()
    assert "a\\|b" in lines[2]


def test_the_caption_tells_the_miniature_and_the_mean() -> None:
    about = {
        "weights": "w.pth",
        "weights_sha256": "0123456789abcdef",
        "arch": "resnet50",
        "crop_size": None,
        "precision": "fp32",
        "benchmark": "A miniature.",
    }
    text = caption(about, ["progan", "own"], PAPER_ELEVEN)
    assert text.startswith("**A miniature.** ")
    assert "whole images" in text
    assert "1 of the paper's 11" in text
