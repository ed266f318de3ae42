from __future__ import annotations

import csv
import json
import os
import pathlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from data.samples import Samples, find_samples, pair_name, subsample
from tests.commands import ROOT, Result, run
from tests.conftest import assert_wrong_usage
from tests.test_audit_scores import spread
from tests.tolerances import near
from tools.audit import audit_set, read_files
from tools.checks.audit_report import Audited, notes, warning
from tools.checks.audit_scores import ALL
from tools.checks.cues import CUES

LABELS = ("0_real", "1_fake")


def save(path: pathlib.Path, rng: np.random.Generator, size: tuple[int, int], **how: Any) -> None:  # noqa: ANN401
    """A crop of smooth random colours, real or fake alike."""
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse.resize(size, Image.Resampling.BICUBIC).save(path, **how)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Sets of 60 + 60 images: one that is clean, others each with one thing that tells."""
    root, rng = tmp_path_factory.mktemp("planted"), np.random.default_rng(1)
    for number in range(60):
        for label in LABELS:
            is_real, name = label == "0_real", f"{label[2]}{number}"
            any_quality = int(rng.integers(70, 96))
            save(root / "clean" / label / f"{name}.jpg", rng, (48, 48), quality=any_quality)
            ending = "jpg" if is_real else "png"
            save(root / "format" / label / f"{name}.{ending}", rng, (48, 48))
            width = int(rng.integers(40, 80) if is_real else rng.integers(56, 64))
            save(root / "middle" / label / f"{name}.bmp", rng, (width, 48))
            quality = 95 if is_real else 75
            save(root / "quality" / label / f"{name}.jpg", rng, (48, 48), quality=quality)
    return root


def audit(folder: pathlib.Path) -> Audited:
    return audit_set(
        folder.name, find_samples(str(folder), both_labels=False), most=5000, seed=0, processes=4
    )


def command(*argv: object, cwd: pathlib.Path = ROOT) -> Result:
    return run("-m", "tools.audit", *argv, cwd=cwd)


def test_a_format_that_tells_all_is_found_and_named(planted: pathlib.Path) -> None:
    audited = audit(planted / "format")
    assert audited.counts == (60, 60)
    for cue in ("format", "ending", "quality", "tables", "subsampling", ALL):
        assert audited.of(cue) == pytest.approx((1.0, 1.0)), cue
    for cue in ("mode", "width", "height", "size", "aspect", "exif"):
        assert audited.of(cue) == (0.5, 0.5), cue
    sentence = warning(audited)
    assert sentence.startswith("format: the labels can nearly be read off the file.")
    assert "Strongest cue: format" in sentence
    assert "100 % of the reals are JPEG, 0 % of the fakes. A detector can score AP 1.00" in sentence
    assert "(chance: 0.50)" in sentence
    assert "--reencode jpeg:95" in sentence


def test_a_quality_that_tells_all_is_found_though_the_format_is_the_same(
    planted: pathlib.Path,
) -> None:
    audited = audit(planted / "quality")
    assert audited.of("format") == (0.5, 0.5)
    assert audited.of("quality") == (1.0, 1.0)
    assert audited.strongest() == "quality"
    assert "100 % of the reals have JPEG quality 95, 0 % of the fakes" in warning(audited)


def test_a_cue_that_lies_in_a_middle_range_is_found(planted: pathlib.Path) -> None:
    """Fakes are 56 to 63 wide, reals 40 to 79: 32 of 40 widths give a real away."""
    audited = audit(planted / "middle")
    assert audited.of("width").auroc == near(0.9, 0.1, "of 120 images")
    assert audited.strongest() in ("width", "size")
    assert "crops of one size" in warning(audited)


def test_in_a_clean_set_nothing_is_found(planted: pathlib.Path) -> None:
    audited = audit(planted / "clean")
    for cue in (*CUES, ALL):
        assert audited.of(cue).auroc == near(0.5, spread(60, 60), "chance"), cue
    assert warning(audited) == ""
    assert len({audited.of(cue).auroc for cue in CUES}) > 1  # quality and bytes are not constant


def test_a_cue_that_tells_all_does_so_in_ten_images_of_a_label(tmp_path: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(10):
        save(tmp_path / "0_real" / f"{number}.jpg", rng, (20, 20), quality=90)
        save(tmp_path / "1_fake" / f"{number}.jpg", rng, (20, 20), quality=50)
    audited = audit(tmp_path)
    assert audited.of("quality") == audited.of(ALL) == (1.0, 1.0)
    assert "nearly be read off" in warning(audited)
    assert any("few images; by chance alone" in note for note in notes(audited))


def test_a_pair_is_recognised_by_its_name() -> None:
    assert (
        pair_name("cat/0_real/a/1.5.png") == pair_name("cat/1_fake/a/1.5.jpg") == "cat/0_real/a/1.5"
    )
    assert pair_name("cat/0_real/1.png") != pair_name("dog/0_real/1.png")


def listed(reals: int, fakes: int) -> Samples:
    paths = [
        f"{label}/{i}.png"
        for label, n in zip(LABELS, (reals, fakes), strict=True)
        for i in range(n)
    ]
    return Samples("", np.array([os.fsencode(p) for p in paths]), np.repeat([0, 1], (reals, fakes)))


def test_of_many_images_a_seeded_choice_of_each_label_is_taken() -> None:
    def names(drawn: Samples, label: int) -> set[str]:
        indices: npt.NDArray[np.int64] = np.flatnonzero(drawn.labels == label)
        return {os.path.basename(drawn.relative(int(i))) for i in indices}

    drawn = subsample(listed(100, 100), 30, 0, per_label=True)
    assert len(names(drawn, 0)) == 30
    assert names(drawn, 0) == names(drawn, 1)  # pairs
    assert (
        names(subsample(listed(100, 100), 30, 0, per_label=True), 0)
        == names(drawn, 0)
        != names(subsample(listed(100, 100), 30, 1, per_label=True), 0)
    )
    few = subsample(listed(100, 7), 30, 0, per_label=True)
    assert (len(names(few, 0)), len(names(few, 1))) == (30, 7)
    assert (
        subsample(listed(30, 30), 30, 0, per_label=True).paths.tolist()
        == listed(30, 30).paths.tolist()
    )


def test_copies_are_left_out_within_a_label_alone(tmp_path: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    save(tmp_path / "0_real/a.bmp", rng, (9, 9))
    save(tmp_path / "0_real/b.bmp", rng, (9, 9))  # as long, but another image
    content = (tmp_path / "0_real/a.bmp").read_bytes()
    for copy in ("0_real/c.bmp", "0_real/d.bmp", "1_fake/a.bmp"):
        (tmp_path / copy).parent.mkdir(exist_ok=True)
        (tmp_path / copy).write_bytes(content)
    files = read_files(find_samples(str(tmp_path)), 2, "")
    assert files.names == ["0_real/a", "0_real/b", "0_real/a"]
    assert files.labels.tolist() == [0, 0, 1]
    assert files.num_copies == 2


@pytest.fixture(scope="module")
def folder(planted: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A data set in splits, with the sets that give trouble."""
    root, rng = tmp_path_factory.mktemp("every thing"), np.random.default_rng(8)
    (root / "val").symlink_to(planted / "clean")
    (root / "test").mkdir()
    (root / "test/progan").symlink_to(planted / "format")
    for number in range(12):
        odd = os.fsdecode(b"\xff %d | $a$ \n <b>.png" % number)
        for label in LABELS:
            save(root / "test/a|b\n$c$" / label / odd, rng, (12, 12))
            if number < 3:
                save(root / "test/few" / label / f"{number}.png", rng, (12, 12))
        save(root / "test/only fakes/1_fake" / f"{number}.png", rng, (12, 12))
    (root / "test/few/0_real/dam\naged.png").write_bytes(b"no image")
    return root


def test_the_command_writes_four_files_and_says_what_it_found(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    out = tmp_path / "out"
    result = command(folder, "--out", out, "--max_images", 50, "--processes", 2)
    assert result.returncode == 1, result.stderr
    named, counted = [line for line in result.stderr.splitlines() if "warning" in line]
    assert "dam aged.png: cannot be read as an image" in named
    assert "1 image could not be read; with --skip_unreadable" in counted
    assert sorted(p.name for p in out.iterdir()) == [
        f"audit.{e}" for e in ("csv", "json", "md", "png")
    ]
    assert "val: 50 of 60 real images." in result.stdout
    assert "test/few: left out as unreadable: 1." in result.stdout
    assert "test/few: has fewer than 10 different images of a label" in result.stdout
    assert "test/only fakes: holds fake images only" in result.stdout
    assert "test/progan: the labels can nearly be read off the file" in result.stdout
    page = (out / "audit.md").read_text()
    assert "test/progan: the labels can nearly be read off the file" in page
    assert r"| test/a\|b $c$ " in page
    assert all(len(set(map(len, t.split("\n")))) == 1 for t in page.split("\n\n") if t[0] == "|")
    assert Image.open(out / "audit.png").width > 800

    with open(out / "audit.csv", newline="") as file:
        rows = {row["set"]: row for row in csv.DictReader(file)}
    names = ["val", "test/progan", "test/a|b\n$c$", "test/few", "test/only fakes"]
    assert list(rows) == names
    assert float(rows["test/progan"]["format_auroc"]) == 1
    assert float(rows["test/progan"]["chance_ap"]) == 0.5
    assert rows["test/few"]["format_auroc"] == rows["test/only fakes"]["all_ap"] == ""
    saved = json.loads((out / "audit.json").read_text())
    assert [each["set"] for each in saved["sets"]] == names
    assert (saved["seed"], saved["max_images"]) == (0, 50)
    by_name = {each["set"]: each for each in saved["sets"]}
    assert by_name["test/progan"]["cues"]["format"] == {
        "ap": 1.0,
        "auroc": 1.0,
        "values": "100 % of the reals are JPEG, 0 % of the fakes",
    }
    assert by_name["test/few"]["cues"] == {}
    assert len(by_name["test/few"]["unreadable"]) == 1
    again = command(folder, "--out", tmp_path / "again", "--max_images", 50, "--processes", 1)
    both = [its.stdout.splitlines() for its in (again, result)]
    assert [line.replace("again", "out") for line in both[0][:-1]] == both[1][:-1]  # but the time
    for name in ("audit.csv", "audit.json", "audit.md"):
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes()


def test_test_sets_directly_in_the_folder_are_audited_and_warnings_are_no_failure(
    planted: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    result = command(planted, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "results" / f"audit-{planted.name}" / "audit.md").exists()
    assert result.stdout.count("|\n") == 6


def test_wrong_usage_is_one_line(tmp_path: pathlib.Path) -> None:
    assert_wrong_usage(command(), "DATAROOT")
    assert_wrong_usage(command(tmp_path / "no"), "no such folder")
    assert_wrong_usage(command(tmp_path, tmp_path), "one folder")
    assert_wrong_usage(command(tmp_path), "no test sets")
    assert_wrong_usage(command(tmp_path, "--max_images", 3), "--max_images", "at least 10")
