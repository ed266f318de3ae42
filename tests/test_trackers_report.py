"""An evaluation in trackers: the seed report's three panels, read back and counted."""

from __future__ import annotations

import csv
import json
import math
import pathlib
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from evaluation.predictions import Scores
from evaluation.thresholds import Calibration
from options.eval_options import EvalOptions
from options.names import TRACKERS
from options.parse import parse
from report.tracking import BARS, COLUMNS, most_wrong, send_report
from tests import commands, tracked
from tests.conftest import write_image
from tests.test_rows import evaluation_of
from tests.tolerances import written
from tests.toy_runs import run_training
from tests.undrawn import figures
from util.trackers import together
from util.trackers.tracker import Picture, Run, Table

Line = dict[str, str]


class Sent(NamedTuple):
    """An evaluation that was sent."""

    folder: pathlib.Path  # of the results
    store: pathlib.Path  # Trackio's
    dataroot: pathlib.Path
    told: str  # on standard error


@pytest.fixture(scope="module")
def sent(toy: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Sent:
    """Three test sets with 32 images, at most six of each with pictures."""
    out, store = tmp_path_factory.mktemp("sent"), tmp_path_factory.mktemp("store")
    run = run_training(toy, out, "--max_steps", 1, "--tracker", "")
    command = ["--model_path", run / "model_epoch_latest.pth", "--dataroot", toy / "test"]
    command += ["--results_dir", out, "--name", "sent", "--bootstrap", 0, "--num_threads", 0]
    command += ["--tracker", ",".join(TRACKERS), "--tracker_pictures", 6, "--device", "cpu"]
    with figures():
        result = commands.run("eval.py", *command, environment=tracked.offline(store, out))
    assert result.returncode == 0, result.stderr
    assert "--tracker" not in result.stderr
    return Sent(out / "sent", store, toy / "test", result.stderr)


def predicted(folder: pathlib.Path) -> dict[str, dict[str, Line]]:
    """The lines of predictions.csv, by test set and path."""
    found: dict[str, dict[str, Line]] = {}
    for line in csv.DictReader((folder / "predictions.csv").open()):
        found.setdefault(line["testset"], {})[line["path"]] = line
    return found


def is_wrong(line: Line) -> bool:
    return (float(line["logit"]) > 0) != (line["label"] == "1")


def measured(folder: pathlib.Path) -> list[Line]:
    return list(csv.DictReader((folder / "table.csv").open()))


def assert_rows_are(rows: list[list[Any]], lines: dict[str, Line], number: int) -> None:
    """Each prediction once, as predictions.csv has it, the most wrong first; the first `number`
    with pictures.
    """
    assert sorted(str(row[1]) for row in rows) == sorted(lines)
    wrongness = []
    for place, (picture, path, label, verdict, wrong, probability, logit) in enumerate(rows):
        line = lines[str(path)]
        value = float(line["logit"])
        assert f"{logit:.9g}" == line["logit"]
        assert probability == written(float(line["probability"]), 6)
        assert (label == "fake") == (line["label"] == "1")
        assert (verdict == "fake") == (value > 0)
        assert wrong == (label != verdict) == is_wrong(line)
        assert (picture is not None) == (place < number)
        wrongness.append(-value if label == "fake" else value)
    assert wrongness == sorted(wrongness, reverse=True)


def test_wandb_has_a_table_of_all_predictions_and_one_of_the_wrong_ones(sent: Sent) -> None:
    (part,) = tracked.recorded(sent.folder)
    lines = predicted(sent.folder)
    assert {name: len(its) for name, its in lines.items()} == {
        "progan": 16, "biggan": 8, "own set": 8,
    }  # fmt: skip
    for testset, its in lines.items():
        columns, rows = part.table(f"predictions/{testset}")
        assert columns == list(COLUMNS)
        assert_rows_are(rows, its, 6)
        wrong = {path: line for path, line in its.items() if is_wrong(line)}
        assert wrong
        columns, rows = part.table(f"misclassified/{testset}")
        assert columns == list(COLUMNS)
        assert_rows_are(rows, wrong, 6)
        assert part.summary[f"predictions/{testset}/nrows"] == len(its)
        assert part.summary[f"misclassified/{testset}/nrows"] == len(wrong)


def test_pictures_are_what_the_network_saw(sent: Sent) -> None:
    (part,) = tracked.recorded(sent.folder)
    for testset in ("progan", "own set"):
        _, rows = part.table(f"predictions/{testset}")
        for picture, path, *_ in rows[:6]:
            seen = Image.open(sent.dataroot / testset / path).crop((4, 4, 36, 36))  # of 40
            assert np.array_equal(np.asarray(Image.open(picture)), np.asarray(seen))


def test_wandb_has_the_bars_of_performance_and_the_results(sent: Sent) -> None:
    (part,) = tracked.recorded(sent.folder)
    table = measured(sent.folder)
    columns, rows = part.table("performance")
    assert columns == list(table[0])
    assert [row[0] for row in rows] == ["progan", "biggan", "own set", "mean"]
    for metric in BARS:
        _, bars = part.table(f"bars/{metric}_table")
        for (label, value), line in zip(bars, table, strict=True):
            assert (label, value) == (line["testset"], written(float(line[metric]), 6))
            assert part.summary[f"{metric}/{label}"] == value
    (files,) = part.files("results")
    for name in ("report.html", "table.csv", "metrics.json"):
        assert files[name].read_bytes() == (sent.folder / name).read_bytes()
    drawn = [path.stem for path in (sent.folder / "figures").glob("*.png")]
    sent_figures = {name for name in drawn if f"figures/{name}/_type" in part.summary}
    assert sent_figures == set(drawn) > {"performance", "roc", "scores"}
    head = json.loads((sent.folder / "metrics.json").read_text())
    assert part.config["weights_sha256"] == head["weights_sha256"]
    assert part.config["protocol"]["crop_size"] == 32
    assert (part.run.display_name, part.run.job_type) == ("sent", "eval")


def test_trackio_has_the_same_tables_and_metrics(sent: Sent) -> None:
    values: dict[str, Any] = {}
    for _, step, its in tracked.trackio_rows(sent.store):
        assert step == 0
        assert not values.keys() & its.keys()
        values |= its
    for testset, its in predicted(sent.folder).items():
        rows = [list(row.values()) for row in values[f"predictions/{testset}"]["_value"]]
        assert_rows_are(rows, its, 6)
        for row in rows[:6]:
            assert (sent.store / "media" / row[0]["file_path"]).is_file()
        wrong = values[f"misclassified/{testset}"]["_value"]
        assert len(wrong) == sum(map(is_wrong, its.values()))
    for line in measured(sent.folder):
        assert values[f"ap/{line['testset']}"] == written(float(line["ap"]), 6)
    assert len(values["performance"]["_value"]) == 4


def test_tensorboard_has_a_number_and_the_pictures_of_each_test_set(sent: Sent) -> None:
    events = EventAccumulator(str(sent.folder / "tensorboard")).Reload()
    for line in measured(sent.folder):
        (point,) = events.Scalars(f"accuracy/{line['testset']}")
        assert point.value == written(float(line["accuracy"]), 6)
    for testset in predicted(sent.folder):
        (sheet,) = events.Images(f"predictions/{testset}")
        assert (sheet.width, sheet.height) == (6 * 34, 34)  # 32 pixels, and a frame
    assert len(events.Images("figures/roc")) == 1


def test_the_user_is_told_how_much_was_sent(sent: Sent) -> None:
    line = "tensorboard, wandb, trackio: 32 predictions on 3 test sets; 18 pictures of at most 128"
    assert line in sent.told
    assert "wandb sync" in sent.told


class Kept:
    """A tracker that keeps what it is given, by the name of its run."""

    appends, where = True, ""
    runs: dict[str, dict[str, Any]] = {}  # noqa: RUF012 (of all that are opened)

    def __init__(self, run: Run) -> None:
        self.own = self.runs.setdefault(run.name, {"run": run})

    def table(self, name: str, table: Table) -> None:
        self.own[name] = table

    def bars(self, name: str, values: dict[str, float]) -> None:
        self.own[name] = values

    def files(self, *_: object) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    monkeypatch.setitem(together.TRACKERS, "wandb", Kept)
    monkeypatch.setattr(Kept, "runs", {})
    return Kept.runs


def options(*more: object) -> EvalOptions:
    return parse(EvalOptions, ["--predictions", "p.csv", "--tracker", "wandb", *map(str, more)])


def scores(*logits: float) -> Scores:
    """Of as many real images as fake ones."""
    labels = np.arange(len(logits)) % 2
    paths = [f"{number}.png" for number in range(len(logits))]
    return Scores(paths, labels.astype(np.uint8), np.array(logits))


def test_of_several_models_each_has_a_run_in_one_group(
    kept: dict[str, dict[str, Any]], tmp_path: pathlib.Path
) -> None:
    models = [evaluation_of({"crn": scores(1, 1, -1, -1)}, name=name) for name in ("a", "b")]
    send_report(options(), str(tmp_path / "both"), models, dataroot="", number=6)
    assert list(kept) == ["both-a", "both-b"]
    assert {its["run"].group for its in kept.values()} == {"both"}
    assert len({its["run"].id for its in kept.values()}) == 2


def test_large_pictures_are_shrunk_and_those_that_cannot_be_read_are_left_out(
    kept: dict[str, dict[str, Any]], tmp_path: pathlib.Path
) -> None:
    write_image(tmp_path / "crn/0.png", 1, (400, 300))
    model = evaluation_of({"crn": scores(1, -1)})
    model.provenance.protocol = None
    send_report(options(), str(tmp_path / "out"), [model], dataroot=str(tmp_path), number=6)
    rows = {row[1]: row[0] for row in kept["out"]["predictions/crn"].rows}
    assert rows["1.png"] is None
    assert isinstance(rows["0.png"], Picture)
    assert rows["0.png"].pixels.shape == (128, 128, 3)  # of the crop, which is square
    assert rows["0.png"].data.startswith(b"\xff\xd8")


def test_the_verdict_is_by_the_threshold_that_was_learned(
    kept: dict[str, dict[str, Any]], tmp_path: pathlib.Path
) -> None:
    calibration = Calibration(1.0, 0.9, 1.1, "accuracy", "val", num_real=3, num_fake=4)
    model = evaluation_of({"crn": scores(0.5, 1.5, 2.5, 0.7)}, calibration)
    send_report(options(), str(tmp_path / "out"), [model], dataroot="", number=6)
    rows = kept["out"]["misclassified/crn"].rows
    assert [row[1:5] for row in rows] == [
        ["2.png", "real", "fake", True], ["3.png", "fake", "real", True],
    ]  # fmt: skip


def test_an_undefined_figure_is_sent_as_such(
    kept: dict[str, dict[str, Any]], tmp_path: pathlib.Path
) -> None:
    only_fake = Scores(["a.png"], np.array([1], np.uint8), np.array([1.0]))
    model = evaluation_of({"crn": scores(1, 2), "san": only_fake})
    send_report(options(), str(tmp_path / "out"), [model], dataroot="", number=6)
    assert math.isnan(kept["out"]["ap"]["san"])


def test_ties_are_in_the_order_of_paths() -> None:
    assert most_wrong(scores(1, -1, 1, -1)) == [0, 1, 2, 3]
    assert most_wrong(scores(-1, 3, 2, -4)) == [3, 2, 0, 1]


def test_pictures_need_a_tracker(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(EvalOptions, ["--predictions", "p.csv", "--tracker_pictures", "5"])
    assert "--tracker_pictures has no effect without --tracker" in capsys.readouterr().err
    assert parse(EvalOptions, ["--predictions", "p.csv"]).tracker == ()
