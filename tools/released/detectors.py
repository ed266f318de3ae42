"""The files of published detectors: licence first, fetched where it is free, checked to the key."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence

from networks.detectors.load import check_released
from networks.detectors.release import Release, release
from networks.timm_models import ModuleMissing
from tools.released.fetch import fetch_checked
from util.errors import UsageError
from util.files import sha256
from util.progress import amount


def get_detectors(names: Sequence[str], folder: str, *, accepted: bool = False) -> None:
    """Fetch what these published detectors' authors released into `folder`/<name>/, and check it.

    Raises UsageError before anything is fetched where a licence is not free, unless it is
    `accepted`, or where no file has an address of its own; else as `fetch_checked` does.
    """
    releases = {name: release(name) for name in names}
    for name, its in releases.items():
        if refusal := refuse(its, name, os.path.join(folder, name), accepted=accepted):
            raise UsageError(refusal)
    for name, its in releases.items():
        get_detector(its, name, os.path.join(folder, name))


def refuse(its: Release, name: str, folder: str, *, accepted: bool) -> str:
    """Return why nothing of a detector is fetched, and what to do; "" where it is."""
    by_hand = "; ".join(f"{file} from {address}" for file, address in its.pages.items())
    licence = f"weights {name}: licence: {its.licence}"
    if not its.files:
        return (
            f"{licence}; no file has an address of its own: get it by hand, out of a page, a folder"
            f" or an archive, and put it into {folder}: {by_hand}"
        )
    if its.free or accepted:
        return ""
    addresses = "; ".join(f"{file} from {address}" for file, address in its.files.items())
    return (
        f"{licence}; not everyone may use it for everything, so nothing is fetched: where you may,"
        f" add --accept_licence, or bring {'; '.join(filter(None, (addresses, by_hand)))}"
    )


def get_detector(its: Release, name: str, folder: str) -> None:
    """Fetch and check the files of one detector, and say how to score with them."""
    print(f"{name}: {its.paper}; {its.source}\n{name}: licence: {its.licence}", flush=True)
    for file, address in its.files.items():
        print(f"{name}: {file} from {address}", flush=True)
        get_file(its, name, file, folder=folder)
    for file, page in its.pages.items():
        print(f"{name}: {file} is to be got by hand from {page}", flush=True)
    own = os.path.join(folder, next(iter(its.files)))
    if its.backbone_file:
        print(f"{name}: its frozen backbone is another file, to be got from {its.backbone_file}")
        own += f",{os.path.basename(its.backbone_file)}"
    elif its.backbone:
        print(f"{name}: timm fetches its frozen backbone, {its.backbone}, when it first scores")
    command = ["python", "eval.py", "--detector", f"{name}:{own}", "--dataroot", "dataset/test"]
    print(f"{name}: score with it: {shlex.join(command)}", flush=True)


def get_file(its: Release, name: str, file: str, *, folder: str) -> None:
    """Fetch one file where it is not there, and check its SHA-256, where that is known, and that it
    fits to the key; raise as `fetch_checked` does.
    """
    path = os.path.join(folder, file)
    known = its.sha256.get(file, "")
    unsaid = ""  # why it is not known whether it fits

    def check(path: str) -> None:
        nonlocal unsaid
        found = sha256(path)
        if known and found != known:
            raise UsageError(f"{path}: its SHA-256 is {found}, not the {known} that is known of it")
        try:
            check_released(its, name, path)
        except ModuleMissing as error:
            unsaid = str(error)

    by_hand = f"get {file} by way of {its.source} and put it into {folder}"
    was_there = fetch_checked(its.files[file], path, check=check, by_hand=by_hand)
    told = "there already" if was_there else "fetched"
    fits = f"whether it fits was not checked ({unsaid})" if unsaid else f"fits {name}"
    digest = f"SHA-256 {known or sha256(path)}, {'as' if known else 'none is'} known"
    print(f"{path}: {told}, {fits}, {amount(os.path.getsize(path))}, {digest}", flush=True)
