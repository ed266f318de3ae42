"""The shipped figures of the demo: made from several runs, and compared with a new one."""

from __future__ import annotations

import csv
import json
import pathlib
import sys
import types

import pytest

from minibench import compare, spread
from tests.conftest import ROOT
from util.errors import UsageError

Capture = pytest.CaptureFixture[str]
PACKAGES = {"torch": "2.0.0", "numpy": "1.0.0"}


def make_results(
    root: pathlib.Path, seed: int, figures: dict[str, tuple[str, str]], torch: str = "2.0.0"
) -> pathlib.Path:
    """What train.py and eval.py leave of a run, as far as it is read here."""
    run, results = root / f"checkpoints/demo{seed}", root / f"results/demo{seed}"
    for folder in (run, results):
        folder.mkdir(parents=True)
    command = f"python train.py --name demo{seed} --seed {seed}"
    about = {"seed": seed, "command": command, "packages": {**PACKAGES, "torch": torch}}
    about |= {"python": "3.12.1", "platform": "Linux"}
    (run / "run.json").write_text(json.dumps(about))
    weights = f"checkpoints/demo{seed}/model_epoch_latest.pth"
    (results / "metrics.json").write_text(
        json.dumps({"about": 1, "weights": weights, "dataroot": "dataset/mini/test"})
    )
    with (results / "table.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerow(["testset", "num_real", "ap", "accuracy", "auroc"])
        writer.writerows([name, 200, *values, "0.5"] for name, values in figures.items())
    return results


def run(
    module: types.ModuleType, capsys: Capture, monkeypatch: pytest.MonkeyPatch, *argv: object
) -> str:
    monkeypatch.setattr(sys, "argv", ["command", *map(str, argv)])
    capsys.readouterr()
    module.main()
    return capsys.readouterr().out


@pytest.fixture
def shipped(
    tmp_path: pathlib.Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> pathlib.Path:
    """Three runs: progan's AP 0.96 to 0.98, san's accuracy 0.5 to 0.7."""
    folders = [
        make_results(
            tmp_path,
            seed,
            {
                "progan": (f"0.9{6 + seed}0000", "0.900000"),
                "san": ("0.800000", f"0.{5 + seed}00000"),
                "mean": (f"0.8{8 + seed // 2}0000", "0.750000"),
            },
        )
        for seed in range(3)
    ]
    out = tmp_path / "shipped.csv"
    said = run(spread, capsys, monkeypatch, *folders, "--out", out)
    assert str(out) in said
    return out


def test_several_runs_make_the_shipped_figures(
    shipped: pathlib.Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = list(csv.DictReader(shipped.open()))
    assert list(rows[0]) == ["seed", "testset", "ap", "accuracy"]
    assert len(rows) == 9
    assert rows[4] == {"seed": "1", "testset": "san", "ap": "0.800000", "accuracy": "0.600000"}
    about = json.loads(shipped.with_suffix(".json").read_text())
    assert about["seeds"] == [0, 1, 2]
    assert about["packages"] == PACKAGES
    assert about["processor"]
    assert about["commands"][1] == [
        "python train.py --name demo1 --seed 1",
        "python eval.py --model_path checkpoints/demo1/model_epoch_latest.pth"
        " --dataroot dataset/mini/test",
    ]
    folder = shipped.parent / "results/demo0"
    with pytest.raises(UsageError, match=r"--out .*--overwrite"):
        run(spread, capsys, monkeypatch, folder, "--out", shipped)
    run(spread, capsys, monkeypatch, folder, "--out", shipped, "--overwrite")
    assert json.loads(shipped.with_suffix(".json").read_text())["seeds"] == [0]


def test_runs_that_do_not_belong_together_are_refused(
    shipped: pathlib.Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, out = shipped.parent, shipped.parent / "more.csv"
    other = make_results(root, 3, {"mean": ("0.9", "0.9")}, torch="2.1.0")
    with pytest.raises(UsageError, match=r"demo3.*packages"):
        run(spread, capsys, monkeypatch, root / "results/demo0", other, "--out", out)
    with pytest.raises(UsageError, match="seed 0 is there twice"):
        run(spread, capsys, monkeypatch, *[root / "results/demo0"] * 2, "--out", out)
    (root / "results/demo0/table.csv").unlink()
    with pytest.raises(UsageError, match=r"demo0.table\.csv"):
        run(spread, capsys, monkeypatch, root / "results/demo0", "--out", out)
    assert not out.exists()


def test_a_table_inside_the_spread_is_told_so(
    shipped: pathlib.Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shipped.parent)
    ours = pathlib.Path("results/demo1")
    pathlib.Path("dataset/mini/val").mkdir(parents=True)
    said = run(compare, capsys, monkeypatch, ours, "--shipped", shipped)
    row = next(line for line in said.splitlines() if "progan" in line)
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        *("progan", "97.00", "96.00 to 98.00", "90.00", "90.00 to 90.00"),
    ]
    assert "all 6 figures lie inside" in said
    assert "3 runs" in said
    assert f"torch {PACKAGES['torch']}" in said
    last = said.splitlines()[-3:]
    assert all(line.startswith("next: ") for line in last)
    assert "results/demo1/report.html" in last[0]
    assert "predict.py --model_path checkpoints/demo1/model_epoch_latest.pth" in last[1]
    assert "--dataroot dataset/mini/test --calibrate_on dataset/mini/val" in last[2]


def test_what_lies_outside_is_named(
    shipped: pathlib.Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = {"progan": ("0.950000", "0.900000"), "san": ("0.800000", "0.847500")}
    ours = make_results(shipped.parent, 7, {**figures, "mean": ("0.885000", "0.750000")})
    said = run(compare, capsys, monkeypatch, ours, "--shipped", shipped)
    assert "4 of 6 figures lie inside" in said
    assert "progan AP 95.00 (96.00 to 98.00)" in said
    assert "san acc. 84.75 (50.00 to 70.00)" in said


def test_sets_of_one_side_alone_are_passed_over(
    shipped: pathlib.Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = {"san": ("0.800000", "0.600000"), "dalle": ("0.1", ""), "mean": ("0.2", "0.2")}
    ours = make_results(shipped.parent, 8, figures)
    said = run(compare, capsys, monkeypatch, ours, "--shipped", shipped)
    assert "all 2 figures lie inside" in said  # a mean over other sets is another figure
    assert "| dalle" in said
    assert "not part of the shipped runs: dalle" in said


def test_a_set_that_is_in_no_mean_leaves_the_mean_comparable(
    shipped: pathlib.Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = {"progan": ("0.970000", "0.900000"), "san": ("0.800000", "0.600000")}
    figures |= {"shallow": ("0.500000", "0.500000"), "mean": ("0.885000", "0.750000")}
    ours = make_results(shipped.parent, 9, figures)
    said = run(compare, capsys, monkeypatch, ours, "--shipped", shipped)
    assert "all 6 figures lie inside" in said
    assert "not part of the shipped runs: shallow\n" in said
    row = next(line for line in said.splitlines() if "| shallow" in line)
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "shallow",
        "50.00",
        "",
        "50.00",
        "",
    ]


def test_what_is_missing_or_damaged_is_named(
    shipped: pathlib.Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = shipped.parent
    for ours, against, word in (
        (root / "none", shipped, "none.table"),
        (root / "results/demo0", root / "none.csv", "none.csv: cannot be read"),
    ):
        with pytest.raises(UsageError, match=word):
            run(compare, capsys, monkeypatch, ours, "--shipped", against)
    for text in ("seed,testset,ap\n0,san,0.5\n", "seed,testset,ap,accuracy\n0,san,x,0.5\n", "\x00"):
        shipped.write_text(text)
        with pytest.raises(UsageError, match=r"shipped\.csv"):
            run(compare, capsys, monkeypatch, root / "results/demo0", "--shipped", shipped)


def test_the_demo_ends_with_the_comparison() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\ndemo:")[2].partition("\n\n")[0]
    assert recipe.splitlines()[-1].split() == [
        "$(BIN)/python", "-m", "minibench.compare", "results/demo",
    ]  # fmt: skip


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def test_constraints_pin_what_is_required_and_nothing_else() -> None:
    kinds = ("", "-timm", "-dev")
    files = [ROOT / f"requirements{kind}.txt" for kind in kinds]
    lines = [line for file in files for line in file.read_text().split()]
    assert list(pinned()) == [line.partition(">=")[0] for line in lines]


def test_the_shipped_figures_were_made_with_them() -> None:
    shipped = ROOT / "minibench/demo_results.json"
    if not shipped.exists():
        pytest.skip("no figures are shipped yet")
    packages = json.loads(shipped.read_text())["packages"]
    assert packages == {name: pinned()[name] for name in packages}
