"""The paper's archives on the Hugging Face hub: names, published sizes and hashes, downloads."""

from __future__ import annotations

import os
from typing import NamedTuple

from tools.released.fetch import fetch, set_aside, sha256_shown
from util.errors import WorkError
from util.progress import amount

REPOSITORY = "sywang/CNNDetection"


class Split(NamedTuple):
    """A part of the data set, in one archive."""

    folder: str  # below the root
    archives: tuple[str, ...]  # one, or all volumes in order
    size: float  # bytes of all archives, about: for when the hub cannot be asked


SPLITS = {  # as testsets.json has them
    "testset": Split("test", ("CNN_synth_testset.zip",), 20.1e9),
    "val": Split("val", ("progan_val.zip",), 831e6),
    "train": Split("train", tuple(f"progan_train.7z.{n:03}" for n in range(1, 8)), 75e9),
}


class Published(NamedTuple):
    """What the hub says of a file."""

    size: int  # bytes
    sha256: str | None  # None for a small file, which the hub keeps in git


def ask_hub(names: tuple[str, ...]) -> dict[str, Published] | str:
    """Size and hash of each file, or why they cannot be known.

    Raises WorkError where the hub answers, but has no such files.
    """
    from huggingface_hub import HfApi  # noqa: PLC0415 - --help should not wait for it
    from huggingface_hub.hf_api import RepoFile  # noqa: PLC0415
    from huggingface_hub.utils import HfHubHTTPError, OfflineModeIsEnabled  # noqa: PLC0415

    api = HfApi()
    try:
        found = api.get_paths_info(REPOSITORY, list(names), repo_type="dataset")
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status >= 500:
            return f"{api.endpoint} answers with {status}"
        raise WorkError(
            f"{api.endpoint}: {status} for dataset {REPOSITORY}; is it gone?"
        ) from error
    except OfflineModeIsEnabled:
        return "HF_HUB_OFFLINE is set"
    except Exception as error:  # of whichever HTTP library this version of the hub's uses
        return f"{api.endpoint} cannot be reached: {error}"
    files = {
        file.path: Published(file.size, file.lfs.sha256 if file.lfs else None)
        for file in found
        if isinstance(file, RepoFile)
    }
    if lost := [name for name in names if name not in files]:
        raise WorkError(f"{api.endpoint}: dataset {REPOSITORY} has no file {', '.join(lost)}")
    return files


def find(name: str, folder: str) -> str | None:
    """Return the path of the archive `name`: in `folder`, else in the hub's cache."""
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - as above

    path = os.path.join(folder, name)
    if os.path.isfile(path):
        return path
    cached = try_to_load_from_cache(REPOSITORY, name, repo_type="dataset")
    return cached if isinstance(cached, str) else None


def obtain(name: str, folder: str, published: Published | None) -> str:
    """Return the path of the archive, checked against what is published where that is known. It is
    fetched into `folder` where it is not on this machine.

    Raises WorkError where it cannot be fetched, or is not the published file: it is then renamed.
    """
    path = find(name, folder)
    if path:
        _check(path, os.path.join(folder, name), published)
        return path
    from huggingface_hub import hf_hub_url  # noqa: PLC0415 - as above

    # Not hf_hub_download: since 2.0 it drops what it has when it is stopped, here up to 20 GB
    url = hf_hub_url(REPOSITORY, name, repo_type="dataset")
    path = os.path.join(folder, name)
    part = fetch(url, path, f"fetch it by other means and put it into {folder}")
    _check(part, path, published)
    os.replace(part, path)
    return path


def _check(file: str, name: str, published: Published | None) -> None:
    if not published:
        return
    size = os.path.getsize(file)
    wrong = ""
    if size != published.size:
        wrong = f"{size:,} bytes instead of {published.size:,}"
    elif published.sha256 and sha256_shown(file) != published.sha256:
        wrong = "another SHA-256 than published"
    if wrong:
        os.makedirs(os.path.dirname(name), exist_ok=True)
        aside = set_aside(file, file.removesuffix(".part"))
        raise WorkError(
            f"{os.path.basename(name)}: damaged: {wrong}; it is now {aside}; the same command"
            " fetches it again"
        )


def still_to_fetch(names: tuple[str, ...], folder: str, sizes: dict[str, float]) -> float:
    """Bytes of the archives that are not on this machine."""
    needed = 0.0
    for name in names:
        part = os.path.join(folder, f"{name}.part")
        if not find(name, folder):
            needed += sizes[name] - (os.path.getsize(part) if os.path.exists(part) else 0)
    return needed


def describe_archives(names: tuple[str, ...], sizes: dict[str, float]) -> str:
    """Names and sizes, to read."""
    return ", ".join(f"{name} ({amount(sizes[name])})" for name in names)
