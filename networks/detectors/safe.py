"""SAFE: the network of NPR on a wavelet's diagonal details (Li et al. 2024)."""

from __future__ import annotations

import torch

from networks.create import build
from networks.detectors.release import Blueprint, Release, State
from networks.input_spec import InputSpec
from networks.maps import Maps

SOURCE = "https://github.com/Ouxiang-Li/SAFE"


def blueprint(state: State) -> Blueprint:
    """Return the network for the released file. Its last layer fc1 has two outputs, real and fake:
    the softmax's probability of "fake" is the sigmoid of their difference, our logit.

    Images are not normalised, which is mean 0 and deviation 1.
    """
    with torch.device("meta"):
        network = build("resnet50_2stages-hh")
    return Blueprint(
        network,
        dict(_as_ours(key, value) for key, value in state.items()),
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        input=InputSpec(256, usual=256),
        maps=Maps("layer2"),
    )


def _as_ours(key: str, value: torch.Tensor) -> tuple[str, torch.Tensor]:
    if key in ("fc1.weight", "fc1.bias") and len(value) == 2:
        return key.replace("fc1", "fc"), value[1:] - value[:1]
    return key, value


RELEASE = Release(
    blueprint=blueprint,
    paper="Li et al., KDD 2025",
    source=SOURCE,
    licence="Apache-2.0",
    free=True,
    files={"checkpoint-best.pth": f"{SOURCE}/raw/main/checkpoint/checkpoint-best.pth"},
    # No row of the paper's is known here. AIGIBench's .781 (AP .836, 25 sets) is of a network that
    # its authors trained again, not of this file.
)
