"""The published figures: published_results.json, which also says where each comes from."""

from __future__ import annotations

import functools
import json
import pathlib
from typing import Any

from util.errors import UsageError

_FILE = pathlib.Path(__file__).with_name("published_results.json")


@functools.cache
def _results() -> dict[str, Any]:
    results: dict[str, Any] = json.loads(_FILE.read_text())
    return results


def published_names() -> list[str]:
    """Return what `published` can be asked for: the released models, then the rows of Table 2.

    A row that train.py can repeat is called as the preset that does, with the augmentation of
    blur_jpg_prob0.5 where the preset names classes alone.
    """
    return [*_results()["released_models"], *_results()["table2_ap"]]


def check_published(name: str) -> None:
    """Raise UsageError unless `name` is empty or one of `published_names()`."""
    if name and name not in published_names():
        raise UsageError(f"--published {name} is not one of {', '.join(published_names())}")


def published(name: str, no_crop: bool = False) -> dict[str, dict[str, float]]:
    """Return published figures as fractions: {test set: {"ap": ..., "accuracy": ...}}.

    The released models have both figures, with the centre crop or (`no_crop`) without; a row of
    the paper's Table 2 has AP alone.
    """
    released, table2 = _results()["released_models"], _results()["table2_ap"]
    if name in released:
        protocol = released[name]["no_crop" if no_crop else "crop_224"]
        return {t: {k: round(v / 100, 6) for k, v in row.items()} for t, row in protocol.items()}
    return {t: {"ap": round(ap / 100, 6)} for t, ap in table2[name]["ap"].items()}


def reproductions(name: str, no_crop: bool = False) -> dict[str, dict[str, dict[str, float]]]:
    """Return what others measured who trained a released model anew: by their source, the figures
    as `published` has them. Empty where none are known.
    """
    protocol = "no_crop" if no_crop else "crop_224"
    found = {}
    for entry in _results()["reproductions"]:
        if (entry["model"], entry["protocol"]) == (name, protocol):
            found[entry["source"]] = {
                testset: {metric: round(value / 100, 6) for metric, value in row.items()}
                for testset, row in entry["figures"].items()
            }
    return found
