from __future__ import annotations

import csv
import json
import math
import pathlib

import numpy as np

from evaluation.bootstrap import bootstrap, interval
from evaluation.evaluation import Evaluation, Provenance
from evaluation.measure import seed_of
from evaluation.metrics_file import read_provenance
from evaluation.predictions import Scores
from evaluation.protocol import ScoringProtocol
from evaluation.robustness import measure_degraded
from evaluation.rows import degraded_row, read_degraded, write_csv
from evaluation.suspicions import warnings
from report.captions import caption
from report.latex import escape, latex
from report.tables import markdown, model_tables
from report.write import write_tables
from tests.test_rows import evaluation_of, random_scores
from tests.tolerances import near, written


def make_model(sets: dict[str, Scores], name: str = "ours", beside: str = "") -> Evaluation:
    return evaluation_of(sets, beside=beside, name=name)


def test_table_csv_is_as_the_contract_says(tmp_path: pathlib.Path) -> None:
    write_tables(str(tmp_path), [make_model({"progan": random_scores(1)})])
    lines = (tmp_path / "table.csv").read_text().splitlines()
    assert lines[0].startswith(
        "testset,num_real,num_fake,ap,accuracy,real_accuracy,fake_accuracy,auroc"
    )
    row = dict(zip(lines[0].split(","), lines[1].split(","), strict=True))
    counts = ("testset", "num_real", "num_fake", "num_unreadable")
    assert [row.pop(column) for column in counts] == ["progan", "15", "15", "2"]
    assert all(len(figure.partition(".")[2]) == 6 for figure in row.values())
    assert lines[2].startswith("mean,,,0.")
    assert read_provenance(str(tmp_path / "predictions.csv")).predictions == "p.csv"


def test_an_undefined_figure_is_empty(tmp_path: pathlib.Path) -> None:
    sets = {"progan": random_scores(1), "crn": random_scores(2, labels=(1, 1))}
    model = make_model(sets)
    write_tables(str(tmp_path), [model])
    table = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert (table[1]["ap"], table[1]["ap_low"], table[1]["real_accuracy"]) == ("", "", "")
    assert table[1]["num_real"] == "0"
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["testsets"]["crn"]["ap"] is None
    assert "crn holds fake images only" in warnings([model])[0]
    assert "nan" not in (tmp_path / "table.md").read_text() + (tmp_path / "table.tex").read_text()


def test_every_figure_stands_in_one_of_the_tables_to_read() -> None:
    model = make_model({"progan": random_scores(1)}, beside="blur_jpg_prob0.5")
    tables = model_tables(model, "")
    headings = [heading for table in tables for heading in table.headings]
    figures = [c for c in model.rows()[0] if not c.endswith(("_low", "_high"))]
    extra = 2 + 1  # the names of the second and third table, and accuracy a second time
    assert len([h for h in headings if h != "95 %"]) == len(figures) + extra
    assert headings.count("95 %") == 4
    assert "unreadable" in headings
    for table in tables:
        lines = markdown(table).splitlines()
        assert len({len(line) for line in lines}) == 1  # aligned
        assert len(lines) == 4
    ap = 100 * model.rows()[0]["ap"]
    assert f"{ap:.2f}" in tables[0].cells[0]
    headings = list(tables[0].headings)
    assert headings[headings.index("AP") + 2] == "published AP"  # after our interval


def test_a_name_cannot_break_the_markdown_table() -> None:
    table = model_tables(make_model({"a|b": random_scores(1)}), "")[0]
    assert "a\\|b" in markdown(table).splitlines()[2]


def test_the_caption_tells_the_miniature_and_the_mean() -> None:
    evaluation = make_model({"progan": random_scores(1), "own": random_scores(2)})
    evaluation.provenance = Provenance(
        weights="w.pth",
        weights_sha256="0123456789ab...",
        arch="resnet50",
        protocol=ScoringProtocol(crop_size=None),
        note="A miniature.",
    )
    text = caption(evaluation)
    assert text.startswith("**A miniature.** ")
    assert "whole images" in text
    assert "1 of the paper's 11" in text


def test_several_models_stand_side_by_side(tmp_path: pathlib.Path) -> None:
    sets = {"progan": random_scores(1), "crn": random_scores(2)}
    noise = np.random.default_rng(0).normal(size=30)
    other = {name: s._replace(logits=s.logits + noise) for name, s in sets.items()}
    models = [make_model(sets, "a"), make_model(other, "b"), make_model(sets, "c")]
    console = write_tables(str(tmp_path), models)
    assert "a AP" in console
    assert "a minus b" in console
    rows = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert [(row["model"], row["testset"]) for row in rows] == [
        (model, testset) for model in "abc" for testset in ("progan", "crn", "mean")
    ]
    leads = list(csv.DictReader((tmp_path / "comparison.csv").open()))
    assert [row["second"] for row in leads] == ["b"] * 3 + ["c"] * 3
    assert {row["first"] for row in leads} == {"a"}
    difference = float(rows[0]["ap"]) - float(rows[3]["ap"])
    assert float(leads[0]["difference"]) == near(difference, 1.6e-6, "three figures of 6 decimals")
    assert float(leads[3]["difference"]) == 0.0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert set(metrics["models"]) == {"a", "b", "c"}


def test_latex_sets_the_best_in_bold_and_escapes_names() -> None:
    perfect = random_scores(1)._replace(logits=random_scores(1).labels * 2.0 - 1)
    models = [
        make_model({"san": random_scores(1), "50%_a&b": random_scores(2)}, "ours"),
        make_model({"san": perfect}, "the_other"),
    ]
    text = latex(models)
    lines = text.splitlines()
    assert [line for line in lines if "rule" in line and "c" not in line.partition("rule")[0]]
    assert r"\multicolumn{2}{c}{the\_other}" in text
    san = next(line for line in lines if line.startswith("san"))
    assert r"\textbf{100.0} [100.0, 100.0] & 100.0 \\" in san
    assert san.count("textbf") == 1
    (odd,) = (line for line in lines if line.startswith(r"50\%\_a\&b"))
    assert odd.endswith(r"&  &  \\")  # the other model has not scored it
    assert odd.count("&") - odd.count(r"\&") == 4
    alone = latex([make_model({"san": random_scores(1)})])
    assert "textbf" not in alone
    beside = latex([make_model({"san": random_scores(1)}, beside="blur_jpg_prob0.5")])
    assert "63.9" in beside
    assert "textbf" in beside
    assert escape("a\\b~^{}#$") == (
        r"a\textbackslash{}b\textasciitilde{}\textasciicircum{}\{\}\#\$"
    )


def test_degraded_images_are_measured_at_each_level_and_read_again(tmp_path: pathlib.Path) -> None:
    levels = {"blur": (0.0, 2.5), "jpeg": (90,), "rescale": (1.0,)}
    plain, blurred, jpeg = (random_scores(seed) for seed in range(3))
    scores = {"plain": plain, "blur_2.5": blurred, "jpeg_90": jpeg}
    results = measure_degraded("crn", levels=levels, scores=scores, resamples=100)
    assert [(its.degradation, its.level) for its in results] == [
        ("blur", "0"),
        ("blur", "2.5"),
        ("jpeg", "90"),
        ("rescale", "1"),
    ]
    own = make_model({"crn": plain}).measured["crn"].metrics
    for metric in ("ap", "accuracy"):
        assert results[0].metrics[metric] == results[3].metrics[metric] == own[metric]
    low, high = interval(
        bootstrap(jpeg.labels, jpeg.logits, resamples=100, seed=seed_of("crn"))["ap"]
    )
    assert results[2].metrics["ap"][1:] == (low, high)
    results += measure_degraded(
        "own", levels={"blur": (0.0,)}, scores={"plain": random_scores(1, (1, 1))}, resamples=0
    )
    path = str(tmp_path / "robustness.csv")
    write_csv(path, [degraded_row(its) for its in results])
    for its, read in zip(results, read_degraded(path), strict=True):
        assert its[:-1] == read[:-1]
        assert list(its.metrics) == list(read.metrics)
        for metric, values in its.metrics.items():
            for value, again in zip(values, read.metrics[metric], strict=True):
                assert (math.isnan(value) and math.isnan(again)) or again == written(value, 6)
    assert read_degraded(str(tmp_path / "none.csv")) == []
