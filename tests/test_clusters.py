"""--cluster: whole clusters are drawn for the intervals, alike for every test set and model."""

from __future__ import annotations

import csv
import json
import os
import pathlib
import re
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import sklearn.metrics

import eval as evaluate
from evaluation.bootstrap import bootstrap, interval
from evaluation.clusters import Clusters, with_clusters
from evaluation.compare import compare
from evaluation.evaluation import Evaluation, Provenance
from evaluation.measure import MEAN, Measuring, mean_of, measure_testset
from evaluation.predictions import Scores, pooled_once, write_predictions
from evaluation.suspicions import warnings
from minibench.photographs import CLUSTER, Crop
from options.cluster import cluster_rule
from options.eval_options import EvalOptions
from options.parse import parse
from tests.conftest import write_image
from tests.test_results import save_weights
from tests.tolerances import near
from util.errors import UsageError

BY_NUMBER = r"(?P<video>\d+)_"


def clustered(
    seed: int, num_clusters: int, each: int, spread: float = 1.0
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Images of both labels whose logits share a part that is their cluster's: how hard it is."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.repeat((0, 1), each // 2), num_clusters).astype(np.uint8)
    gap = np.repeat(1 + spread * rng.normal(size=num_clusters), each)
    logits = rng.normal(size=len(labels)) + np.where(labels == 1, gap, -gap) / 2
    return labels, logits, [f"c{number}" for number in np.repeat(range(num_clusters), each)]


def scores_of(seed: int, num_clusters: int = 12, each: int = 8) -> Scores:
    labels, logits, names = clustered(seed, num_clusters, each)
    paths = [f"{name[1:]}_{number:03}.png" for number, name in enumerate(names)]
    return Scores(paths, labels, logits)


def textbook(
    labels: np.ndarray, logits: np.ndarray, names: Sequence[str], resamples: int
) -> dict[str, np.ndarray]:
    """Draw as many clusters as there are, with replacement, and let scikit-learn see the images of
    each as often as it was drawn.
    """
    rng = np.random.default_rng(0)
    every = sorted(set(names))
    values: dict[str, list[float]] = {"ap": [], "auroc": [], "accuracy": []}
    for _ in range(resamples):
        drawn = rng.choice(every, len(every))
        images = [i for cluster in drawn for i, name in enumerate(names) if name == cluster]
        y, x = labels[images], logits[images]
        values["accuracy"].append(sklearn.metrics.accuracy_score(y, x > 0))
        if len(set(y)) == 2:
            values["ap"].append(sklearn.metrics.average_precision_score(y, x))
            values["auroc"].append(sklearn.metrics.roc_auc_score(y, x))
    return {name: np.array(its) for name, its in values.items()}


def counts_of(names: Sequence[str], resamples: int) -> np.ndarray:
    """How often each image is drawn: the accuracy of an image among one that is drawn as often as
    ever says it, without knowing how the draws are made.
    """
    ones = [
        bootstrap(
            np.ones(len(names)), np.eye(len(names))[i] - 0.5, resamples=resamples, clusters=names
        )["accuracy"]
        for i in range(len(names))
    ]
    return np.array(ones)  # shares: proportional to the counts


@pytest.mark.parametrize("ties", [False, True])
def test_each_resample_has_scikit_learns_figures_of_repeated_images(ties: bool) -> None:
    labels, logits, names = clustered(1, 5, 6)
    logits = np.round(logits, 0 if ties else 9)
    figures = bootstrap(labels, logits, resamples=40, clusters=names)
    shares = counts_of(names, 40)
    for number in range(40):
        share = shares[:, number]
        least = share[share > 0].min()  # 1/least, times up to a few, makes whole numbers of all
        scale = next(
            k
            for k in range(1, 9)
            if np.array_equal(np.round(share * k / least, 9), np.round(share * k / least))
        )
        images = np.repeat(np.arange(len(names)), np.round(share * scale / least).astype(int))
        y, x = labels[images], logits[images]
        expected = {
            "ap": sklearn.metrics.average_precision_score(y, x),
            "auroc": sklearn.metrics.roc_auc_score(y, x),
            "accuracy": sklearn.metrics.accuracy_score(y, x > 0),
        }
        for name, value in expected.items():
            assert figures[name][number] == near(value, 1e-12, "another order of doubles"), name


def test_intervals_are_those_of_a_textbook_cluster_bootstrap() -> None:
    labels, logits, names = clustered(2, 30, 12)
    figures = bootstrap(labels, logits, resamples=4000, clusters=names)
    expected = textbook(labels, logits, names, 600)
    for name, its in expected.items():
        low, high = np.quantile(its, (0.025, 0.975))
        width = high - low
        ours = interval(figures[name])
        assert ours[0] == near(low, 0.15 * width, "600 resamples"), name
        assert ours[1] == near(high, 0.15 * width, "600 resamples"), name
        images = interval(bootstrap(labels, logits, resamples=4000)[name])
        assert images[1] - images[0] < 0.8 * width  # what the clusters are for


@pytest.mark.parametrize(("num_clusters", "least", "most"), [(6, 0.82, 0.93), (30, 0.90, 0.98)])
def test_intervals_over_clusters_cover_where_those_over_images_do_not(
    num_clusters: int, least: float, most: float
) -> None:
    """The true AUROC of fresh clusters, from 4,000 of them. Six are few, as the warning says."""
    labels, logits, _ = clustered(10_000, 4000, 10)
    true = sklearn.metrics.roc_auc_score(labels, logits)
    hits = {"clusters": 0, "images": 0}
    for seed in range(300):
        labels, logits, names = clustered(seed, num_clusters, 10)
        for which, its in (("clusters", names), ("images", [])):
            drawn = bootstrap(labels, logits, resamples=400, seed=seed, clusters=its)
            low, high = interval(drawn["auroc"])
            hits[which] += low <= true <= high
    assert least <= hits["clusters"] / 300 <= most
    assert hits["images"] / 300 <= 0.85


def test_an_image_alone_is_a_cluster_and_a_repeated_set_gains_nothing() -> None:
    """AUROC, which does not change with the share of fakes: that of single images varies here."""
    labels, logits, _ = clustered(3, 40, 4)
    names = [f"{number}" for number in range(len(labels))]
    once = interval(bootstrap(labels, logits, resamples=3000, clusters=names)["auroc"])
    tenfold = [np.repeat(its, 10) for its in (labels, logits, np.array(names))]
    again = interval(
        bootstrap(tenfold[0], tenfold[1], resamples=3000, clusters=tenfold[2].tolist())["auroc"]
    )
    assert again == near(once, 1e-12, "the same draws of the same names")
    images = interval(bootstrap(labels, logits, resamples=3000)["auroc"])
    assert once == near(images, 0.02, "other draws")


def test_resamples_without_both_labels_are_left_out() -> None:
    labels, names = np.array([0, 1, 1, 0], np.uint8), ["a", "b", "b", "c"]
    logits = np.array([0.1, 0.3, -0.2, -0.4])
    figures = bootstrap(labels, logits, resamples=2000, clusters=names)
    undefined = np.isnan(figures["ap"])
    np.testing.assert_array_equal(undefined, np.isnan(figures["auroc"]))
    e = np.exp(-1)  # a cluster is not drawn at all this often
    expected = e + (1 - e) * e**2  # no fakes, or fakes and no reals
    assert undefined.mean() == near(expected, 0.04, "2000 resamples")
    assert np.isnan(figures["accuracy"]).mean() == near(e**3, 0.02, "2000 resamples")
    assert 0 < interval(figures["ap"])[0] <= interval(figures["ap"])[1] <= 1
    assert all(np.isnan(interval(np.full(3, np.nan))))


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, logits, names = clustered(4, 9, 6)
    whole = bootstrap(labels, logits, resamples=100, clusters=names)["ap"]
    monkeypatch.setattr("evaluation.bootstrap._AT_ONCE", 300)
    np.testing.assert_array_equal(
        whole, bootstrap(labels, logits, resamples=100, clusters=names)["ap"]
    )


def test_a_cluster_is_drawn_alike_for_all_test_sets_and_an_image_alone_for_its_own() -> None:
    """Two sets of the same photographs: their mean is as uncertain as either, not by a root of two
    less. One of them lacks a photograph, which must not move the draws of the others.
    """
    measuring = Measuring(2000, clusters=Clusters(BY_NUMBER))
    one = with_clusters(scores_of(5), measuring.clusters)
    first, same = (measure_testset(name, one, measuring) for name in ("crn", "imle"))
    np.testing.assert_array_equal(first.resamples["ap"], same.resamples["ap"])
    assert mean_of([first, same]).metrics["ap"] == near(
        first.metrics["ap"], 1e-12, "another order of doubles"
    )
    lacking = Scores(*(its[8:] for its in one))
    fewer = measure_testset("san", lacking, measuring)
    alike = np.round(first.resamples["ap"] - fewer.resamples["ap"], 9) == 0
    assert alike.mean() == near(np.exp(-1), 0.04, "the missing one is not drawn this often")
    alone = one._replace(clusters=[None] * len(one.paths))
    ap = [measure_testset(name, alone, measuring).resamples["ap"] for name in ("crn", "imle")]
    assert abs(np.corrcoef(ap[0], ap[1])[0, 1]) < 0.1
    assert (first.num_clusters, fewer.num_clusters) == (12, 11)
    assert measure_testset("san", alone, measuring).num_clusters == 96


@pytest.mark.parametrize(
    ("rule", "path", "cluster", "noun"),
    [
        (r"^\d+", "003_rest.png", "003", "cluster"),
        (r"(\d+)_(\d+)", "1_fake/033_097/0001.png", "033", "cluster"),
        (r"(?P<video>\d+)_(\d+)", "1_fake/033_097/0001.png", "033", "video"),
        (r"x(a)?", "xb.png", None, "cluster"),
        (r"x*", "1_fake/b.png", None, "cluster"),
        (r"\d+", "a/0_real/x_12.png", "12", "cluster"),
        (r".+", "cat/1_fake/7.png", "cat/7.png", "cluster"),
        (r"[^/]+$", "0_real/one name.png", "one name.png", "cluster"),
        (CLUSTER, "1_fake/wine_2_10_345.png", "wine", "photograph"),
        (CLUSTER, "nature/0_real/dust-bowl_a_home_4_0_0.jpeg", "dust-bowl_a_home", "photograph"),
        (CLUSTER, "0_real/wine_2_10_345_splice.png", "wine", "photograph"),
        (CLUSTER, "0_real/0001_splice.png", None, "photograph"),
        (CLUSTER, "a_1_2_3/0001.png", None, "photograph"),
    ],
)
def test_what_a_path_belongs_to(rule: str, path: str, cluster: str | None, noun: str) -> None:
    assert Clusters(rule).cluster_of(path) == cluster
    assert Clusters(rule).noun == noun


def test_the_miniatures_crops_belong_to_their_photographs() -> None:
    crop = Crop("picos-de-europa", 3, 120, 7)
    assert Clusters(CLUSTER).cluster_of(f"landscape/0_real/{crop.name}.png") == crop.photograph


@pytest.mark.parametrize("value", ["(", "column:", "column:label", "a{99999999999999}"])
def test_a_rule_that_is_none_is_refused(value: str) -> None:
    assert cluster_rule(value)
    assert cluster_rule("column:video") is cluster_rule(r"(\d+)_") is None


def test_few_clusters_and_images_without_one_are_warned_of() -> None:
    scores = scores_of(6, num_clusters=3)
    scores.paths[0] = "unnamed.png"
    evaluation = Evaluation("m", Provenance(), Measuring(20, clusters=Clusters(BY_NUMBER)))
    evaluation.add("crn", scores)
    said = " ".join(warnings([evaluation]))
    assert "1 of the 24 images of crn have no video" in said
    assert "over 4 videos are too narrow" in said
    enough = Evaluation("m", Provenance(), Measuring(20, clusters=Clusters(BY_NUMBER)))
    enough.add("crn", scores_of(6))
    assert not any("interval" in text for text in warnings([enough]))


def test_two_models_are_paired_by_the_same_draws() -> None:
    clusters = Clusters(BY_NUMBER)
    models = [Evaluation(n, Provenance(), Measuring(500, clusters=clusters)) for n in "ab"]
    for its, shift in zip(models, (0, 5), strict=True):
        for seed, name in enumerate(("crn", "imle")):
            scores = scores_of(seed)
            its.add(name, scores._replace(logits=scores.logits + shift))
    for line in compare(*models):
        for metric in ("ap", "auroc"):  # accuracy is not the same: the scores are shifted
            difference = tuple(line.leads[metric].difference)
            assert difference == near((0, 0, 0), 1e-12, "another order of doubles")
    assert [line.testset for line in compare(*models)] == ["crn", "imle", MEAN]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Two test sets of frames of three videos, weights, a manifest, and a marker."""
    root = tmp_path_factory.mktemp("videos")
    rows = []
    for number in range(12):
        for label in ("0_real", "1_fake"):
            path = f"{('progan', 'san')[number % 2]}/{label}/{number // 4}_{number:02}.png"
            write_image(root / "test" / path, number + 50 * (label < "1"))
            testset = path.partition("/")[0]
            rows.append(f"test/{path},{label[0]},{testset},film {number // 4}\n")
    (root / "manifest.csv").write_text("path,label,testset,film\n" + "".join(rows))
    save_weights(root / "mine.pth")
    return root


@pytest.fixture
def run(folder: pathlib.Path, tmp_path: pathlib.Path) -> Callable[..., pathlib.Path]:
    def call(*argv: object) -> pathlib.Path:
        base = ["--results_dir", tmp_path, "--bootstrap", 50, "--thumbnails", "none", "--overwrite"]
        if "--predictions" not in argv:
            base += ["--model_path", folder / "mine.pth", "--num_threads", 0]
        evaluate.main(parse(EvalOptions, list(map(str, [*base, *argv]))))
        return tmp_path / str(argv[argv.index("--name") + 1])

    return call


def rows_of(results: pathlib.Path) -> list[dict[str, str]]:
    with (results / "table.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_choice_is_said_kept_and_made_again(
    folder: pathlib.Path, run: Callable[..., pathlib.Path]
) -> None:
    made = run("--dataroot", folder / "test", "--cluster", BY_NUMBER, "--name", "a")
    metrics = json.loads((made / "metrics.json").read_text())
    assert (metrics["cluster"], metrics["clusters"]) == (BY_NUMBER, {"progan": 3, "san": 3})
    for file in ("table.md", "report.html", "table.tex"):
        text = (made / file).read_text()
        assert re.search(r"95 (\\)?%, bootstrap over 3 videos", text), file
    assert "3 videos are too narrow" in " ".join(metrics["warnings"])
    again = run("--predictions", made / "predictions.csv", "--name", "b")
    assert rows_of(again) == rows_of(made)
    images = run("--predictions", made / "predictions.csv", "--name", "c", "--cluster", "none")
    assert json.loads((images / "metrics.json").read_text())["cluster"] == ""
    assert rows_of(images) != rows_of(made)
    assert "bootstrap over images" in (images / "table.md").read_text()
    assert rows_of(run("--predictions", images / "predictions.csv", "--name", "d")) == rows_of(
        images
    )
    with pytest.raises(UsageError, match="--cluster"):
        both = (its / "predictions.csv" for its in (made, images))
        run("--predictions", *both, "--name", "e")
    with pytest.raises(UsageError, match=r"--cluster \^x: fits no image's path"):
        run("--predictions", made / "predictions.csv", "--name", "e", "--cluster", "^x")
    with pytest.raises(UsageError, match=r"--cluster \^x: fits no image's path"):
        run("--dataroot", folder / "test", "--cluster", "^x", "--name", "e")


def test_a_manifests_column_goes_with_the_predictions(
    folder: pathlib.Path, run: Callable[..., pathlib.Path]
) -> None:
    manifest = folder / "manifest.csv"
    made = run(
        "--dataroot", manifest, "--cluster", "column:film", "--name", "a", "--aligned", "jpeg:90"
    )
    with (made / "predictions.csv").open(newline="") as file:
        found = {row["path"]: row["film"] for row in csv.DictReader(file)}
    assert found["test/progan/0_real/2_08.png"] == "film 2"
    assert "bootstrap over 3 films" in (made / "table.md").read_text()
    again = run("--predictions", made / "predictions.csv", "--name", "b")
    assert rows_of(again) == rows_of(made)
    by_name = run("--dataroot", manifest, "--cluster", r"(\d)_\d+\.png", "--name", "c")
    assert [row["ap"] for row in rows_of(by_name)] == [row["ap"] for row in rows_of(made)]
    with pytest.raises(UsageError, match="has no column video"):
        run("--dataroot", manifest, "--cluster", "column:video", "--name", "d")
    with pytest.raises(UsageError, match="must be a manifest"):
        run("--dataroot", folder / "test", "--cluster", "column:film", "--name", "d")
    with pytest.raises(UsageError, match=r"--cluster column:video: is no column of .*by_name|c/"):
        run(
            "--predictions", by_name / "predictions.csv", "--cluster", "column:video", "--name", "d"
        )


def test_a_benchmarks_own_rule_is_taken_unasked(
    folder: pathlib.Path, run: Callable[..., pathlib.Path], tmp_path: pathlib.Path
) -> None:
    marker = folder / "minibench.json"
    try:
        marker.write_text(json.dumps({"note": "small", "cluster": BY_NUMBER}))
        made = run("--dataroot", folder / "test", "--name", "a")
        assert "bootstrap over 3 videos" in (made / "table.md").read_text()
        without = run("--dataroot", folder / "test", "--name", "b", "--cluster", "none")
        assert "bootstrap over images" in (without / "table.md").read_text()
        plain = tmp_path / "plain.csv"
        scores = scores_of(0, num_clusters=11)
        write_predictions(str(plain), {"crn": scores})
        told = run("--predictions", plain, "--name", "c", "--dataroot", folder / "test")
        assert "bootstrap over 11 videos" in (told / "table.md").read_text()
        for wrong in ("(", 3):
            marker.write_text(json.dumps({"note": "small", "cluster": wrong}))
            with pytest.raises(UsageError, match=r"minibench\.json"):
                run("--dataroot", folder / "test", "--name", "d")
    finally:
        marker.unlink()


def test_images_pooled_over_test_sets_keep_their_clusters() -> None:
    rule = Clusters(BY_NUMBER)
    sets = {name: with_clusters(scores_of(0, 2, 2), rule) for name in ("a", "b")}
    every = pooled_once(sets, {})
    assert every.paths[0] == os.path.realpath("a/0_000.png")
    assert every.clusters == ["0", "0", "1", "1"] * 2
    assert pooled_once({"a": scores_of(0)}, {}).clusters == ()
