"""What trackers have written, read back without their help: W&B's offline record by its format (the
log of LevelDB, with W&B's own message types), Trackio's store by SQL.
"""

from __future__ import annotations

import importlib
import json
import os
import pathlib
import sqlite3
import struct
from collections.abc import Iterator
from typing import Any

import pytest

HEADER, BLOCK = 7, 32768  # bytes: of the file and of each piece alike; pieces do not cross a block
WHOLE, LAST = 1, 4  # pieces that end a record
# Not in `make setup`, as Trackio wants an older Pillow (docs/tracking.md): no tests without them,
# but where `make test-trackers` has put them in the way.
for package in ("trackio", "wandb"):
    if not os.environ.get("REQUIRE_TRACKERS"):
        pytest.importorskip(package, reason="make test-trackers")
Record: Any = importlib.import_module("wandb.proto.wandb_internal_pb2").Record


def offline(folder: pathlib.Path, tracker_store: pathlib.Path) -> dict[str, str]:
    """The environment of a command whose trackers write here, and reach nobody."""
    own = {name: str(tracker_store / name.lower()) for name in ("DATA_DIR", "CACHE_DIR")}
    return {
        "WANDB_MODE": "offline",
        "WANDB_BASE_URL": "http://127.0.0.1:9",
        **{f"WANDB_{name}": path for name, path in own.items()},
        "WANDB_CONFIG_DIR": str(tracker_store / "config"),
        "TRACKIO_DIR": str(folder),
        "HF_ENDPOINT": "http://127.0.0.1:9",
    }


class Recorded:
    """One part of a W&B run, as it was recorded while offline."""

    def __init__(self, path: pathlib.Path) -> None:
        records = list(_records(path.read_bytes()))
        kinds = [(str(record.WhichOneof("record_type")), record) for record in records]
        (self.run,) = (record.run for kind, record in kinds if kind == "run")
        self.config = {its.key: json.loads(its.value_json) for its in self.run.config.update}
        self.rows = [_values(record.history.item) for kind, record in kinds if kind == "history"]
        self.artifacts = {
            record.artifact.name: record.artifact for kind, record in kinds if kind == "artifact"
        }
        self.summary: dict[str, Any] = {}
        for kind, record in kinds:
            if kind == "summary":
                self.summary |= _values(record.summary.update)
        self.kinds = {kind for kind, _ in kinds}

    def points(self, name: str) -> list[tuple[int, float]]:
        """A curve: (step, value)."""
        return [(row["total_steps"], row[name]) for row in self.rows if name in row]

    def files(self, kind: str) -> list[dict[str, pathlib.Path]]:
        """The files of each artifact of a type, by the path that they have in it."""
        return [
            {each.path: pathlib.Path(each.local_path) for each in its.manifest.contents}
            for its in self.artifacts.values()
            if its.type == kind
        ]

    def table(self, name: str) -> tuple[list[str], list[list[Any]]]:
        """A table as the service would be given it: columns and rows, a picture as its file."""
        file = f"{name}.table.json"
        (files,) = (its for its in self.files("run_table") if file in its)
        table = json.loads(files[file].read_text())
        rows = [
            [files[cell["path"]] if isinstance(cell, dict) else cell for cell in row]
            for row in table["data"]
        ]
        shown = {cell for row in rows for cell in row if isinstance(cell, pathlib.Path)}
        assert shown == {files[path] for path in files if path.startswith("media/images/")}
        return table["columns"], rows


def recorded(folder: pathlib.Path) -> list[Recorded]:
    """The parts of the W&B runs in a run's folder, the oldest first."""
    paths = sorted(
        folder.glob("wandb/offline-run-*/*.wandb"), key=lambda path: path.stat().st_mtime
    )
    return [Recorded(path) for path in paths]


def trackio_rows(store: pathlib.Path) -> list[tuple[str, int, dict[str, Any]]]:
    """What Trackio was given: the run's name, the step, the values."""
    with sqlite3.connect(store / "cnn-detection.db") as base:
        rows = base.execute("SELECT run_name, step, metrics FROM metrics ORDER BY id").fetchall()
    return [(name, step, json.loads(metrics)) for name, step, metrics in rows]


def _records(data: bytes) -> Iterator[Any]:
    position, so_far = HEADER, b""
    while position < len(data):
        if BLOCK - position % BLOCK < HEADER:
            position += BLOCK - position % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[position : position + HEADER])
        position += HEADER
        so_far += data[position : position + length]
        position += length
        if kind in (WHOLE, LAST):
            record = Record()
            record.ParseFromString(so_far)
            so_far = b""
            yield record


def _values(items: Any) -> dict[str, Any]:  # noqa: ANN401 (of a type that is generated)
    """The items by their names, those of a nested one by "/"."""
    named = (("/".join(its.nested_key) or its.key, its.value_json) for its in items)
    return {name: json.loads(value) for name, value in named}
