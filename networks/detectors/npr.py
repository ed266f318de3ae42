"""NPR: the first half of a ResNet-50 on what neighbouring pixels differ by (Tan et al. 2024)."""

from __future__ import annotations

import torch

from networks.architectures import IMAGENET_MEAN, IMAGENET_STD
from networks.create import build
from networks.detectors.release import Blueprint, Release, State
from networks.input_spec import InputSpec
from networks.maps import Maps

SOURCE = "https://github.com/chuangchuangtan/NPR-DeepfakeDetection"
RAW = "https://raw.githubusercontent.com/chuangchuangtan/NPR-DeepfakeDetection"


def blueprint(state: State) -> Blueprint:
    """Return the network for a released file, whose last layer is called fc1 instead of fc.

    Images are scored whole; the filter leaves out the last row or column of an odd side, where the
    released code fails.
    """
    with torch.device("meta"):
        network = build("resnet50_2stages-npr")
    return Blueprint(
        network,
        {key.replace("fc1.", "fc."): value for key, value in state.items()},
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        input=InputSpec(None, whole=True),
        maps=Maps("layer2"),
    )


RELEASE = Release(
    blueprint=blueprint,
    paper="Tan et al., CVPR 2024",
    source=SOURCE,
    licence="none stated",
    free=False,
    files={
        "NPR.pth": f"{SOURCE}/raw/main/NPR.pth",  # the paper's, 17,393,733 bytes
        # trained again for AIGCDetectBenchmark, a bare state dict: 5,842,385 bytes
        "model_epoch_last_3090.pth": (
            f"{RAW}/68338a07847e891534f3d0b0a0e25bb137b684f7/model_epoch_last_3090.pth"
        ),
    },
    # as several independent users of the files wrote down; we have not read the files
    sha256={
        "NPR.pth": "3939297e9399e0b992f87211610769d87d899de50d56da0204d6cbda2d483a53",
        "model_epoch_last_3090.pth": (
            "b67a91555ce786a6d0463ff0cb2b0b874d1c3f971b0e3febd2ae5618a80f7e8a"
        ),
    },
    published={
        # the authors' README, NPR.pth; after Resize((256, 256)), unlike here
        "foren8": {"accuracy": 0.925, "ap": 0.961},
        # mean accuracy as later papers' tables have it; how they scored is not known here
        "foren11": {"accuracy": 0.825},
        "ufd19": {"accuracy": 0.876},
    },
    published_of="NPR.pth",
)
