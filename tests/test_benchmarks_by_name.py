"""Benchmarks by name: what each entry says, and what --benchmark makes of a folder or of scores."""

from __future__ import annotations

import csv
import json
import os
import pathlib
from collections.abc import Callable, Iterable

import numpy as np
import pytest
import sklearn.metrics
import torch
from torch import nn

import eval as eval_script
from data.testsets import ORDER, PAPER_ELEVEN, REALS_OF
from evaluation.benchmark import PAPER
from evaluation.benchmarks import benchmark, benchmark_names
from evaluation.evaluation import Evaluation, Provenance
from evaluation.measure import MEAN, Measuring
from evaluation.metrics import METRICS
from evaluation.predictions import Scores, pooled_once, write_predictions
from evaluation.protocol import ScoringProtocol
from evaluation.published import published
from evaluation.suspicions import unlike_published, warnings
from networks.detector import NetworkDetector
from options.eval_options import EvalOptions
from options.names import BENCHMARKS
from options.parse import parse
from report.captions import caption
from report.published import published_tables
from tests.commands import ROOT
from tests.conftest import write_image
from tests.tolerances import written
from util.errors import UsageError

Run = Callable[..., pathlib.Path]

COUNTS = {  # test sets, and those that the mean is over
    **{"foren11": (11, 11), "foren13": (13, 11), "foren8": (8, 8), "ufd19": (19, 19)},
    **{"ltd16": (16, 16), "genimage8": (8, 8), "aigibench25": (25, 25), "wildrf": (3, 3)},
    **{"synthbuster": (9, 9), "mini": (13, 11), "stylegan3": (8, 8), "liquify": (1, 1)},
}


class Brightness(nn.Module):
    """A network whose logit is the image's mean."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(1, 2, 3))[:, None]


@pytest.fixture
def run(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run eval.py in this process, without page and figures; return its results' folder."""

    def stub(path: str, **_: object) -> NetworkDetector:
        return NetworkDetector(
            Brightness(), name="resnet18", device=torch.device("cpu"), weights=path, sha256="0" * 8
        )

    monkeypatch.setattr("evaluation.setup.load_detector", stub)
    monkeypatch.setattr("report.write.write_page", lambda *_, **__: None)

    def run(*argv: object, name: str = "out") -> pathlib.Path:
        given = [str(value) for value in argv]
        scoring = [] if "--predictions" in given else ["--model_path", "w", "--num_threads", "0"]
        common = ["--results_dir", str(tmp_path / "results"), "--name", name, "--bootstrap", "0"]
        eval_script.main(parse(EvalOptions, [*scoring, *given, *common, "--few_shot", "1"]))
        return tmp_path / "results" / name

    return run


def fill(root: pathlib.Path, folders: Iterable[str], images: int = 2) -> None:
    """Put so many small images of their own into each folder."""
    for number, folder in enumerate(folders):
        for i in range(images):
            write_image(root / folder / f"{i}.png", 100 * number + i, (8, 8))


def ours(*names: str) -> list[str]:
    return [f"{name}/{label}" for name in names for label in ("0_real", "1_fake")]


def save(path: pathlib.Path, *names: str) -> pathlib.Path:
    """Write a predictions.csv of random scores, different for each of the test sets."""
    scores = {}
    for number, name in enumerate(names):
        labels = np.array([0, 1] * 6, np.uint8)
        logits = np.random.default_rng(number).normal(size=12) + labels
        scores[name] = Scores([f"{i:02}.png" for i in range(12)], labels, logits)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_predictions(str(path), scores)
    return path


def table(folder: pathlib.Path) -> dict[str, dict[str, str]]:
    return {row["testset"]: row for row in csv.DictReader((folder / "table.csv").open())}


def evaluation_of(name: str, *testsets: str, origin: Provenance | None = None) -> Evaluation:
    evaluation = Evaluation("m", origin or Provenance(), Measuring(0), benchmark(name))
    for number, testset in enumerate(testsets):
        logits = np.array([-1.0, 1.0 - number, 0.5])
        evaluation.add(testset, Scores(["a", "b", "c"], np.array([0, 0, 1], np.uint8), logits))
    return evaluation


# --- the entries ---


def test_help_lists_the_benchmarks() -> None:
    assert list(BENCHMARKS) == benchmark_names() == list(COUNTS)


@pytest.mark.parametrize("name", COUNTS)
def test_an_entry_is_consistent(name: str) -> None:
    its = benchmark(name)
    assert (len(its.order), len(its.mean_over)) == COUNTS[name]
    assert len({*its.order}) == len(its.order)
    assert {*its.mean_over} <= {*its.order}
    assert its.name == name
    assert its.metrics and {*its.metrics} <= {*METRICS}
    assert its.owner and its.title and its.source and its.layout_words and its.protocol.words
    assert its.pooled not in its.order
    assert {*its.layout.also, *its.layout.pairs, *its.layout.reals} <= {*its.order}
    folders = [*its.order, *(path for paths in its.layout.also.values() for path in paths)]
    assert len({*folders}) == len(folders)  # no folder may be two test sets
    for detector, row in its.published.items():
        assert row.source, detector
        assert {*row.figures} <= {*its.order, MEAN, its.pooled}
        for figures in row.figures.values():
            assert figures and {*figures} <= {*METRICS}
            assert all(0 < value <= 1 for value in figures.values())
    told = {
        metric for row in its.published.values() for its in row.figures.values() for metric in its
    }
    assert told <= {*its.metrics}  # each has its table


def test_the_lists_are_those_of_the_papers() -> None:
    diffusion = set(REALS_OF)
    assert benchmark("foren13").order == benchmark("mini").order == ORDER
    assert benchmark("foren11").order == benchmark("foren13").mean_over == PAPER_ELEVEN
    assert benchmark("mini").mean_over == PAPER_ELEVEN
    assert {*benchmark("ufd19").order} == {*PAPER_ELEVEN} | diffusion
    assert {*benchmark("ltd16").order} == {*benchmark("foren8").order} | diffusion
    without = {"crn", "imle", "seeingdark", "san"}
    assert {*benchmark("foren8").order} == {*PAPER_ELEVEN, "stylegan2"} - without


def test_printed_means_are_those_of_the_figures() -> None:
    """Of figures that a benchmark prints by test set; they are rounded to a tenth of a per cent."""
    checked = 0
    for name in ("genimage8", "aigibench25"):
        its = benchmark(name)
        for row in its.published.values():
            for metric, printed in row.figures[MEAN].items():
                figures = [row.figures.get(t, {}).get(metric) for t in its.order]
                if None not in figures:
                    assert np.mean(figures) == written(printed, 3)
                    checked += 1
    assert checked == 7 + 2


def test_the_released_models_stand_in_the_papers_benchmarks_with_their_mean() -> None:
    ap = {name: row["ap"] for name, row in published("blur_jpg_prob0.5").items()}
    for name in ("foren11", "foren13", "foren8"):
        its = benchmark(name)
        figures = its.published["blur_jpg_prob0.5"].figures
        assert {t: figures[t]["ap"] for t in its.order} == {t: ap[t] for t in its.order}
        assert figures[MEAN]["ap"] == pytest.approx(np.mean([ap[t] for t in its.mean_over]))


def test_an_unknown_benchmark_is_refused_with_the_known_ones() -> None:
    assert benchmark("") is PAPER
    with pytest.raises(UsageError, match=r"^--benchmark foren is not one of foren11, .*liquify"):
        benchmark("foren")


def test_the_documents_tell_of_each_benchmark() -> None:
    text = (ROOT / "docs/evaluation.md").read_text(encoding="utf-8")
    rows = [[cell.strip(" `") for cell in line.split("|")] for line in text.split("\n")]
    told = {row[1]: row for row in rows if len(row) > 6}
    for name, (sets, mean_over) in COUNTS.items():
        assert told[name][2:4] == [str(sets), str(mean_over)], name


# --- folders ---


def test_its_own_sets_are_scored_and_the_rest_is_named(
    run: Run, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path / "test", ours("own set", "san", "progan", "stylegan2"))
    folder = run("--dataroot", tmp_path / "test", "--benchmark", "foren11")
    assert list(table(folder)) == ["progan", "san", "mean"]
    error = capsys.readouterr().err.split("\n")
    (left_out,) = [line for line in error if "left out" in line]
    assert left_out == "left out, as foren11 does not have them: own set, stylegan2"
    (missing,) = [line for line in error if "missing" in line]
    assert "9 of its 11 test sets are missing (stylegan, biggan, " in missing
    assert missing.endswith("the mean is a partial one")
    text = (folder / "table.md").read_text()
    assert "**partial mean over 2 of the paper's 11 test sets**" in text
    assert "Benchmark foren11 (ForenSynths, the paper's eleven; Wang et al." in text
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["benchmark_name"] == "foren11"
    assert metrics["partial"] == []
    assert any("9 of its 11" in text for text in metrics["warnings"])


def test_without_a_benchmark_nothing_is_said_of_one(run: Run, tmp_path: pathlib.Path) -> None:
    fill(tmp_path / "test", ours("own set", "san"))
    folder = run("--dataroot", tmp_path / "test")
    assert list(table(folder)) == ["san", "own set", "mean"]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert not {"benchmark_name", "pooled"} & set(metrics)
    text = (folder / "table.md").read_text()
    assert "enchmark" not in text and "ublished" not in text and "issing" not in text
    assert "mean over 1 of the paper's 11 test sets." in text


def test_testsets_names_some_of_it(run: Run, tmp_path: pathlib.Path) -> None:
    fill(tmp_path / "test", ours("own", "san", "progan"))
    arguments = ("--dataroot", tmp_path / "test", "--benchmark", "foren11", "--testsets")
    folder = run(*arguments, "san")
    assert list(table(folder)) == ["san", "mean"]
    assert json.loads((folder / "metrics.json").read_text())["partial"] == ["progan"]
    with pytest.raises(UsageError, match=r"^--testsets: own not among those of --benchmark foren"):
        run(*arguments, "own,san")
    with pytest.raises(UsageError, match=r"^--testsets: crn not in .*; it holds progan, san$"):
        run(*arguments, "crn,san")


def test_a_folder_without_any_of_its_sets_is_refused_with_what_was_looked_for(
    run: Run, tmp_path: pathlib.Path
) -> None:
    fill(tmp_path, ours("test/reddit", "own"))
    for root, words in (
        (tmp_path, r"reddit, twitter, facebook; its test sets may be in .*test "),
        (tmp_path / "own", r"reddit, twitter, facebook \(docs/evaluation.md"),
        (tmp_path / "test/reddit/0_real", "reddit, twitter"),
    ):
        with pytest.raises(
            UsageError, match=f"holds none of the test sets of --benchmark.*{words}"
        ):
            run("--dataroot", root, "--benchmark", "wildrf")
    with pytest.raises(UsageError, match="no such folder"):
        run("--dataroot", tmp_path / "none", "--benchmark", "wildrf")


def test_one_test_set_and_a_manifest_may_be_the_data_root(run: Run, tmp_path: pathlib.Path) -> None:
    fill(tmp_path / "test", ours("twitter", "own"))
    one = run("--dataroot", tmp_path / "test/twitter", "--benchmark", "wildrf")
    assert list(table(one)) == ["twitter", "mean"]
    rows = [
        f"{name}/{label}/0.png,{label[0]},{name}"
        for name in ("own", "twitter")
        for label in ("0_real", "1_fake")
    ]
    (tmp_path / "test/list.csv").write_text("\n".join(["path,label,testset", *rows]))
    listed = run("--dataroot", tmp_path / "test/list.csv", "--benchmark", "wildrf", name="listed")
    assert list(table(listed)) == ["twitter", "mean"]
    assert table(listed)["twitter"]["num_real"] == "1"


GENERATORS = (  # the folders, as its README names them
    *("Midjourney", "Stable Diffusion V1.4", "Stable Diffusion V1.5", "ADM", "GLIDE"),
    *("Wukong", "VQDM", "BigGAN"),
)


@pytest.mark.parametrize("deeper", ["", "/imagenet_ai"])
def test_genimage_as_it_is_released(run: Run, tmp_path: pathlib.Path, deeper: str) -> None:
    """As its README draws it, and as its archives unpack; the images of train are passed over."""
    val = [f"{name}{deeper}/val/{label}" for name in GENERATORS for label in ("ai", "nature")]
    train = [path.replace("/val/", "/train/") for path in val]
    fill(tmp_path, val, images=1)
    fill(tmp_path, train, images=2)
    folder = run("--dataroot", tmp_path, "--benchmark", "genimage8")
    rows = table(folder)
    assert list(rows) == [*benchmark("genimage8").order, "mean"]
    assert {(row["num_real"], row["num_fake"]) for row in list(rows.values())[:-1]} == {("1", "1")}
    text = (folder / "table.md").read_text()
    assert "missing" not in text
    (theirs,) = [
        line for line in text.split("\n") if line.startswith("| SDv1.4 ") and "96.30" in line
    ]
    assert [cell.strip() for cell in theirs.strip("|").split("|")][2:] == [
        *("99.90", "99.90", "99.90", "96.30", "99.40", "99.90", "99.20"),
    ]
    (means,) = [line for line in text.split("\n") if line.startswith("| mean ") and "64.20" in line]
    accuracy = float(rows["mean"]["accuracy"])
    assert [cell.strip() for cell in means.split("|")][2] == f"{100 * accuracy:.2f}"


def test_the_diffusion_sets_of_ufd_share_their_reals(run: Run, tmp_path: pathlib.Path) -> None:
    below = [f"diffusion_datasets/{path}" for path in ("guided/1_fake", "ldm_100/1_fake")]
    fill(tmp_path, [*ours("progan"), *below, "diffusion_datasets/laion/0_real"])
    fill(tmp_path, ["diffusion_datasets/imagenet/0_real"], images=3)
    rows = table(run("--dataroot", tmp_path, "--benchmark", "ufd19"))
    assert {name: (row["num_real"], row["num_fake"]) for name, row in rows.items()} == {
        **{"progan": ("2", "2"), "guided": ("3", "2"), "ldm_100": ("2", "2"), "mean": ("", "")}
    }


def test_synthbuster_needs_its_reals(run: Run, tmp_path: pathlib.Path) -> None:
    fill(tmp_path / "release", ["dalle2", "glide"])
    fill(tmp_path, ["RAISE-1k"], images=3)
    arguments = ("--dataroot", tmp_path / "release", "--benchmark", "synthbuster")
    with pytest.raises(UsageError, match=r"--benchmark synthbuster: .*dalle2 holds fakes.*--real$"):
        run(*arguments)
    rows = table(run(*arguments, "--real", tmp_path / "RAISE-1k"))
    assert list(rows) == ["dalle2", "glide", "mean"]
    assert {(rows[n]["num_real"], rows[n]["num_fake"]) for n in ("dalle2", "glide")} == {("3", "2")}
    fill(tmp_path / "ours", ours("dalle2"))  # brought into our layout
    rows = table(run("--dataroot", tmp_path / "ours", *arguments[2:], name="ours"))
    assert (rows["dalle2"]["num_real"], rows["dalle2"]["num_fake"]) == ("2", "2")


def test_liquify_as_it_is_released(
    run: Run, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, ["original", "modified"])
    fill(tmp_path, ["reference"], images=5)  # the fakes before modification: neither
    folder = run("--dataroot", tmp_path, "--benchmark", "liquify", "--no_crop", "--resize", 400)
    rows = table(folder)
    assert list(rows) == ["liquify", "mean"]
    assert (rows["liquify"]["num_real"], rows["liquify"]["num_fake"]) == ("2", "2")
    predictions = list(csv.DictReader((folder / "predictions.csv").open()))
    labels = {
        row["path"].split("/")[-2] if "/" in row["path"] else "": row["label"]
        for row in predictions
    }
    assert labels == {"original": "0", "": "1"}
    told = capsys.readouterr()
    assert "left out, as liquify does not have them: reference" in told.err
    assert "its papers score" not in told.err  # they do as this did
    assert "93.90" in told.out and "98.90" in told.out


REALS = {"ffhq": 5, "afhqv2": 3, "metfaces": 2}  # so many images each


def test_stylegan3_has_a_row_over_all_images(
    run: Run, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reals that configurations share count once in it; scikit-learn agrees."""
    its = benchmark("stylegan3")
    fill(tmp_path / "test", [f"{name}/1_fake" for name in its.order])
    for name, images in REALS.items():
        fill(tmp_path / "test", [f"{name}/0_real"], images=images)
    folder = run("--dataroot", tmp_path / "test", "--benchmark", "stylegan3")
    rows = table(folder)
    assert list(rows) == [*its.order, "all", "mean"]
    assert [rows[n]["num_real"] for n in ("ffhqu-t", "afhqv2-r", "metfacesu-t")] == ["5", "3", "2"]
    assert (rows["all"]["num_real"], rows["all"]["num_fake"]) == ("10", "16")
    places: dict[str, tuple[int, float]] = {}
    for row in csv.DictReader((folder / "predictions.csv").open()):
        place = os.path.normpath(os.path.join(row["testset"], row["path"]))
        places[place] = int(row["label"]), float(row["logit"])
    assert len(places) == 26
    area = sklearn.metrics.roc_auc_score(*zip(*places.values(), strict=True))
    assert float(rows["all"]["auroc"]) == written(area, 6)
    printed = [line for line in capsys.readouterr().out.split("\n") if line.startswith("| all ")]
    assert [cell.strip() for cell in printed[-1].strip("|").split("|")] == [
        *("all", f"{100 * area:.2f}", "92.00", "95.00"),
    ]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert list(metrics["testsets"]) == list(its.order)
    assert metrics["pooled"]["all"]["num_fake"] == 16
    # from the saved scores again, into the same folder
    run("--predictions", folder / "predictions.csv")
    assert table(folder) == rows


# --- saved scores ---


def test_saved_scores_remember_their_benchmark(
    run: Run, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = save(tmp_path / "saved/predictions.csv", "stylegan2", "progan", "crn", "zeta", "guided")
    first = run("--predictions", saved, "--benchmark", "ufd19", name="first")
    assert list(table(first)) == ["progan", "crn", "guided", "mean"]
    assert "left out, as ufd19 does not have them: stylegan2, zeta" in capsys.readouterr().err
    again = run("--predictions", first / "predictions.csv", name="again")
    for file in ("table.csv", "predictions.csv"):
        assert (again / file).read_text() == (first / file).read_text()
    assert json.loads((again / "metrics.json").read_text())["benchmark_name"] == "ufd19"
    plain = run("--predictions", saved, name="plain")
    assert list(table(plain)) == ["progan", "crn", "stylegan2", "guided", "zeta", "mean"]
    # the mean is over both of the eleven, and over three of the nineteen
    values = {
        name: [float(row["ap"]) for row in table(its).values()]
        for name, its in (("p", plain), ("u", first))
    }
    assert values["p"][-1] == written(np.mean(values["p"][:2]), 5)
    assert values["u"][-1] == written(np.mean(values["u"][:3]), 5)


def test_another_benchmark_may_be_asked_for(run: Run, tmp_path: pathlib.Path) -> None:
    saved = save(tmp_path / "saved/predictions.csv", "progan", "stylegan2", "crn")
    first = run("--predictions", saved, "--benchmark", "foren11", name="first")
    assert list(table(first)) == ["progan", "crn", "mean"]
    other = run("--predictions", saved, "--benchmark", "foren8", name="other")
    assert list(table(other)) == ["progan", "stylegan2", "mean"]
    both = run("--predictions", first / "predictions.csv", saved, "--benchmark", "foren8", name="b")
    rows = list(csv.DictReader((both / "table.csv").open()))
    assert [row["testset"] for row in rows] == ["progan", "mean", "progan", "stylegan2", "mean"]
    with pytest.raises(
        UsageError, match=r"holds none of the test sets of --benchmark wildrf.*progan"
    ):
        run("--predictions", saved, "--benchmark", "wildrf")
    with pytest.raises(UsageError, match="--testsets: crn not among those of --benchmark foren8"):
        run("--predictions", saved, "--benchmark", "foren8", "--testsets", "crn")
    metrics = json.loads((first / "metrics.json").read_text()) | {"partial": ["biggan", "san"]}
    (first / "metrics.json").write_text(json.dumps(metrics))
    part = run("--predictions", first / "predictions.csv", "--benchmark", "foren8", name="part")
    assert json.loads((part / "metrics.json").read_text())["partial"] == ["biggan"]
    text = (first / "metrics.json").read_text().replace('"foren11"', '"foren99"')
    (first / "metrics.json").write_text(text)
    with pytest.raises(UsageError, match=r"predictions.csv: benchmark_name foren99 is not one of"):
        run("--predictions", first / "predictions.csv", name="none")


def test_an_image_of_several_sets_is_pooled_once() -> None:
    one = Scores(["../r/0.png", "1.png"], np.array([0, 1], np.uint8), np.array([-1.0, 2.0]))
    other = Scores(["../r/0.png", "1.png"], np.array([0, 1], np.uint8), np.array([-1.0, 3.0]))
    none: dict[str, str] = {}
    for roots in (none, {"a": "d/a", "b": "d/b"}):
        pooled = pooled_once({"a": one, "b": other}, roots)
        assert pooled.labels.tolist() == [1, 1, 0]
        assert pooled.logits.tolist() == [2.0, 3.0, -1.0]
    apart = pooled_once({"a": one, "b": other}, {"a": "d/a", "b": "e/b"})
    assert len(apart.paths) == 4


# --- what is said ---


@pytest.mark.parametrize(
    ("name", "protocol", "is_other"),
    [
        ("foren11", ScoringProtocol(), False),
        ("foren11", ScoringProtocol(crop_size=None), False),
        ("foren11", ScoringProtocol(crop_size=256), True),
        ("foren11", ScoringProtocol(resize=256), True),
        ("foren11", ScoringProtocol(crops=5), True),
        ("foren11", ScoringProtocol(reencode="png"), True),
        ("foren8", ScoringProtocol(), True),
        ("foren8", ScoringProtocol(crop_size=256), False),
        ("ufd19", ScoringProtocol(crop_size=None), True),
        ("genimage8", ScoringProtocol(crop_size=64, reencode="jpeg:96"), False),
        ("foren8", ScoringProtocol(crop_size=None, resize=(256, 256)), False),
        ("foren8", ScoringProtocol(crop_size=None, resize=256), True),
        ("wildrf", ScoringProtocol(), True),
        ("wildrf", ScoringProtocol(crop_size=None, resize=(256, 256)), False),
        ("liquify", ScoringProtocol(crop_size=None), True),
        ("liquify", ScoringProtocol(crop_size=None, resize=400), False),
    ],
)
def test_another_transform_than_the_papers_is_warned_of(
    name: str, protocol: ScoringProtocol, is_other: bool
) -> None:
    evaluation = evaluation_of(name, *benchmark(name).order, origin=Provenance(protocol=protocol))
    said = unlike_published(evaluation)
    assert len(said) == is_other
    if is_other:
        assert said[0].startswith(f"{name}: its papers score {benchmark(name).protocol.words}")
        assert said[0] in warnings([evaluation])
    assert benchmark(name).protocol.words in caption(evaluation)


def test_sets_beside_the_mean_leave_it_whole() -> None:
    evaluation = evaluation_of("foren13", *PAPER_ELEVEN)
    (said,) = unlike_published(evaluation)
    assert said == "foren13: 2 of its 13 test sets are missing (stylegan2, whichfaceisreal)"
    assert "partial" not in caption(evaluation)


def test_the_miniature_is_not_the_papers_images() -> None:
    mini, real = Provenance(note="A miniature.", dataroot="d"), Provenance(dataroot="d")
    (said,) = unlike_published(evaluation_of("foren11", *PAPER_ELEVEN, origin=mini))
    assert "the images are the miniature's" in said
    assert unlike_published(evaluation_of("mini", *ORDER, origin=mini)) == []
    (said,) = unlike_published(evaluation_of("mini", *ORDER, origin=real))
    assert "minibench.json" in said
    assert published_tables(evaluation_of("mini", *ORDER, origin=mini)) == []


def test_published_rows_stand_beside_ours() -> None:
    tables = published_tables(evaluation_of("ufd19", *benchmark("ufd19").order))
    assert [its.title for its in tables] == ["Published on ufd19: acc.", "Published on ufd19: AP"]
    accuracy, ap = tables
    assert list(ap.headings) == ["test set", "m", "univfd", "rine", "effort"]
    (means,) = ap.cells  # nothing was published by test set
    assert (means[0], means[2:]) == ("mean", ["93.40", "98.80", "99.30"])
    assert accuracy.headings[2] == "cnndetection"
    assert "partial" not in ap.note
    its = evaluation_of("genimage8", *benchmark("genimage8").order)
    (by_set,) = published_tables(its)
    assert [row[0] for row in by_set.cells] == [*its.benchmark.order, MEAN]
    ours = [100 * line.metrics["accuracy"].value for line in its.lines()]
    assert len({*ours}) > 1
    assert [float(row[1]) for row in by_set.cells] == written(ours, 2)
    part = published_tables(evaluation_of("ufd19", "progan"), "m")[0]
    assert part.title.startswith("m: Published on ufd19")
    assert part.note.startswith("Our mean is a partial one")
    assert all(source in accuracy.note for source in ("univfd", "collected", "not checked"))
