"""What more GPUs and images would take: arithmetic, simulation, and the page that shows both."""

from __future__ import annotations

import pathlib
import shlex

import numpy as np
import pytest

from benchmarks import on_paper, scale
from benchmarks.scale import Measured, Steps, crossing, simulate
from data.order import find_pairs
from options.parse import parse
from options.scale_options import OnPaperOptions
from tests.commands import ROOT, run
from tests.conftest import write_image
from util.errors import UsageError


def cells(table: str) -> list[list[str]]:
    return [[c.strip() for c in line.strip("|").split("|")] for line in table.split("\n")]


def test_cores_and_bytes_follow_from_the_rates() -> None:
    argv = "--gpus 2,8 --gpu_rate 1000 --png_rate 300 --jpg_rate 500 --pixel_rate 4000"
    heads, _, two, eight = cells(on_paper.feeding(parse(OnPaperOptions, argv.split())))
    assert heads[2] == "cores, PNG at 300/s"
    assert two[:5] == ["2", "2,000", "7", "4", "1"]
    assert eight[:5] == ["8", "8,000", "27", "16", "2"]  # a part of a core is a core
    assert eight[6] == "1.6 GB/s"  # 8,000 images of 256 x 256 x 3 bytes


def test_gradients_go_around_the_ring() -> None:
    argv = "--gpus 1,4 --gpu_rate 100 --batch_size 40"
    rows = cells(on_paper.exchanging(parse(OnPaperOptions, argv.split()), 10**7))
    # 40 MB, six quarters of it, in the 0.1 s of 10 images, and in the 0.4 s of 40
    both = ["10", "100.00 ms", "600 MB/s", "40", "400.00 ms", "150 MB/s"]
    assert rows[2:] == [["4", "60 MB", *both]]  # one GPU sends nothing


def test_an_epoch_is_shorter_on_more_gpus() -> None:
    argv = "--gpus 1,10 --images 360000 --gpu_rate 100 --batch_size 100"
    rows = cells(on_paper.epochs(parse(OnPaperOptions, argv.split())))
    assert rows[2:] == [["360,000", "3,600", "60 minutes", "6 minutes"]]


def test_the_list_that_is_made_up_is_one_of_pairs() -> None:
    samples = on_paper.listed(400)
    assert samples.counts() == (200, 200)
    assert sorted(samples.paths.tolist()) == samples.paths.tolist()
    assert len(find_pairs(samples)) == 200


def test_the_page_shows_what_its_command_prints() -> None:
    page = (ROOT / "docs/scaling.md").read_text(encoding="utf-8")
    (command,) = (line for line in page.split("\n") if "benchmarks.on_paper" in line)
    for section in on_paper.sections(parse(OnPaperOptions, shlex.split(command)[3:])):
        assert section in page


def measured(rate: float, reached: float, processes: int = 2) -> Measured:
    return Measured(Steps(processes, rate, 16, 2, 10), reached)


def test_reading_is_the_limit_where_steps_wait() -> None:
    fast, slow = measured(100, 198), measured(200, 300)
    assert fast.waited() == pytest.approx(0.01)
    assert slow.waited() == pytest.approx(0.25)
    both = "2 processes: reading is the limit from 200 images/s each on (not yet at 100)"
    assert crossing([slow, fast]) == both
    assert "the steps are the limit up to 100" in crossing([fast])
    assert "nothing slower was tried" in crossing([slow])


class Meeting:
    """A barrier of one process, which tells what happened."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def wait(self) -> None:
        self.told.append("met")

    def abort(self) -> None:
        self.told.append("aborted")


def test_a_process_sleeps_through_its_steps_and_meets_the_others_after_each(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        write_image(
            tmp_path / ("0_real", "1_fake")[number % 2] / f"{number}.png", number, (256, 256)
        )
    meeting = Meeting()
    monkeypatch.setattr(scale, "_barrier", meeting, raising=False)
    clock = iter([10.0, 17.0])
    monkeypatch.setattr("benchmarks.scale.time.sleep", meeting.told.append)
    monkeypatch.setattr("benchmarks.scale.time.perf_counter", clock.__next__)
    read: list[int] = []
    monkeypatch.setattr(
        "data.dataset.TrainImages._replacement", lambda *_: pytest.fail("all can be read")
    )
    original = scale.train_reader

    def spied(*given: object) -> object:
        batches = original(*given)

        def told(plan: object) -> object:
            for batch in batches(plan):
                read.extend(batch.indices)
                yield batch

        return told

    monkeypatch.setattr(scale, "train_reader", spied)
    assert scale._train(str(tmp_path), Steps(2, 8.0, 2, 0, 3), 1) == 7.0
    assert meeting.told == [0.25, "met"] * 5  # two steps untimed, as nothing reads ahead
    order = np.resize(np.random.default_rng(0).permutation(4), 20)
    assert read == [order[4 * step + place] for step in range(5) for place in (2, 3)]


def test_a_process_that_fails_ends_all(tmp_path: pathlib.Path) -> None:
    with pytest.raises(UsageError, match="gone"):
        simulate(str(tmp_path / "gone"), Steps(2, 8.0, 2, 1, 3))


def test_the_simulation_runs() -> None:
    result = run("-m", "benchmarks.scale", "--quick", "--processes", "1,2", "--rates", "2000")
    assert result.returncode == 0, result.stderr
    assert "one alone reads" in result.stdout
    rows = [row for row in cells(result.stdout) if len(row) == 7][2:]
    assert [row[:3] for row in rows] == [["1", "2,000", "2,000"], ["2", "2,000", "4,000"]]
    assert "\n1 process: " in result.stdout
    assert "\n2 processes: " in result.stdout


def test_what_a_list_costs_is_measured() -> None:
    result = run("-m", "benchmarks.on_paper", "--images", "400", "--gpus", "8")
    assert result.returncode == 0, result.stderr
    assert cells(result.stdout.strip().split("\n\n")[-1])[2][0] == "400"
