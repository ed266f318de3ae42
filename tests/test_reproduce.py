"""`python -m tools.reproduce`: its commands, what it says they take, and the verdict of a cell."""

from __future__ import annotations

import json
import math
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from data.testsets import ORDER, PAPER_ELEVEN
from evaluation import published as published_figures
from evaluation.reproduction import judge
from options.parse import parse
from options.reproduce_options import ReproduceOptions
from tests.commands import ROOT, run
from tests.conftest import assert_wrong_usage
from tests.test_options import COMMANDS
from tests.tolerances import near
from tools import reproduce
from tools.full_scale import costs, rates, steps
from tools.full_scale.rates import Rates

MODELS = ("blur_jpg_prob0.5", "blur_jpg_prob0.1")


def plan(*argv: object) -> tuple[ReproduceOptions, list[steps.Step]]:
    options = parse(ReproduceOptions, [str(value) for value in argv])
    return options, steps.all_steps(options)


# the commands


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--released"],
        ["--released", "--no_download", "--testsets", "san,progan"],
        ["--processes", 8, "--device", "cuda", "--precision", "bf16", "--tf32", "--num_threads", 9],
        ["--train_options", "--blur_method scipy --schedule reference_plateau"],
    ],
)
def test_every_command_is_one_of_this_project(argv: list[object], tmp_path: pathlib.Path) -> None:
    folders = ["--root", tmp_path / "a b", "--checkpoints_dir", tmp_path / "c"]
    options, every = plan(*folders, "--results_dir", tmp_path / "r", *argv)
    kinds = [step.kind for step in every]
    model = ["crop", "no_crop"] if options.released else ["train", "crop", "no_crop"]
    assert kinds == ["download", "verify", *model, *model][1 if options.no_download else 0 :]
    for step in every:
        words = list(step.command)
        if words[:2] == ["-m", "torch.distributed.run"]:
            assert step.kind in ("train", "crop", "no_crop")
            assert words[2:5] == ["--standalone", "--nproc_per_node", "8"]
            words = words[5:]
        else:
            assert options.processes == 1 or step.kind in ("download", "verify")
        is_module = words[0] == "-m"
        name = words[1].replace(".", "/") + ".py" if is_module else words[0]
        its = parse(COMMANDS[name], words[2 if is_module else 1 :])
        if step.kind in ("train", "crop", "no_crop"):
            assert (its.device, its.precision) == (options.device, options.precision)
            assert (its.tf32, its.num_threads) == (options.tf32, options.num_threads)
        assert shlex.split(reproduce.as_typed(step)) == ["python", *step.command]


def test_the_two_models_are_trained_by_their_presets_and_swept_by_both_protocols() -> None:
    _, every = plan("--train_options", "--blur_method scipy")
    for model, prob in zip(MODELS, (0.5, 0.1), strict=True):
        train, crop, whole = (list(s.command) for s in every if model in s.what)
        options = parse(COMMANDS["train.py"], train[1:])
        assert (options.name, options.preset) == (model, (model,))
        assert (options.blur_prob, options.jpg_prob, options.blur_method) == (prob, prob, "scipy")
        assert options.continue_train
        best = f"checkpoints/{model}/model_epoch_best.pth"
        for command, no_crop in ((crop, False), (whole, True)):
            swept = parse(COMMANDS["eval.py"], command[1:])
            assert (swept.model_path, swept.no_crop) == ((best,), no_crop)
            assert swept.published == model
    _, every = plan("--released")
    assert every[0].command[2:4] == ("weights", "testset")
    assert [s.command[2] for s in every[2:]] == [
        f"checkpoints/{m}.pth" for m in MODELS for _ in "12"
    ]
    out = {s.command[s.command.index("--results_dir") + 1] for s in every[2:]}
    assert out == {"results/reproduce-eval"}  # beside those of the models trained anew


def test_make_has_both() -> None:
    for verb, flags in (("reproduce", ""), ("reproduce-eval", "--released")):
        told = subprocess.run(
            ["make", "--dry-run", "--no-print-directory", verb],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        last = told.stdout.splitlines()[-1].split()
        assert last[-len(flags.split()) - 2 :] == ["-m", "tools.reproduce", *flags.split()]
        parse(ReproduceOptions, last[3:])


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--train_options", "--no_such 1"], "--no_such is not known"),
        (["--train_options", "it's"], "--train_options must be options as a shell takes them"),
        (["--released", "--train_options", "--lr 1"], "--train_options has no effect"),
        (["--processes", "0"], "--processes must be between 1"),
    ],
)
def test_wrong_usage_is_one_line_before_anything_is_fetched(argv: list[str], words: str) -> None:
    assert_wrong_usage(run("-m", "tools.reproduce", *argv), words)


# what they take


RATES = Rates(train=100.0, score=400.0, read=50.0, device="x", shared=False, batch=1, png=1.0)


@pytest.fixture
def known_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "measure", lambda *_: RATES)
    monkeypatch.setattr(rates, "cores", lambda: 16)
    monkeypatch.setattr(costs, "free_space", lambda _: 100_000_000_000)


def test_a_dry_run_says_what_all_takes_and_does_nothing(
    known_rates: None,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(reproduce, "run_command", None)
    argv = ["--dry_run", "--root", tmp_path / "d", "--processes", 8, "--num_threads", 4]
    monkeypatch.setattr("sys.argv", ["reproduce.py", *map(str, argv)])
    reproduce.main()
    told = capsys.readouterr().out
    _, every = plan(*argv)
    for number, step in enumerate(every, 1):
        assert f"\n{number}. {reproduce.as_typed(step)}\n" in f"\n{told}"
    cells = {
        row[0]: row[1:]
        for line in told.splitlines()
        if line.startswith("|")
        for row in [[cell.strip() for cell in line.strip("|").split("|")]]
    }
    assert cells["1. download"] == ["95.9 GB", "", "", "not measured"]
    assert cells["2. verify names and counts"][1] == "818,329"
    # 16 epochs of 720,000, and 8,000 validated after each; 8 x 100 a second against 16 x 50 read
    seconds = 16 * 720_000 / 800 + 16 * 8_000 / 800
    assert cells["3. train blur_jpg_prob0.5"] == ["", "11,520,000", "180,000", "4.0 hours"]
    assert costs.duration(seconds) == "4.0 hours"
    assert cells["4. sweep blur_jpg_prob0.5, the centre crop"][1] == "90,329"
    assert "191.9 GB needed (archives and their contents), 100.0 GB free: TOO LITTLE" in told
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_fetched_again(known_rates: None, tmp_path: pathlib.Path) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "test/.unpacked.json").write_text('{"files": 1}')
    (tmp_path / "test/a.png").touch()
    (tmp_path / "archives").mkdir()
    with (tmp_path / "archives/progan_val.zip.part").open("wb") as file:
        file.truncate(431_000_000)
    options, _ = plan("--root", tmp_path)
    assert costs.to_fetch(options, "testset") == 0
    assert costs.to_fetch(options, "val") == 400e6
    # train twice, val's content and the rest of its archive
    assert "151.2 GB needed" in costs.disk_line(options)
    assert "0 kB needed" in costs.disk_line(plan("--root", tmp_path, "--released")[0])


def test_on_a_cpu_the_cores_read_and_compute_in_turn(known_rates: None) -> None:
    options, _ = plan("--num_threads", 3, "--processes", 2)
    shared = RATES._replace(shared=True)
    assert costs.together(shared, options, compute=100, read=10) == pytest.approx(
        1 / (1 / 100 + 1 / 160)
    )
    assert costs.together(RATES, options, compute=100, read=10) == 60  # six processes read
    assert costs.together(RATES, options, compute=10, read=1000) == 20


@pytest.mark.parametrize(
    ("flags", "epochs"),
    [
        ("", 16),
        ("--earlystop_epoch 7", 22),
        ("--lr 1e-5", 11),
        ("--niter 3", 3),
        ("--schedule onecycle --niter 20", 20),
    ],
)
def test_the_fewest_epochs_are_those_of_the_schedule(flags: str, epochs: int) -> None:
    assert costs.fewest_epochs(parse(COMMANDS["train.py"], flags.split())) == epochs


def test_rates_are_measured_of_the_network_that_is_trained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rates, "SECONDS", 0.0)
    options, _ = plan("--device", "cpu", "--batch_size", 4)
    flags = "--arch mobilenet_v3_small --cropSize 32 --blur_prob 0.5 --jpg_prob 0.5"
    found = rates.measure(options, parse(COMMANDS["train.py"], flags.split()))
    assert all(rate > 0 for rate in (found.train, found.score, found.read))
    assert (found.device, found.shared, found.batch) == ("cpu", True, 4)
    assert 0.9 < found.png / (75e9 / 720_000) < 1.1  # as large as a released one


# a command that fails or is stopped


def test_the_step_that_failed_is_named_and_nothing_follows(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(reproduce, "run_command", lambda command: ran.append(command) or 2)
    options, every = plan("--results_dir", tmp_path)
    with pytest.raises(reproduce.WorkError, match=r"step 1 of 8, download: ended with exit code 2"):
        reproduce.carry_out(every, options)
    assert ran == [every[0].command]
    for code in (130, 143):
        monkeypatch.setattr(reproduce, "run_command", lambda command, code=code: code)
        with pytest.raises(reproduce.Interrupted, match="download; the same command") as stopped:
            reproduce.carry_out(every, options)
        assert stopped.value.exit_code == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_command_save_before_all_ends(
    tmp_path: pathlib.Path, number: signal.Signals
) -> None:
    child = (
        "import pathlib, signal, sys, time\n"
        "def save(*_):\n"
        "    time.sleep(0.6)\n"
        f"    pathlib.Path({str(tmp_path / 'saved')!r}).touch()\n"
        "    sys.exit(143)\n"
        "signal.signal(signal.SIGTERM, save)\n"
        "signal.signal(signal.SIGINT, save)\n"
        f"pathlib.Path({str(tmp_path / 'ready')!r}).touch()\n"
        "time.sleep(60)\n"
    )
    parent = (
        "import signal\n"
        "from tools.reproduce import run_command\n"
        "from util.errors import run\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"run(lambda: run_command(['-c', {child!r}]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", parent],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not (tmp_path / "ready").exists() and process.poll() is None:
        time.sleep(0.02)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal sends it
    else:
        process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert (tmp_path / "saved").exists()
    assert process.returncode == 128 + number
    assert re.search(r"stopped: .*the same command goes on", told)


# the verdicts


def scored(figures: dict[str, float], metric: str = "ap") -> dict[str, Any]:
    """metrics.json, of figures in per cent."""
    testsets: dict[str, dict[str, Any]] = {name: {"ap": None, "accuracy": None} for name in figures}
    for name, value in figures.items():
        testsets[name][metric] = value / 100
    mean = math.fsum(figures.values()) / len(figures) / 100
    return {"testsets": testsets, "mean": {"ap": None, "accuracy": None, metric: mean}}


@pytest.fixture
def two_reproductions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invented ones: of the model with 0.5, the crop; the second of some test sets alone."""
    shipped = json.loads((ROOT / "evaluation/published_results.json").read_text())
    whole = {name: {"ap": 90.0} for name in PAPER_ELEVEN}
    shipped["reproductions"] = [
        {"source": "A", "model": MODELS[0], "protocol": "crop_224", "figures": whole},
        {"source": "B", "model": MODELS[0], "protocol": "crop_224", "figures": {"san": {"ap": 55}}},
    ]
    monkeypatch.setattr(published_figures, "_results", lambda: shipped)


def verdicts(ours: dict[str, Any], model: str = MODELS[0], **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {c.testset: c for c in judge(ours, model, **more) if c.metric == "ap"}


def test_inside_is_from_the_lowest_to_the_highest_of_published_and_reproduced(
    two_reproductions: None,
) -> None:
    # published: san 63.9, biggan 88.2, progan 100, stylegan2 98.0
    for value, verdict in ((55, "inside"), (54.96, "inside"), (54.94, "outside"), (90, "inside")):
        assert verdicts(scored({"san": value}))["san"].verdict == verdict, value
    for value, verdict in (
        (88.2, "inside"),
        (88.14, "outside"),
        (90.06, "outside"),
        (90.04, "inside"),
    ):
        assert verdicts(scored({"biggan": value}))["biggan"].verdict == verdict, value
    its = verdicts(scored({"san": 70.0, "progan": 99.96, "stylegan2": 98.0}))
    assert (its["san"].low, its["san"].high) == (55, 90)
    assert its["san"].difference() == pytest.approx(6.1)
    assert its["progan"].verdict == "inside"
    assert its["stylegan2"].verdict == "no spread known"  # nobody reproduced it
    assert math.isnan(its["stylegan2"].low)
    assert its["biggan"].verdict == "not scored"
    assert "mean" not in its


def test_other_models_protocols_and_metrics_have_no_spread(two_reproductions: None) -> None:
    assert verdicts(scored({"san": 70.0}), MODELS[1])["san"].verdict == "no spread known"
    assert verdicts(scored({"san": 70.0}), no_crop=True)["san"].verdict == "no spread known"
    cells = judge(scored({"san": 50.0}, "accuracy"), MODELS[0])
    by_metric = {cell.metric: cell.verdict for cell in cells if cell.testset == "san"}
    assert by_metric == {"ap": "undefined", "accuracy": "no spread known"}


def test_the_mean_is_over_the_papers_eleven_once_all_are_scored(two_reproductions: None) -> None:
    ours = scored(dict.fromkeys(PAPER_ELEVEN, 90.5))
    mean = verdicts(ours)["mean"]
    assert round(mean.published, 1) == 90.8  # the paper's own
    assert (mean.ours, mean.low) == (pytest.approx(90.5), pytest.approx(90.0))  # B has no mean
    assert mean.verdict == "inside"
    assert list(verdicts(ours)) == [*ORDER, "mean"]


def test_the_published_weights_must_give_the_published_figures() -> None:
    for value, verdict in ((88.23, "as printed"), (88.26, "differs"), (88.14, "differs")):
        its = verdicts(scored({"biggan": value}), released=True)
        assert its["biggan"].verdict == verdict
    assert verdicts(scored({"progan": 99.99}), released=True)["progan"].verdict == "as printed"
    # the authors' own log of these weights, in two decimals, says how their figures round
    log = json.loads((ROOT / "evaluation/published_results.json").read_text())
    for name, row in log["authors_log_blur_jpg_prob05"].items():
        for no_crop, key in ((False, "ap224"), (True, "ap_nocrop")):
            its = verdicts(scored({name: row[key]}), no_crop=no_crop, released=True)
            assert its[name].difference() == near(0, 0.0501, "of the decimal that is printed")
