"""The studies: jobs that are run once and go on, tidy tables, subsets, verdicts, the page."""

from __future__ import annotations

import csv
import itertools
import json
import pathlib
import shlex
import signal
import time
from collections import Counter
from typing import Any

import numpy as np
import pytest

from data.order import find_pairs
from data.sources import find_testsets, training_images
from options.names import STUDIES as NAMES
from options.parse import parse
from studies import verdicts
from studies.catalogue import STUDIES, Cell, Row
from studies.commands import Setting
from studies.figures import save_figure
from studies.jobs import Job, Machine, in_order, run_jobs
from studies.profile import peak, radial_profile
from studies.report import PAGE, RESULTS, all_results, blocks, filled, write_report
from studies.results import (
    columns_of,
    read_results,
    read_runs,
    refuse_other_images,
    write_results,
)
from studies.subset import Pair, choose_pairs, nested_order, photograph_of
from studies.tables import HELD_OUT, spread, table_of
from tests.commands import start
from tests.conftest import assert_wrong_usage, write_image
from tests.test_options import COMMANDS
from util.errors import UsageError

SETTING = Setting(pathlib.Path("runs"), pathlib.Path("data"), seeds=range(2))
PLANS = {name: study.plan(SETTING) for name, study in STUDIES.items()}
ABOUT: dict[str, Any] = {
    "processor": "p",
    "device": "cpu",
    "packages": {"torch": "0"},
    "images": "these",
}


def toy_job(tmp_path: pathlib.Path, name: str, code: str, **more: Any) -> Job:  # noqa: ANN401
    """A job that runs a line of Python; `ran(tmp_path)` counts how often each was."""
    text = f"open({str(tmp_path / 'ran')!r}, 'a').write('{name} ')\n{code}\n"
    module = tmp_path / f"toy_{name}.py"
    module.write_text(text)
    return Job(name, ("-m", f"toy_{name}"), machine=False, **more)


def ran(tmp_path: pathlib.Path) -> Counter[str]:
    file = tmp_path / "ran"
    return Counter(file.read_text().split()) if file.exists() else Counter()


@pytest.fixture
def machine(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return Machine(tmp_path / "out")


def test_the_names_in_the_options_are_those_of_the_catalogue() -> None:
    assert tuple(STUDIES) == NAMES


def test_what_studies_share_is_one_job() -> None:
    every = [cell.job for cells in PLANS.values() for cell in cells]
    jobs = in_order(every)
    assert len({job.name for job in jobs}) == len(jobs)
    trained = [job.name for job in jobs if job.name == "train_blur_jpeg_0.5_s0"]
    assert len(trained) == 1
    shared = [
        name
        for name, cells in PLANS.items()
        if any(job.name in trained for job in in_order(cell.job for cell in cells))
    ]
    assert shared == ["augmentation", "robustness", "few_shot", "calibration", "formats", "recipe"]


def test_two_jobs_of_one_name_are_an_error() -> None:
    with pytest.raises(ValueError, match="called a"):
        in_order([Job("a", ("x",)), Job("a", ("y",))])


def test_jobs_come_after_what_they_need() -> None:
    jobs = in_order(cell.job for cells in PLANS.values() for cell in cells)
    place = {job.name: number for number, job in enumerate(jobs)}
    assert all(place[need.name] < place[job.name] for job in jobs for need in job.needs)


@pytest.mark.parametrize("at_a_time", [1, 3])
def test_finished_jobs_are_not_run_again(
    tmp_path: pathlib.Path, machine: Machine, at_a_time: int, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = machine._replace(at_a_time=at_a_time)
    first = toy_job(tmp_path, "first", "print('hello')")
    jobs = in_order([toy_job(tmp_path, name, "", needs=(first,)) for name in "abc"])
    assert run_jobs(jobs, machine) == []
    assert run_jobs(jobs, machine) == []
    assert ran(tmp_path) == Counter(["first", *"abc"])
    assert (machine.out / "logs/first.log").read_text() == "hello\n"
    assert "4 of 4 jobs are finished already" in capsys.readouterr().out


def test_a_failed_job_ends_no_other_but_those_that_need_it(
    tmp_path: pathlib.Path, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = toy_job(tmp_path, "bad", "raise SystemExit('no luck')")
    jobs = in_order([toy_job(tmp_path, "after", "", needs=(bad,)), toy_job(tmp_path, "other", "")])
    assert run_jobs(jobs, machine) == ["bad", "after"]
    assert ran(tmp_path) == Counter(["bad", "other"])
    assert "bad: failed (exit 1): no luck" in capsys.readouterr().out
    toy_job(tmp_path, "bad", "")  # mended: only what is missing is run
    assert run_jobs(jobs, machine) == []
    assert ran(tmp_path) == Counter(["bad", "bad", "after", "other"])


def test_what_others_can_do_without_is_no_failure(tmp_path: pathlib.Path, machine: Machine) -> None:
    weights = toy_job(tmp_path, "weights", "raise SystemExit('no net')", optional=True)
    jobs = in_order([toy_job(tmp_path, "tuned", "", needs=(weights,))])
    assert run_jobs(jobs, machine) == []
    assert ran(tmp_path) == Counter(["weights"])


def test_results_of_another_command_or_of_other_images_are_refused(
    tmp_path: pathlib.Path, machine: Machine
) -> None:
    images = toy_job(tmp_path, "images", "", made_by="24 photographs")
    run_jobs(in_order([toy_job(tmp_path, "a", "", needs=(images,))]), machine)
    others = toy_job(tmp_path, "images", "", made_by="48 photographs")
    for job in (toy_job(tmp_path, "a", "", needs=(others,)), Job("a", ("-m", "b"))):
        with pytest.raises(UsageError, match="other images or by another command"):
            run_jobs([job], machine)


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on(tmp_path: pathlib.Path) -> None:
    """As a user: SIGTERM amid the first training; then the same command, to the end."""
    for number, label in itertools.product(range(40), ("0_real", "1_fake")):
        kind = ("nature", "object")[number % 2]
        for split in ("train", "val"):
            name = f"{split}{number % 8}_2_{number}_0.png"
            write_image(tmp_path / "data/mini" / split / kind / label / name, number, (64, 64))
    job = tmp_path / "jobs.py"
    job.write_text(
        "import sys, time, pathlib\n"
        "from options.parse import parse\n"
        "from studies.jobs import Job, Machine, run_jobs\n"
        "from util.errors import run\n"
        "out = pathlib.Path(sys.argv[1])\n"
        "def train(name):\n"
        "    argv = ('train.py', '--name', name, '--checkpoints_dir', str(out / 'c'), '--preset',\n"
        "            'minibench', '--dataroot', sys.argv[2], '--arch', 'mobilenet_v3_small',\n"
        "            '--max_steps', '16', '--save_latest_freq', '2', '--continue_train')\n"
        "    return Job(name, argv, keep='model_epoch_latest.pth', run=str(out / 'c' / name))\n"
        "run(lambda: bool(run_jobs([train('one'), train('two')], Machine(out, 'cpu', 2))))\n"
    )
    command = (job, tmp_path / "out", tmp_path / "data/mini")
    running = start(*command)
    checkpoint = tmp_path / "out/c/one/model_epoch_latest.pth"
    while not checkpoint.exists() and running.process.is_alive():
        time.sleep(0.05)
    running.process.terminate()
    stopped = running.result()
    assert stopped.returncode == 128 + signal.SIGTERM, stopped
    assert not (tmp_path / "out/jobs").exists()
    assert "--continue_train goes on from there" in (tmp_path / "out/logs/one.log").read_text()
    done = start(*command).result()
    assert done.returncode == 0, done
    assert "continues after" in (tmp_path / "out/logs/one.log").read_text()
    for name in ("one", "two"):
        kept = [path.name for path in (tmp_path / "out/c" / name).glob("*.pth")]
        assert kept == ["weights.pth"]
    again = start(*command).result()
    assert again.stdout == "2 of 2 jobs are finished already\n"


def smoke(tmp_path: pathlib.Path, *more: object) -> list[object]:
    flags = ("--smoke", "--seeds", 1, "--jobs", 2, "--device", "cpu")
    return [
        "-m",
        "studies.__main__",
        "all",
        *flags,
        "--out",
        tmp_path,
        "--data",
        tmp_path / "data",
        *more,
    ]


@pytest.mark.slow
def test_all_studies_run(tmp_path: pathlib.Path) -> None:
    """The smoke test, whole. Where PyPI cannot be reached, three starts are left out."""
    before = sorted(RESULTS.iterdir())
    done = start(*smoke(tmp_path)).result(timeout=3600)
    assert done.returncode == 0, done.stdout + done.stderr
    tables = {path.stem for path in (tmp_path / "smoke/tables").glob("*.csv")}
    assert tables == set(NAMES)
    for name, rows in all_results(tmp_path / "smoke/tables").items():
        assert not any(np.isnan(float(row["value"])) for row in rows), name
        save_figure(name, rows, tmp_path / f"{name}.png")
    assert sorted(RESULTS.iterdir()) == before
    left = start(*smoke(tmp_path, "--dry_run")).result().stdout.strip().split("\n")[-1]
    offline = "download_mobilenet_v2: not to be had" in done.stdout
    assert left.startswith("7 of" if offline else "0 of")


@pytest.mark.parametrize("small", [False, True])
def test_a_dry_run_prints_the_commands_and_makes_nothing(
    tmp_path: pathlib.Path, small: bool
) -> None:
    command = [word for word in smoke(tmp_path, "--dry_run") if small or word != "--smoke"]
    told = start(*command).result()
    assert told.returncode == 0, told
    *lines, last = told.stdout.strip().split("\n")
    assert last == f"{len(lines)} of {len(lines)} commands are still to run"
    assert len(lines) == len(set(lines))
    for line in lines:
        script, *argv = shlex.split(line)[1:]
        if script == "-m":
            module, *argv = argv
            script = module.replace(".", "/") + ".py"
        parse(COMMANDS[script], argv)  # every command is one
    assert [path.name for path in tmp_path.rglob("*")] == []


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], ["NAME is needed", "few_shot"]),
        (["colours"], ["must be one of augmentation"]),
        (["report", "start"], ["report stands alone"]),
        (["all", "--smoke", "--results", "x"], ["--results has no effect with --smoke"]),
    ],
)
def test_wrong_usage_is_one_line(argv: list[str], words: list[str]) -> None:
    assert_wrong_usage(start("-m", "studies.__main__", *argv).result(), *words)


def test_the_list_says_what_each_study_asks() -> None:
    lines = start("-m", "studies.__main__", "--list").result().stdout.strip().split("\n")
    assert [line.split()[0] for line in lines] == list(NAMES)


# subsets of images


def pairs(counts: dict[str, int]) -> list[Pair]:
    kinds = ("landscape", "nature", "object")
    names = [name for name in counts for _ in range(counts[name])]
    return [
        Pair(name, kinds[list(counts).index(name) % 3], (2 * i, 2 * i + 1))
        for i, name in enumerate(names)
    ]


COUNTS = {f"photo{number}": 20 + 7 * number for number in range(12)}


@pytest.mark.parametrize("seed", range(3))
def test_photographs_are_nested_and_balanced_between_classes(seed: int) -> None:
    every = pairs(COUNTS)
    order = nested_order({pair.photograph: pair.kind for pair in every}, seed)
    assert sorted(order) == sorted(COUNTS)
    kind_of = {pair.photograph: pair.kind for pair in every}
    for n in range(1, 13):
        counts = Counter(kind_of[name] for name in order[:n])
        assert max(counts.values()) - min(counts[kind] for kind in set(kind_of.values())) <= 1
    number = sum(COUNTS[name] for name in order[:2])
    for n in (2, 4, 8):
        chosen = choose_pairs(every, photographs=n, as_many_as=2, seed=seed)
        assert {pair.photograph for pair in chosen} == set(order[:n])
        assert len(chosen) == number


def test_seeds_choose_other_photographs() -> None:
    kinds = {pair.photograph: pair.kind for pair in pairs(COUNTS)}
    assert len({tuple(nested_order(kinds, seed)[:2]) for seed in range(6)}) > 1


def test_shares_of_the_images_are_nested() -> None:
    every = pairs(COUNTS)
    parts = [choose_pairs(every, fraction=f, seed=0) for f in (0.125, 0.25, 0.5, 1)]
    assert [len(part) for part in parts] == [round(f * len(every)) for f in (0.125, 0.25, 0.5, 1)]
    assert all(set(a) < set(b) for a, b in itertools.pairwise(parts))


def test_more_photographs_than_there_are_is_an_error() -> None:
    with pytest.raises(UsageError, match="there are only 12"):
        choose_pairs(pairs(COUNTS), photographs=16, seed=0)


def test_a_manifest_of_a_part_can_be_trained_on(tmp_path: pathlib.Path) -> None:
    for split, number in itertools.product(("train", "val", "test/biggan"), range(24)):
        kind = "" if "test" in split else ("nature", "object")[number % 2]
        for label in ("0_real", "1_fake"):
            name = f"{split[:3]}{number % 6}_2_{number}_0.png"
            write_image(tmp_path / "mini" / split / kind / label / name, number)
    out = tmp_path / "runs/part.csv"
    argv = ("--photographs", 4, "--as_many_as", 2, "--most", 5, "--out", out)
    done = start("-m", "studies.subset", "--dataroot", tmp_path / "mini", *argv).result()
    assert done.stdout.startswith(f"{out}: 16 training images of "), done
    train, val = training_images(str(out), ("train", "val"))
    assert len(find_pairs(train)) == 8
    assert len({photograph_of(train.relative(i)) for i in range(16)}) <= 4
    assert val.counts() == (5, 5)
    assert find_testsets(str(out))["biggan"].counts() == (5, 5)


def test_a_photograph_is_read_from_the_name() -> None:
    assert photograph_of("nature/0_real/black_sea-2_3_10_0.png") == "black_sea-2"
    with pytest.raises(UsageError, match="is not named"):
        photograph_of("nature/0_real/00001.png")


# spectra


def test_the_profile_is_the_mean_over_rings() -> None:
    rows, columns = np.mgrid[-8:8, -8:8]
    distance = np.hypot(rows, columns)
    plane = np.where(np.abs(distance - 5) < 0.5, 2.0, 1.0)
    profile = radial_profile(plane)
    assert profile.tolist() == [1, 1, 1, 1, 1, 2, 1, 1, 1]


def test_the_peak_is_what_stands_out_at_upsampling_frequencies() -> None:
    size = 64
    smooth = np.zeros((size, size))
    assert peak(smooth) == 0
    elsewhere = smooth.copy()
    elsewhere[20, 41] = 3.0
    elsewhere[size // 2, size // 2] = 3.0  # frequency zero
    assert peak(elsewhere) == 0
    traces = smooth.copy()
    traces[0, 0] = 1.5  # (1/2, 1/2) per pixel
    traces[size // 2, size // 4] = 3.0  # (0, -1/4)
    assert peak(traces) == pytest.approx(4.5 / 15)


# verdicts


def long_form(values: dict[tuple[str, str, str], float], metric: str = "ap") -> list[Row]:
    """Rows of the augmentation study, from (augmentation, seed, test set) -> value."""
    return [
        {
            "study": "augmentation",
            "augmentation": augmentation,
            "seed": seed,
            "testset": testset,
            "metric": metric,
            "value": f"{value:.6f}",
        }
        for (augmentation, seed, testset), value in values.items()
    ]


def augmented(gain: float, seeds: int = 3, noise: float = 0.01) -> list[Row]:
    rng = np.random.default_rng(0)
    values = {}
    for testset, seed in itertools.product(("progan", *HELD_OUT), map(str, range(seeds))):
        values["none", seed, testset] = base = 0.7 + rng.normal(0, noise)
        values["blur_jpeg_0.5", seed, testset] = base + gain + rng.normal(0, noise)
    return long_form(values)


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [
        (0.05, "holds"),
        (-0.05, "does not hold"),
        (0.0, "cannot be told from 3 seeds and 12 generators"),
    ],
)
def test_a_planted_effect_is_told(gain: float, verdict: str) -> None:
    (tested,) = verdicts.judge({"augmentation": augmented(gain)})
    assert tested.verdict() == verdict
    assert tested.units == 12
    assert tested.seeds == 3
    assert tested.low < tested.mean < tested.high


def test_the_sign_flip_test_is_that_of_all_signs() -> None:
    values = np.random.default_rng(1).normal(0.4, 1, 9)
    observed = abs(values.sum()) * (1 - 1e-12)
    signs = itertools.product((-1, 1), repeat=len(values))
    p = np.mean([abs(np.dot(flip, values)) >= observed for flip in signs])
    assert verdicts.sign_flip(values) == pytest.approx(p)
    assert verdicts.sign_flip([1.0, 2, 3]) == pytest.approx(0.25)  # the least that three can give


def test_holm_on_the_example_of_the_textbook() -> None:
    """Of 0.01, 0.04, 0.03, 0.005: times 3, 1, 2, 4, and none below one before it."""
    assert verdicts.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert verdicts.holm([0.9, 0.8]) == [1.0, 1.0]


def test_a_contrast_is_of_the_seeds_and_sets_that_all_terms_have() -> None:
    rows = [
        row
        for row in augmented(0.05)
        if not (row["augmentation"] == "none" and row["seed"] == "2")
        and not (row["augmentation"] != "none" and row["testset"] == "san")
    ]
    (tested,) = verdicts.judge({"augmentation": rows})
    assert (tested.units, tested.seeds) == (11, 2)


def test_every_contrast_is_of_conditions_that_its_study_has() -> None:
    for contrast in verdicts.CONTRASTS:
        columns = {*columns_of(contrast.study)}
        assert all({*where} <= columns for _, where in contrast.terms)


# tables


def test_the_table_has_mean_and_spread_over_seeds() -> None:
    values = {("none", str(seed), t): 0.5 + 0.1 * seed for seed in range(3) for t in HELD_OUT}
    values["none", "0", "progan"] = 0.9
    text = table_of("augmentation", long_form(values))
    lines = {line.split("|")[1].strip(): line.split("|")[2].strip() for line in text.split("\n")}
    assert lines["biggan"] == "60.0 ± 10.0"
    assert lines["progan"] == "90.0"
    assert lines["mean of the held-out"] == "60.0 ± 10.0"
    assert spread({"0": 0.5, "1": 0.6, "2": 0.7}) == pytest.approx((0.6, 0.1))


def test_the_csv_is_tidy_and_has_no_row_of_a_job_that_failed(
    tmp_path: pathlib.Path, machine: Machine
) -> None:
    good, bad = toy_job(tmp_path, "good", ""), toy_job(tmp_path, "bad", "raise SystemExit(3)")
    run_jobs([good, bad], machine)
    row = {"augmentation": "none", "testset": "biggan", "metric": "ap", "value": "0.500000"}
    cells = [Cell("0", good, lambda: iter([row])), Cell("1", bad, lambda: iter([row]))]
    assert write_results(tmp_path, "augmentation", cells, out=machine.out, about=ABOUT) == 1
    with (tmp_path / "augmentation.csv").open() as file:
        found = list(csv.reader(file))
    assert found == [
        ["study", "augmentation", "seed", "testset", "metric", "value"],
        ["augmentation", "none", "0", "biggan", "ap", "0.500000"],
    ]
    assert read_results(tmp_path, "augmentation")[0]["seed"] == "0"
    assert '"good"' in (tmp_path / "augmentation.json").read_text()


def test_seeds_of_another_night_join_the_table(tmp_path: pathlib.Path, machine: Machine) -> None:
    def run(*seeds: str, value: str, processor: str) -> None:
        job = toy_job(tmp_path, processor, "")
        run_jobs([job], machine)
        row = {"augmentation": "none", "testset": "biggan", "metric": "ap", "value": value}
        cells = [Cell(seed, job, lambda: iter([row])) for seed in seeds]
        refuse_other_images(tmp_path, "augmentation", cells, images=ABOUT["images"])
        about = {**ABOUT, "processor": processor}
        write_results(tmp_path, "augmentation", cells, out=machine.out, about=about)

    run("0", "10", value="0.5", processor="A")
    run("2", value="0.6", processor="B")
    run("10", value="0.7", processor="C")
    rows = read_results(tmp_path, "augmentation")
    assert [(row["seed"], row["value"]) for row in rows] == [
        ("0", "0.5"),
        ("2", "0.6"),
        ("10", "0.7"),
    ]
    runs = read_runs(tmp_path, "augmentation")
    assert [(its["processor"], its["seeds"], list(its["jobs"])) for its in runs] == [
        ("A", ["0"], ["A"]),
        ("B", ["2"], ["B"]),
        ("C", ["10"], ["C"]),
    ]
    job = toy_job(tmp_path, "more", "")
    one = [Cell("0", job, lambda: iter([]))]
    all_three = [Cell(seed, job, lambda: iter([])) for seed in ("0", "2", "10")]
    refuse_other_images(tmp_path, "augmentation", all_three, images="others")
    with pytest.raises(UsageError, match=r"seeds 2 of augmentation\.csv were run on other images"):
        refuse_other_images(tmp_path, "augmentation", one, images="others")


def test_a_rerun_that_fails_for_a_seed_leaves_its_rows(
    tmp_path: pathlib.Path, machine: Machine
) -> None:
    good, bad = toy_job(tmp_path, "good", ""), toy_job(tmp_path, "bad", "raise SystemExit(3)")
    run_jobs([good, bad], machine)

    def run(value: str, *jobs: tuple[str, Job], about: dict[str, Any] = ABOUT) -> dict[str, str]:
        row = {"augmentation": "none", "testset": "biggan", "metric": "ap", "value": value}
        cells = [Cell(seed, job, lambda: iter([row])) for seed, job in jobs]
        write_results(tmp_path, "augmentation", cells, out=machine.out, about=about)
        return {row["seed"]: row["value"] for row in read_results(tmp_path, "augmentation")}

    assert run("0.5", ("0", good), ("1", good)) == {"0": "0.5", "1": "0.5"}
    assert run("0.6", ("0", good), ("1", good), ("1", bad)) == {"0": "0.6", "1": "0.5"}
    assert [its["seeds"] for its in read_runs(tmp_path, "augmentation")] == [["1"], ["0"]]
    others = {**ABOUT, "images": "others"}  # which no table has beside these
    assert run("0.7", ("0", good), ("1", bad), about=others) == {"0": "0.7"}


def test_a_table_without_its_record_is_one_line(tmp_path: pathlib.Path) -> None:
    with pytest.raises(UsageError, match=r"augmentation\.json: is no record of python -m studies"):
        read_runs(tmp_path, "augmentation")


# the page


def planted(folder: pathlib.Path) -> None:
    """Results of the augmentation study alone, with a gain."""
    with (folder / "augmentation.csv").open("w") as file:
        table = csv.DictWriter(file, columns_of("augmentation"))
        table.writeheader()
        table.writerows(augmented(0.1))
    jobs = {"a": {"command": "python train.py", "seconds": 90.0}}
    runs = [{**ABOUT, "seeds": ["0", "1", "2"], "jobs": jobs}]
    (folder / "augmentation.json").write_text(json.dumps({"runs": runs}))


def test_the_report_is_made_of_the_tables_alone(tmp_path: pathlib.Path) -> None:
    planted(tmp_path)
    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    write_report(tmp_path, page, tmp_path)
    text = page.read_text(encoding="utf-8")
    part = text.partition("<!-- augmentation -->")[2].partition("<!-- /augmentation -->")[0]
    part = " ".join(part.split())
    assert "12 generators, 3 seeds" in part
    assert "**holds**" in part
    assert "| mean of the held-out |" in part
    assert "took 2 minutes together" in part
    assert text.count("Not run yet.") == len(NAMES) - 1
    assert [path.name for path in tmp_path.glob("*.png")] == ["studies_augmentation.png"]
    write_report(tmp_path, page, tmp_path)
    assert page.read_text(encoding="utf-8") == text


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(UsageError, match="lacks <!-- start -->"):
        filled("# Studies", {"start": "x"})


def test_the_page_says_what_the_tables_say() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert filled(text, blocks(RESULTS)) == text, "run python -m studies report"
