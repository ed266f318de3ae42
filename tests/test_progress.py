"""How far work has come: a bar on a terminal, few lines in a log, nothing if quiet."""

from __future__ import annotations

import fcntl
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

import util.progress
from tests.commands import ROOT
from tests.toy_runs import run_training
from util import console
from util.console import note, warn
from util.progress import BYTE, Progress, begin, duration, end, no_progress, progress

SLOW_LOOP = """
import sys, time
from util.progress import Progress
begun = time.monotonic()
with Progress(50, "walk", unit="step", leave=True, seconds=0.1) as bar:
    for step in range(50):
        time.sleep(0.01)
        bar.tell(f"step {step}")
        bar.update()
print(time.monotonic() - begun)
"""


class Clock:
    """Stands in for time.monotonic: it stands still unless it is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(util.progress.time, "monotonic", lambda: self.now)


def on_a_terminal(code: str, **environment: str) -> str:
    """What `code` shows on a terminal of 100 columns that is its standard error."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=its,
        env={**os.environ, **environment},
    )
    os.close(its)
    shown = b""
    while True:
        try:
            block = os.read(ours, 4096)
        except OSError:  # Linux says so that the other end is closed
            break
        if not block:
            break
        shown += block
    os.close(ours)
    assert process.wait() == 0, shown
    return shown.decode()


def test_a_log_gets_a_line_now_and_then_and_no_more() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SLOW_LOOP], cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = done.stderr.splitlines()
    assert 1 <= len(lines) <= float(done.stdout) / 0.1
    for line in lines:
        told = re.fullmatch(r"walk: (\d+) of 50 steps, \S+/s, \d+ s left; step (\d+)", line)
        assert told and int(told[1]) == int(told[2]) + 1
    assert "\r" not in done.stderr


def test_a_terminal_gets_a_bar() -> None:
    shown = on_a_terminal(SLOW_LOOP)
    assert shown.count("\r") > 2
    assert re.search(r"walk: 100%\|.*\| 50/50 \[", shown)
    assert "step 49" in shown
    assert "steps/s" not in shown and "left" not in shown


@pytest.mark.parametrize("how", ["quiet", "another process"])
def test_nothing_is_shown_where_nothing_is_to_be(how: str) -> None:
    code = SLOW_LOOP
    if how == "quiet":
        code = f"from util.progress import begin; begin(quiet=True)\n{SLOW_LOOP}"
    environment = {"RANK": "1"} if how == "another process" else {}
    assert on_a_terminal(code, **environment) == ""
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        check=True,
        env={**os.environ, **environment},
    )
    assert told.stderr == b""


def test_a_line_tells_count_rate_and_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    bar = Progress(11_000, "progan", unit="image", initial=1000)
    for seconds, count in ((29, 500), (1, 1000), (10, 10), (20, 2990)):
        clock.now += seconds
        bar.update(count)
    bar.close()
    clock.now += 100
    bar.update(4500)
    first, second = capsys.readouterr().err.splitlines()
    # 1,500 images in 30 s, 8,500 to go; then 3,000 in 30 s, 5,500 to go
    assert first == "progan: 2,500 of 11,000 images, 50/s, 3 minutes left"
    assert second == "progan: 5,500 of 11,000 images, 100/s, 55 s left"


def test_bytes_are_told_in_units_to_read_and_no_total_is_made_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    for total in (20_100_000_000, None):
        bar = Progress(total, "a.zip", unit=BYTE)
        clock.now += 30
        bar.update(1_500_000_000)
    known, unknown = capsys.readouterr().err.splitlines()
    assert known == "a.zip: 1.5 GB of 20.1 GB, 50 MB/s, 6 minutes left"
    assert unknown == "a.zip: 1.5 GB, 50 MB/s"


def test_what_is_counted_passes_through(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(util.progress, "SECONDS", 0.0)
    assert list(progress([3, 1, 2], "", unit="file")) == [3, 1, 2]
    told = [line.partition(",")[0] for line in capsys.readouterr().err.splitlines()]
    assert told == ["1 of 3 files", "2 of 3 files", "3 of 3 files"]
    assert list(progress(iter("ab"), "x", unit="file", total=2)) == ["a", "b"]
    assert "x: 2 of 2 files" in capsys.readouterr().err
    no_progress().update(5)
    assert capsys.readouterr().err == ""


def test_a_quiet_command_warns_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        begun = begin(quiet=True)
        note("at work")
        end(begun, "python x.py")
        assert capsys.readouterr() == ("", "")
        warn("something")
        assert "warning: something" in capsys.readouterr().err
    finally:
        begin(quiet=False)
    note("at work")
    assert capsys.readouterr().err == "at work\n"


def test_the_last_line_tells_the_time_and_what_is_next(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr("sys.executable", "/opt/bin/python3")
    begun = begin(quiet=False)
    clock.now += 60 * 60 * 2 + 120
    end(begun, console.as_typed("eval.py", "--name", "a b"))
    assert capsys.readouterr().out == "took 2.0 hours; next: python3 eval.py --name 'a b'\n"
    end(begun, file=sys.stderr)
    assert capsys.readouterr() == ("", "took 2.0 hours\n")
    monkeypatch.setenv("RANK", "1")
    end(begun)
    assert capsys.readouterr().out == ""


def test_times_are_told_coarsely() -> None:
    told = [duration(s) for s in (0, 41.4, 89, 95, 2000, 5400, 27_000, 86_400, 130_000)]
    assert told == [
        *("0 s", "41 s", "89 s", "2 minutes", "33 minutes", "1.5 hours", "7.5 hours", "24.0 hours"),
        "1.5 days",
    ]


@pytest.mark.parametrize(
    ("flags", "left"),
    [
        (("--niter", 2), r"run: at most (\d+) s left"),
        (("--niter", 2, "--schedule", "onecycle"), r"run: (\d+) s left"),
        (("--max_steps", 4), r"run: at most (\d+) s left"),
    ],
)
def test_training_tells_the_time_left_of_the_whole_run(
    toy: pathlib.Path,
    tmp_path: pathlib.Path,
    flags: tuple[object, ...],
    left: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Two epochs of three steps, or four steps."""
    monkeypatch.setattr(util.progress, "SECONDS", 0.0)
    run_training(toy, tmp_path, *flags)
    steps = [line for line in capsys.readouterr().err.splitlines() if line.startswith("epoch ")]
    counts = [re.match(r"epoch (\d): (\d) of (\d) steps, ", line).groups() for line in steps]
    last = 1 if "--max_steps" in flags else 3
    epochs = [("1", n, "3") for n in "123"] + [("2", str(n), str(last)) for n in range(1, last + 1)]
    assert counts == epochs
    assert all(re.search(left + "$", line) for line in steps), steps
    assert re.search(left, steps[-1])[1] == "0"


def test_bars_are_made_in_one_place() -> None:
    folders = ("data", "training", "evaluation", "report", "tools", "minibench", "benchmarks")
    files = [
        *(p for p in ROOT.glob("*.py") if p.name != "hubconf.py"),  # it names what is needed
        *(p for f in (*folders, "studies") for p in (ROOT / f).rglob("*.py")),
    ]
    assert len(files) > 100
    assert [p for p in files if "tqdm" in p.read_text(encoding="utf-8")] == []
