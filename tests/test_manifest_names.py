"""Manifests and predictions as others write them: names that climb, and what Excel adds."""

from __future__ import annotations

import json
import pathlib

import pytest

from data.manifest_file import read_manifest
from data.sources import find_testsets, training_images
from evaluation.predictions import read_predictions
from util.errors import UsageError

ROWS = "photos/1.png,0\nmade/1.png,1\n"
SCORES = "testset,path,label,logit\ngan,0_real/ü.png,0,-1.5\ngan,1_fake/a.png,1,2\n"


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    for name in ("photos", "made"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"x")
    return tmp_path


CLIMBING = [
    "../../../escaped",
    "..",
    ".",
    "/etc",
    "a/b",
    "a\\b",
    "C:escaped",
    "c:",
    "  ",
    "x" * 201,
]


@pytest.mark.parametrize("name", [*CLIMBING, "a\0b"])
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_test_set_has_a_plain_name(folder: pathlib.Path, name: str, ending: str) -> None:
    file = folder / f"m.{ending}"
    if ending == "csv":
        lines = ["path,label,testset", "photos/1.png,0,fine", f'made/1.png,1,"{name}"']
        file.write_text("\n".join(lines))
    else:
        rows = [("photos/1.png", 0, "fine"), ("made/1.png", 1, name)]
        keys = ("path", "label", "testset")
        file.write_text("\n".join(json.dumps(dict(zip(keys, row, strict=True))) for row in rows))
    row = 3 if ending == "csv" else 2
    with pytest.raises(UsageError) as error:
        find_testsets(str(file))
    if "\0" not in name or ending == "jsonl":  # before Python 3.11 such a CSV file is none
        assert f"{file}: row {row}: testset {name!r} must be a plain folder name" in str(
            error.value
        )


@pytest.mark.parametrize(
    "name", ["own set", "ab:c", "..x", "x..", "ü", "=1+1", "C", "a.b", "x" * 200]
)
def test_any_other_name_passes(folder: pathlib.Path, name: str) -> None:
    (folder / "m.csv").write_text(
        f"path,label,testset\nphotos/1.png,0,{name}\nmade/1.png,1,{name}\n"
    )
    assert list(find_testsets(str(folder / "m.csv"))) == [name]


def test_a_set_without_a_name_does_not_replace_one_that_is_called_so(folder: pathlib.Path) -> None:
    (folder / "m.csv").write_text("path,label,testset\nphotos/1.png,0,\nmade/1.png,1,m\n")
    with pytest.raises(UsageError, match="rows without a testset are called m"):
        find_testsets(str(folder / "m.csv"))


def test_a_path_has_no_null(folder: pathlib.Path) -> None:
    (folder / "m.jsonl").write_text('{"path": "a\\u0000b", "label": 1}\n')
    with pytest.raises(UsageError, match="row 1: has label '1' and path"):
        read_manifest(str(folder / "m.jsonl"))


def test_a_size_of_nought_is_a_size(folder: pathlib.Path) -> None:
    (folder / "m.jsonl").write_text('{"path": "made/1.png", "label": 1, "size": 0}\n')
    with pytest.raises(UsageError, match="is stale"):
        read_manifest(str(folder / "m.jsonl"))


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_byte_order_mark_is_no_part_of_a_name(folder: pathlib.Path, ending: str) -> None:
    file = folder / f"m.{ending}"
    lines = [
        f'{{"path": "{path}", "label": {label}}}'
        for path, label in (line.split(",") for line in ROWS.split())
    ]
    text = f"path,label\n{ROWS}" if ending == "csv" else "\n".join(lines)
    file.write_text(text, encoding="utf-8-sig")
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    (samples,) = find_testsets(str(file)).values()
    assert sorted(samples.paths.tolist()) == [b"made/1.png", b"photos/1.png"]


def test_predictions_may_have_one_too(folder: pathlib.Path) -> None:
    file = folder / "predictions.csv"
    file.write_text(SCORES, encoding="utf-8-sig")
    scores = read_predictions(str(file))["gan"]
    assert scores.paths == ["0_real/ü.png", "1_fake/a.png"]
    file.write_bytes(SCORES.encode().replace(b"a.png", b"\xff.png"))  # undecodable, as before
    assert read_predictions(str(file))["gan"].paths[1] == "1_fake/\udcff.png"


@pytest.mark.parametrize("mark", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize(("separator", "word"), [(";", "semicolons"), ("\t", "tabs")])
def test_other_separators_are_named(
    folder: pathlib.Path, mark: str, separator: str, word: str
) -> None:
    message = rf"its columns are separated by {word}; .*commas"
    (folder / "m.csv").write_text(f"path,label\n{ROWS}".replace(",", separator), encoding=mark)
    with pytest.raises(UsageError, match=message):
        training_images(str(folder / "m.csv"), ("train", "val"))
    (folder / "p.csv").write_text(SCORES.replace(",", separator), encoding=mark)
    with pytest.raises(UsageError, match=message):
        read_predictions(str(folder / "p.csv"))


def test_utf_16_is_named(folder: pathlib.Path) -> None:
    for name, text, read in (
        ("m.csv", f"path,label\n{ROWS}", read_manifest),
        ("p.csv", SCORES, read_predictions),
    ):
        (folder / name).write_text(text, encoding="utf-16")
        with pytest.raises(UsageError, match=r"is UTF-16; save it as CSV UTF-8"):
            read(str(folder / name))
