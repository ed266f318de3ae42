from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import signal
import sys
import time
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from data.testsets import ORDER
from tests.commands import Result, run, start
from tests.conftest import children, write_image
from tools.checks import content
from tools.checks.findings import FAULTS, OBSERVATIONS, Report
from tools.checks.inventory import take_inventory
from tools.checks.verify_report import as_markdown, as_text, code, shown
from tools.released.counts import known_testsets, published_counts, published_train
from tools.verify import check, main
from util.errors import UsageError, WorkError

CLASSES, _ = published_train()


@pytest.fixture
def own(tmp_path: pathlib.Path) -> pathlib.Path:
    """A root of the user's own: two test sets, no published counts."""
    root = tmp_path / "own"
    for number in range(12):
        label = ("0_real", "1_fake")[number % 2]
        write_image(root / ("first", "second")[number % 4 // 2] / label / f"{number}.png", number)
    return root


def faults(report: Report) -> dict[str, list[tuple[str, ...]]]:
    return {kind: [f.paths for f in report.of(kind)] for kind in FAULTS if report.of(kind)}


def observed(report: Report) -> dict[str, list[tuple[str, ...]]]:
    return {kind: [f.paths for f in report.of(kind)] for kind in OBSERVATIONS if report.of(kind)}


def verify(*arguments: object, cwd: pathlib.Path) -> Result:
    return run("-m", "tools.verify", *arguments, cwd=cwd)


# --- the published numbers ---


def test_the_published_sets_are_the_known_ones() -> None:
    counts = published_counts()
    assert set(known_testsets(counts)) == set(ORDER)
    assert sum(sum(its.values()) for name, its in counts.items() if name != "val") == 90329
    assert sum(counts["san"].values()) == 438
    assert len(CLASSES) == 20


def test_the_released_test_sets_are_whole(
    real_skeleton: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.verify.look_at_all", None)  # quick is without a look into the files
    report = check(str(real_skeleton), quick=True)
    assert faults(report) == {}
    assert report.images == 90329
    assert [row.set for row in report.rows] == list(ORDER)
    assert {row.state for row in report.rows} == {"counts as published"}
    assert all((row.real, row.fake) == row.expected for row in report.rows)
    (san,) = [row for row in report.rows if row.set == "san"]
    assert san.real + san.fake == 438


def test_one_missing_file_is_told_by_class_label_and_ending(real_skeleton: pathlib.Path) -> None:
    lost = real_skeleton / "cyclegan/zebra/1_fake/00004.png"
    elsewhere = real_skeleton.parent / "files/lost.png"
    lost.rename(elsewhere)
    try:
        report = check(str(real_skeleton), quick=True)
    finally:
        elsewhere.rename(lost)
    assert faults(report) == {"missing": [("cyclegan/zebra/1_fake",)]}
    (finding,) = report.of("missing")
    assert (finding.expected, finding.found) == (120, 119)
    assert finding.detail == ".png: expected 120, found 119"
    assert not report.is_whole()


def test_another_ending_is_missing_and_extra(real_skeleton: pathlib.Path) -> None:
    file = real_skeleton / "san/0_real/00003.bmp"
    file.rename(file.with_suffix(".PPM"))
    try:
        report = check(str(real_skeleton), wanted=("san",), quick=True)
    finally:
        file.with_suffix(".PPM").rename(file)
    assert faults(report) == {"missing": [("san/0_real",)], "extra": [("san/0_real",)]}
    assert report.of("extra")[0].detail == ".ppm: expected 0, found 1"


def test_a_known_set_that_is_not_there_is_missing(
    real_skeleton: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "test").mkdir()
    for name in ORDER:
        if name != "biggan":
            (tmp_path / "test" / name).symlink_to(real_skeleton / name)
    report = check(str(tmp_path), quick=True)
    assert faults(report) == {"missing": [("test/biggan",)]}
    assert observed(report) == {"absent": [("train",), ("val",)]}
    (row,) = [row for row in report.rows if row.set == "test/biggan"]
    assert row == ("test/biggan", 0, 0, (2000, 2000), "missing")
    chosen = check(str(tmp_path), wanted=("san", "progan"), quick=True)
    assert chosen.is_whole()
    assert [row.set for row in chosen.rows] == ["test/progan", "test/san"]
    assert faults(check(str(tmp_path), wanted=("san", "biggan"), quick=True)) == {
        "missing": [("test/biggan",)]
    }


def test_a_set_alone_is_known_by_its_name(real_skeleton: pathlib.Path) -> None:
    for name in ("progan", "biggan"):  # with classes, one of them called train, and without
        report = check(str(real_skeleton / name), quick=True)
        assert report.is_whole()
        assert [row.set for row in report.rows] == [name]
        assert report.rows[0].expected


def test_of_train_the_classes_are_compared(tmp_path: pathlib.Path) -> None:
    for name in (*CLASSES, "unicorn"):
        for label in ("0_real", "1_fake"):
            if (name, label) != ("cow", "1_fake"):
                write_image(tmp_path / "train" / name / label / "a.png", 1)
    for root, prefix in ((tmp_path, "train/"), (tmp_path / "train", "")):
        report = check(str(root), quick=True)
        assert faults(report) == {
            "missing": [(f"{prefix}cow/1_fake",)],
            "extra": [(f"{prefix}unicorn/0_real",), (f"{prefix}unicorn/1_fake",)],
        }
        assert "exact number" in report.of("uncounted")[0].detail
        assert report.rows[0].state == "missing folders 1, extra 2"


def test_another_benchmark_is_not_compared(own: pathlib.Path) -> None:
    (own / "first").rename(own / "progan")
    (own / "second").rename(own / "own|set")
    assert "missing" in faults(check(str(own), quick=True))
    (own / "minibench.json").write_text('{"note": "a miniature"}')
    report = check(str(own), quick=True)
    assert report.is_whole()
    assert report.note == "a miniature"
    assert squeezed("| `own\\|set` | no published count | 3 | 3 | - |") in squeezed(
        as_markdown(report, "verify.json")
    )
    assert "- `own|set/`: no" in as_markdown(report, "verify.json")
    assert {row.state for row in report.rows} == {"no published count"}


# --- each fault ---


def test_a_sound_folder_has_no_faults(own: pathlib.Path) -> None:
    report = check(str(own))
    assert faults(report) == {}
    assert report.images == 12
    assert observed(report) == {"uncounted": [("first/",), ("second/",)]}
    first = report.contents[0]
    assert (first.set, first.label, first.formats) == ("first", "real", {"PNG": 3})
    assert first.sizes == [(40, 40, 3)]


def test_sizes_and_formats_are_counted(own: pathlib.Path) -> None:
    write_image(own / "first/0_real/wide.jpg", 20, (60, 30))
    write_image(own / "first/0_real/small.webp", 21, (8, 9))
    first = check(str(own)).contents[0]
    assert first.formats == {"PNG": 3, "JPEG": 1, "WEBP": 1}
    assert first.sizes[0] == (40, 40, 3)
    assert (first.smallest, first.largest) == ((9, 8), (30, 60))


def cut(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def emptied(path: pathlib.Path) -> None:
    path.write_bytes(b"")


def junk(path: pathlib.Path) -> None:
    path.write_bytes(b"no image")


def as_jpeg(path: pathlib.Path) -> None:
    Image.open(path).save(path, "JPEG")


def dead_link(path: pathlib.Path) -> None:
    path.unlink()
    path.symlink_to("nowhere.png")


def bomb(path: pathlib.Path) -> None:
    """A PNG that claims 60,000 x 60,000 pixels."""
    contents = b"\x89PNG\r\n\x1a\n"
    size = (60000).to_bytes(4, "big")
    for kind, data in ((b"IHDR", size * 2 + b"\x08\x02\0\0\0"), (b"IDAT", zlib.compress(b""))):
        check_sum = zlib.crc32(kind + data).to_bytes(4, "big")
        contents += len(data).to_bytes(4, "big") + kind + data + check_sum
    path.write_bytes(contents)


@pytest.mark.parametrize(
    ("harm", "kind", "word"),
    [
        (cut, "unreadable", "truncated"),
        (junk, "unreadable", "cannot identify"),
        (emptied, "empty", ""),
        (as_jpeg, "misnamed", "JPEG inside"),
        (dead_link, "unreadable", "not there"),
        (bomb, "unreadable", "pixels"),
    ],
)
def test_harm_is_found_and_named(
    own: pathlib.Path, harm: Callable[[pathlib.Path], None], kind: str, word: str
) -> None:
    harm(own / "second/1_fake/3.png")
    report = check(str(own))
    assert faults(report) == {kind: [("second/1_fake/3.png",)]}
    assert word in report.of(kind)[0].detail
    assert str(own) not in report.of(kind)[0].detail
    (row,) = [row for row in report.rows if row.set == "second"]
    assert row.state == f"{kind} 1"


@pytest.mark.parametrize(("harm", "found"), [(emptied, True), (dead_link, True), (cut, False)])
def test_what_quick_finds(
    own: pathlib.Path, harm: Callable[[pathlib.Path], None], found: bool
) -> None:
    harm(own / "second/1_fake/3.png")
    assert check(str(own), quick=True).is_whole() is not found


def copy(root: pathlib.Path, source: str, target: str) -> None:
    (root / target).parent.mkdir(parents=True, exist_ok=True)
    (root / target).write_bytes((root / source).read_bytes())


def test_the_same_file_as_real_and_fake(own: pathlib.Path) -> None:
    copy(own, "first/0_real/0.png", "second/1_fake/twin.png")
    assert faults(check(str(own))) == {
        "across_labels": [("first/0_real/0.png", "second/1_fake/twin.png")]
    }


def test_the_same_file_in_train_and_test(own: pathlib.Path, tmp_path: pathlib.Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    own.rename(root / "test")
    copy(root, "test/first/0_real/0.png", f"train/{CLASSES[0]}/0_real/twin.png")
    report = check(str(root))
    twins = ("test/first/0_real/0.png", f"train/{CLASSES[0]}/0_real/twin.png")
    assert faults(report)["across_splits"] == [twins]
    assert "across_labels" not in faults(report)
    assert report.of("across_splits")[0].sets == ("test/first", "train")


def test_twins_of_one_label_are_no_fault(own: pathlib.Path) -> None:
    copy(own, "first/0_real/0.png", "first/0_real/twin.png")
    copy(own, "first/0_real/4.png", "second/0_real/shared.png")  # as CRN and IMLE share theirs
    report = check(str(own))
    assert report.is_whole()
    assert observed(report)["within_set"] == [("first/0_real/0.png", "first/0_real/twin.png")]
    assert observed(report)["shared"] == [("first/0_real/4.png", "second/0_real/shared.png")]


def test_only_files_of_equal_size_are_hashed(own: pathlib.Path) -> None:
    write_image(own / "first/0_real/large.bmp", 20, (90, 30))
    chunks = list(content.chunks_of(take_inventory(str(own), ORDER)))
    hashed = {n: h for c in chunks for n, h in zip(c.names, c.hashed, strict=True)}
    assert hashed["large.bmp"] is False


# --- other files ---


def test_files_that_are_no_images_are_listed(own: pathlib.Path) -> None:
    for name in ("first/0_real/._0.png", "first/notes.txt", "first/0_real/a.png.part", "top.zip"):
        (own / name).write_bytes(b"x")
    (own / ".cache").mkdir()
    copy(own, "first/0_real/0.png", "first/stray.png")
    (own / "first/0_real/loop").symlink_to(own / "first")
    report = check(str(own))
    assert report.is_whole()
    assert report.images == 12
    assert {f.paths[0]: f.detail for f in report.of("ignored")} == {
        "first/0_real/._0.png": "hidden",
        "first/0_real/a.png.part": "no known ending",
        "first/0_real/loop/": "link to a folder above it",
        "first/notes.txt": "no known ending",
        "top.zip": "no known ending",
        ".cache/": "hidden folder",
    }
    assert observed(report)["outside"] == [("first/stray.png",)]


NASTY = ["a|b`c``.png", "line\nbreak.png", "\x1b[31mred.png", "ü 1 \u202ex.png", "<b>_*[x](y).png"]


def test_nasty_names_come_through(own: pathlib.Path, tmp_path: pathlib.Path) -> None:
    folder = os.fsencode(own / "first/0_real")
    for name in (*map(os.fsencode, NASTY), b"\xff\xfe.png"):
        with open(folder + b"/" + name, "wb") as file:
            file.write(b"no image")
    result = verify(own, "--processes", "1", "--out", tmp_path / "r/check", cwd=tmp_path)
    assert result.returncode == 1, result.stderr
    report = json.loads((tmp_path / "r/check.json").read_text(encoding="utf-8"))
    named = {fault["paths"][0] for fault in report["faults"]["unreadable"]}
    assert named == {f"first/0_real/{n}" for n in (*NASTY, os.fsdecode(b"\xff\xfe.png"))}
    markdown = (tmp_path / "r/check.md").read_text(encoding="utf-8")
    assert "- ```first/0_real/a|b`c``.png```: cannot be read" in markdown
    assert "line\\nbreak.png" in markdown
    for text in (markdown, result.stdout):
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_names_are_shown_in_one_line() -> None:
    assert shown("a\nb\x1bü\udcff") == "a\\nb\\x1bü\\udcff"
    assert code("a`") == "`` a` ``"
    assert code("plain_name") == "`plain_name`"


# --- reports and exits ---


def test_long_lists_are_cut_in_markdown_alone(own: pathlib.Path, tmp_path: pathlib.Path) -> None:
    for number in range(25):
        (own / f"first/0_real/bad{number}.png").write_bytes(b"no image")
    result = verify(own, "--processes", "2", cwd=tmp_path)
    assert result.returncode == 1, result.stderr
    report = json.loads((tmp_path / "results/verify-own/verify.json").read_text())
    assert len(report["faults"]["unreadable"]) == 25
    assert report["whole"] is False
    markdown = (tmp_path / "results/verify-own/verify.md").read_text()
    assert markdown.count("- `first/0_real/bad") == 20
    assert "and 5 more in `verify.json`" in markdown
    assert "unreadable 25" in result.stdout
    assert "faults: 25" in result.stdout


def test_exits(own: pathlib.Path, tmp_path: pathlib.Path) -> None:
    whole = verify(own, "--processes", "0", cwd=tmp_path)
    assert (whole.returncode, whole.stderr.count("error")) == (0, 0), whole.stderr
    assert "no faults" in whole.stdout
    (own / "first/0_real/bad.png").write_bytes(b"")
    assert verify(own, "--quick", cwd=tmp_path).returncode == 1
    (tmp_path / "void").mkdir()
    for arguments in (
        [],
        [own, own],
        ["no such folder"],
        [own, "--sets", "nosuch"],
        [tmp_path / "void"],
    ):
        wrong = verify(*arguments, cwd=tmp_path)
        assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1), wrong.stderr


def test_reports_are_not_written_into_the_data(own: pathlib.Path) -> None:
    refused = verify(own, "--quick", cwd=own)
    assert refused.returncode == 2
    assert "--out" in refused.stderr
    assert not (own / "results").exists()
    assert verify(own, "--quick", "--out", own / "asked", cwd=own).returncode == 0
    assert (own / "asked.json").exists()


def test_by_several_processes_as_by_one(own: pathlib.Path) -> None:
    cut(own / "second/1_fake/3.png")
    copy(own, "first/0_real/0.png", "second/1_fake/twin.png")
    assert check(str(own), processes=2) == check(str(own))


def test_chunks_end_by_number_and_by_volume(
    own: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = check(str(own))
    monkeypatch.setattr(content, "CHUNK_IMAGES", 2)
    assert check(str(own)) == whole
    monkeypatch.setattr(content, "CHUNK_BYTES", 1)
    assert check(str(own)) == whole


def test_a_killed_worker_is_one_clear_line(
    own: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "look", _die)
    with pytest.raises(WorkError, match="--processes"):
        check(str(own), processes=1)


def squeezed(text: str) -> str:
    """Without the spaces that align a table."""
    return re.sub(" +", " ", text)


def _die(chunk: content.Chunk, max_pixels: int) -> content.Seen:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def has_open(pid: int | None, folder: pathlib.Path) -> bool:
    """Whether a process that `pid` has started reads a file in this folder."""
    files = (f for child in children(pid or 0) for f in pathlib.Path(f"/proc/{child}/fd").iterdir())
    with contextlib.suppress(FileNotFoundError):
        return any(os.readlink(file).startswith(str(folder)) for file in files)
    return False


def test_ctrl_c_ends_at_once(tmp_path: pathlib.Path) -> None:
    (tmp_path / "own/0_real").mkdir(parents=True)
    Image.new("RGB", (9000, 9000)).save(tmp_path / "own/0_real/0.png")
    for number in range(1, 400):
        os.link(tmp_path / "own/0_real/0.png", tmp_path / f"own/0_real/{number}.png")
    command = start("-m", "tools.verify", "own", "--processes", 1, cwd=tmp_path, own_group=True)
    while command.process.is_alive() and not has_open(command.process.pid, tmp_path / "own"):
        time.sleep(0.01)
    os.killpg(command.process.pid or 0, signal.SIGINT)  # as a terminal does: to the workers, too
    result = command.result(timeout=30)  # the 64 images in hand take minutes
    assert result.returncode == 130, result.stderr
    assert result.stderr.rstrip().endswith("verify.py: stopped by Ctrl-C")
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "results").exists()


def test_the_console_names_each_kind_once(own: pathlib.Path) -> None:
    for number in range(3):
        (own / f"first/0_real/bad{number}.png").write_bytes(b"no image")
    text = as_text(check(str(own)))
    assert text.count("fault: ") == 1
    assert "Unreadable: 3" in text
    text = squeezed(as_markdown(check(str(own)), "verify.json"))
    assert "| `first` | real | PNG 3 |" in text


def test_the_command_in_this_process(
    own: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["verify.py", str(own), "--quick"])
    assert main() == 0
    assert "results/verify-own/verify.md" in capsys.readouterr().out
    with pytest.raises(UsageError, match="no such folder"):
        check(str(own / "none"))
