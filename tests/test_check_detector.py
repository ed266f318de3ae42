"""`python -m tools.check_detector`: the figures of eval.py on the same images, and a verdict."""

from __future__ import annotations

import csv
import math
import pathlib
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import nn

import eval as eval_script
from evaluation.benchmarks import benchmark, benchmark_names
from evaluation.measure import MEAN, Estimate
from evaluation.metrics import METRICS
from networks.architectures import IMAGENET_MEAN, IMAGENET_STD
from networks.detectors import npr
from networks.detectors.release import Blueprint, Release, State, release
from networks.input_spec import InputSpec
from networks.timm_models import ModuleMissing
from options.check_options import CheckOptions
from options.eval_options import EvalOptions
from options.names import DETECTORS
from options.parse import parse
from tests.commands import ROOT
from tests.conftest import write_image
from tests.test_options import refused
from tests.tolerances import written
from tools import check_detector
from tools.checks.verdicts import decimals, verdict
from util import errors

SETS = ("reddit", "twitter", "facebook")  # of wildrf
Run = Callable[..., tuple[int, str, str]]
Rows = dict[str, list[str]]


class Darkness(nn.Module):
    """A network whose logit falls with the mean of a corner: fakes have a dark grid, mostly."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, device="meta"))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.bias - images[:, :, 2:8, 2:8].mean(dim=(1, 2, 3))[:, None]


def blueprint(state: State) -> Blueprint:
    spec = InputSpec(24, 24, any_size=False, resize=32, interpolation="bicubic")
    return Blueprint(Darkness(), state, IMAGENET_MEAN, IMAGENET_STD, spec)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Three test sets of nine images of each label, and the detector's file beside them."""
    root = tmp_path_factory.mktemp("check")
    torch.save({"bias": torch.full((1,), -0.6)}, root / "w.pth")
    for number, name in enumerate(SETS):
        for i in range(9):
            for label in ("0_real", "1_fake"):
                seed = 1000 * number + 2 * i + (label == "1_fake")
                write_image(root / "test" / name / label / f"{i}.png", seed, (40, 36))
    return root


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def publish(published: Mapping[str, Mapping[str, float]], **more: Any) -> None:  # noqa: ANN401
        about: dict[str, Any] = {"paper": "Nobody, 2026", "source": "s", "licence": "l"}
        its = Release(blueprint=blueprint, free=True, published=published, **about, **more)
        monkeypatch.setattr(npr, "RELEASE", its)

    return publish


@pytest.fixture
def run(
    root: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """The exit code and what was printed."""

    def run(*argv: object, data: pathlib.Path = root / "test") -> tuple[int, str, str]:
        where = ["--dataroot", data, "--results_dir", tmp_path / "results", "--num_threads", 0]
        words = ["check_detector.py", f"npr:{root / 'w.pth'}", *where, "--device", "cpu", *argv]
        monkeypatch.setattr("sys.argv", [str(word) for word in words])
        monkeypatch.setattr("signal.signal", lambda *_: None)
        with pytest.raises(SystemExit) as ended:
            errors.run(check_detector.main)
        out, error = capsys.readouterr()
        return int(str(ended.value.code)), out, error

    return run


def table(out: str) -> Rows:
    """The cells of each metric's row."""
    lines = [line.strip("|").split("|") for line in out.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line] for line in lines]
    return {row[0]: row[1:] for row in rows[2:]}


@pytest.fixture
def by_eval(
    root: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, float]:
    """The mean row of eval.py's table.csv, with a store of scores of its own."""
    monkeypatch.setattr("report.write.write_page", lambda *_, **__: None)
    monkeypatch.setattr(
        npr, "RELEASE", Release(blueprint=blueprint, paper="p", source="s", licence="l", free=True)
    )
    argv = ["--detector", f"npr:{root / 'w.pth'}", "--dataroot", root / "test", "--name", "e"]
    argv += ["--benchmark", "wildrf", "--results_dir", tmp_path / "eval", "--num_threads", 0]
    argv += ["--device", "cpu"]
    assert eval_script.main(parse(EvalOptions, list(map(str, argv)))) == 0
    *_, mean = csv.DictReader((tmp_path / "eval/e/table.csv").open())
    assert mean.pop("testset") == MEAN
    return {name: float(value) for name, value in mean.items() if value}


def test_the_figures_are_those_of_eval(
    run: Run,
    publish: Callable[..., None],
    by_eval: dict[str, float],
    capsys: pytest.CaptureFixture[str],
) -> None:
    capsys.readouterr()
    published = {"ap": 0.5, "accuracy": round(by_eval["accuracy"], 3)}
    publish({"wildrf": published}, published_of="w.pth")
    code, out, _ = run()
    assert code == 0
    rows = table(out)
    assert list(rows) == ["ap", "accuracy"]
    for metric, (told, value, interval, *_) in rows.items():
        assert float(told) == written(100 * published[metric], 1)
        assert float(value) == written(100 * by_eval[metric], 2)
        ends = [float(end) for end in interval.split(" to ")]
        assert ends == written([100 * by_eval[f"{metric}_{end}"] for end in ("low", "high")], 2)
    assert 0.5 < by_eval["accuracy"] < 1  # so that there is an interval to be in
    assert [row[3] for row in rows.values()] == ["differs", "agrees"]
    for words in ("images: 54", "mean over 3 of", "short side resized to 32 (bicubic)", "w.pth"):
        assert words in out
    assert "centre crop 24" in out


def test_scores_are_kept_and_taken_by_the_next(
    run: Run, publish: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish({"wildrf": {"ap": 0.5}})
    code, out, _ = run()
    monkeypatch.setattr(Darkness, "forward", None)
    assert (code, out) == run()[:2]


@pytest.mark.parametrize(
    ("published", "measured", "word"),
    [
        (0.9, Estimate(0.9, 0.88, 0.92), "agrees"),
        (0.92, Estimate(0.9, 0.88, 0.92), "agrees"),
        (0.8796, Estimate(0.9, 0.88, 0.92), "differs"),
        (0.87996, Estimate(0.9, 0.88, 0.92), "differs"),
        (0.879996, Estimate(0.9, 0.88, 0.92), "differs"),
        (0.923, Estimate(0.9, 0.88, 0.9226), "agrees"),
        (0.922, Estimate(0.9, 0.9225, 0.93), "agrees"),
        (0.922, Estimate(0.9, 0.9226, 0.93), "differs"),
        (0.923, Estimate(0.9, 0.88, 0.9224), "differs"),
        (0.9, Estimate(0.9), "cannot be told"),
        (0.9, Estimate(math.nan), "cannot be told"),
        (None, Estimate(0.9, 0.88, 0.92), "cannot be told"),
    ],
)
def test_verdicts(published: float | None, measured: Estimate, word: str) -> None:
    said = verdict(published, measured)
    assert said.word == word
    assert bool(said.reason) == (word == "cannot be told")
    assert verdict(0.9, measured, unlike="partial") == ("cannot be told", "partial")


def test_the_last_digit_of_a_published_figure() -> None:
    assert [decimals(figure) for figure in (0.9, 0.91, 0.912, 0.9124)] == [3, 3, 3, 4]


def test_of_a_part_nothing_can_be_told(run: Run, publish: Callable[..., None]) -> None:
    publish({"wildrf": {"ap": 1.0}})
    code, out, error = run("--testsets", "reddit,twitter")
    assert code == 0
    assert table(out)["ap"][3:] == ["cannot be told", "1 of 3 test sets are missing"]
    assert "images: 36" in out
    assert "facebook" in error


def test_where_nothing_was_published_the_benchmarks_metrics_are_shown(
    run: Run, publish: Callable[..., None]
) -> None:
    publish({})
    code, out, _ = run("--benchmark", "wildrf")
    assert code == 0
    rows = table(out)
    assert tuple(rows) == benchmark("wildrf").metrics
    assert {row[0] for row in rows.values()} == {""}
    assert {row[4] for row in rows.values()} == {"nothing published is known here"}


def test_the_miniatures_images_are_not_compared(
    run: Run, publish: Callable[..., None], root: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    publish({"wildrf": {"ap": 0.5}})
    (tmp_path / "mini/test").mkdir(parents=True)
    (tmp_path / "mini/minibench.json").write_text('{"note": "small"}')
    for name in SETS:
        (tmp_path / "mini/test" / name).symlink_to(root / "test" / name)
    out = run(data=tmp_path / "mini/test")[1]
    assert table(out)["ap"][3:] == ["cannot be told", "the images are the miniature's"]


def test_the_first_benchmark_that_is_all_there_is_taken(
    run: Run, publish: Callable[..., None], root: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    for name in (*SETS, "progan"):
        (tmp_path / "all" / name).mkdir(parents=True)
    both = {"foren11": {"ap": 0.5}, "wildrf": {"ap": 0.5}}
    publish(both)
    its = release("npr")
    assert check_detector.choose_benchmark(its, "npr", str(tmp_path / "all")).name == "wildrf"
    (tmp_path / "all/reddit").rmdir()
    assert check_detector.choose_benchmark(its, "npr", str(tmp_path / "all")).name == "foren11"
    assert "benchmark: wildrf" in run()[1]


def test_an_unreadable_image_makes_the_exit_code_1(
    run: Run, publish: Callable[..., None], tmp_path: pathlib.Path
) -> None:
    publish({"wildrf": {"ap": 0.5}})
    for number in range(4):
        write_image(tmp_path / f"d/reddit/{('0_real', '1_fake')[number % 2]}/{number}.png", number)
    (tmp_path / "d/reddit/0_real/bad.png").write_bytes(b"junk")
    code, out, error = run(data=tmp_path / "d")
    assert code == 1
    assert "images: 4" in out
    assert "reddit/0_real/bad.png" in error
    assert run("--skip_unreadable", data=tmp_path / "d")[0] == 0


@pytest.mark.parametrize(
    ("published", "argv", "words"),
    [
        ({}, [], ["npr: nothing that its authors report", "--benchmark"]),
        ({"foren8": {"ap": 0.5}}, [], ["holds no test set of foren8", "npr"]),
        ({"wildrf": {"ap": 0.5}}, ["--testsets", "progan"], ["progan", "wildrf"]),
        ({"wildrf": {"ap": 0.5}}, ["--benchmark", "foren8"], ["holds none of", "foren8"]),
        ({"wildrf": {"ap": 0.5}}, ["--dataroot", "/nowhere"], ["/nowhere: no such folder"]),
    ],
)
def test_bad_input_is_one_line(
    run: Run,
    publish: Callable[..., None],
    published: Mapping[str, Any],
    argv: list[str],
    words: list[str],
) -> None:
    publish(published)
    code, out, error = run(*argv)
    assert (code, out, error.count("\n")) == (2, "", 1)
    for word in words:
        assert word in error


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        ("--dataroot d", "DETECTOR is needed"),
        ("npr univfd --dataroot d", "DETECTOR is needed, one"),
        ("nobody --dataroot d", "DETECTOR must begin with one of"),
        ("npr --dataroot d", "npr needs its file"),
        ("npr:w --model_path w --dataroot d", "--model_path"),
        ("npr:w", "--dataroot is needed"),
        ("npr:w --dataroot d --benchmark none", "--benchmark must be one of"),
    ],
)
def test_wrong_usage(argv: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert word in refused(CheckOptions, argv, capsys)


# what every published detector says of itself


@pytest.mark.parametrize("name", DETECTORS)
def test_what_is_known_of_a_detector_is_whole(name: str) -> None:
    its = release(name)
    assert its.paper and its.licence
    assert its.files or its.pages
    addresses = [its.source, *its.files.values(), *its.pages.values()]
    addresses += [its.backbone_file] if its.backbone_file else []
    assert all(address.startswith("https://") for address in addresses)
    assert not {*its.files} & {*its.pages}
    assert {*its.sha256} <= {*its.files}
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in its.sha256.values())
    assert not any(address.endswith((".zip", ".tar.gz")) for address in its.files.values())
    restricted = re.search(r"none|NC|non-?(commercial|profit)|research", its.licence, re.IGNORECASE)
    assert its.free == (not restricted)
    assert its.published_of in ("", *its.files, *its.pages)
    assert bool(its.published_of) <= bool(its.published)


@pytest.mark.parametrize("name", DETECTORS)
def test_published_figures_are_of_known_benchmarks_and_agree_with_their_tables(name: str) -> None:
    for key, figures in release(name).published.items():
        assert key in benchmark_names()
        table = benchmark(key).published.get(name)
        means = table.figures.get(MEAN, {}) if table else {}
        for metric, value in figures.items():
            assert metric in METRICS
            assert 0 < value < 1
            assert metric not in means or value == written(means[metric], 3), (key, metric)


def test_the_documented_table_says_what_the_code_says(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs/detectors.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines()]
    told = {row[0].strip("`"): row for row in rows if len(row) == 7 and row[0].startswith("`")}
    assert set(told) == set(DETECTORS)
    monkeypatch.setitem(sys.modules, "timm", None)
    for name, (_, paper, _, _, licence, got, needs_timm) in told.items():
        its = release(name)
        assert (paper, licence) == (its.paper, its.licence)
        asked = "fetched" if its.free else "`--accept_licence`"
        assert got.startswith(asked if its.files else "by hand")
        try:
            its.blueprint({})
            needs = "no"
        except ModuleMissing:
            needs = "yes"
        assert needs_timm == needs, name
