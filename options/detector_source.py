"""Which detectors a command works with: --model_path and --detector."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from options.names import DETECTORS

DETECTOR_HELP = (
    f"published detector: {', '.join(DETECTORS)}; its file as in univfd:FILE, or by --model_path;"
    " a backbone that its file lacks as in univfd:FILE,BACKBONE_FILE [fetched]"
)
MODEL_PATH_HELP = (
    "weights: a checkpoint of train.py (model_epoch_best.pth is the one to evaluate), the published"
    " ones, or the file of --detector"
)


class DetectorSource(NamedTuple):
    """Where a detector comes from."""

    path: str
    name: str = ""  # of a published detector; "": a checkpoint of train.py, or the paper's
    backbone: str = ""  # path of the file with the backbone's own weights, where `path` lacks them


def detector_name(value: str) -> str | None:
    """Check one value of --detector: NAME[:FILE[,BACKBONE_FILE]]."""
    name, colon, files = value.partition(":")
    if name not in DETECTORS:
        return f"must begin with one of {', '.join(DETECTORS)}"
    return "must name a file after the colon" if colon and not files.partition(",")[0] else None


def detector_sources(model_paths: Sequence[str], detectors: Sequence[str]) -> list[DetectorSource]:
    """Return the detectors that are asked for: those of --model_path first.

    Raises ValueError, in words for the user, where a published detector has no file.
    """
    model_paths, detectors = list(filter(None, model_paths)), list(filter(None, detectors))
    bare = [value for value in detectors if ":" not in value]
    if bare and (len(bare) > 1 or len(model_paths) != 1):
        raise ValueError(
            f"--detector {bare[0]} needs its file: --detector {bare[0]}:FILE, or one --model_path"
        )
    found = [DetectorSource(path, *bare) for path in model_paths]
    for value in detectors:
        name, _, files = value.partition(":")
        if files:
            path, _, backbone = files.partition(",")
            found.append(DetectorSource(path, name, backbone))
    return found


def not_one_detector(model_path: str, detector: str) -> str | None:
    """Return what is wrong with the two options of a command that takes one detector, or None."""
    try:
        sources = detector_sources([model_path], [detector])
    except ValueError as error:
        return str(error)
    if len(sources) > 1:
        return "--model_path and --detector with a file exclude each other"
    return None if sources else "--model_path is needed (or --detector)"


def detector_names(sources: Sequence[DetectorSource]) -> list[str]:
    """Return a name for each detector, made different where equal: NAME-<stem of the file> of a
    published one, `default_name` of others.
    """
    names: list[str] = []
    for source in sources:
        stem = os.path.splitext(os.path.basename(source.path))[0]
        name = f"{source.name}-{stem}" if source.name else default_name(source.path)
        names.append(distinct_name(name, names))
    return names


def default_name(model_path: str) -> str:
    """Return <run>-<best|latest|N> for a checkpoint of a run, else the stem of the file's name."""
    stem = os.path.splitext(os.path.basename(model_path))[0]
    run = os.path.basename(os.path.dirname(os.path.abspath(model_path)))
    match = re.fullmatch(r"model_epoch_(\w+)", stem)
    return f"{run}-{match[1]}" if match and run else stem


def distinct_name(name: str, names: Sequence[str]) -> str:
    """Return `name` or, where `names` hold it already, one made of it."""
    same = sum(other == name or other.startswith(f"{name} (") for other in names)
    return f"{name} ({same + 1})" if same else name
