"""UnivFD: a linear layer on the features of OpenAI's CLIP, which stays as it is.

Ojha, Li, Lee, "Towards universal fake image detectors that generalize across generative models",
CVPR 2023; trained on ProGAN, 20 classes.
"""

from __future__ import annotations

from networks.detectors.clip import INPUT, OPENAI, LinearProbe, clip
from networks.detectors.release import CLIP_MEAN, CLIP_STD, Blueprint, Release, State

COMMIT = "763391eff3284f6950ffb323599c1a7a819f2ecd"


def blueprint(state: State) -> Blueprint:
    """Read fc_weights.pth: `weight` (1, 768) and `bias` (1,), on CLIP's projection, which the
    authors do not L2-normalize. The backbone's own weights are not in the file.
    """
    head = {f"head.{key}" if key in ("weight", "bias") else key: state[key] for key in state}
    return Blueprint(LinearProbe(clip(), l2=False), head, CLIP_MEAN, CLIP_STD, INPUT)


RELEASE = Release(
    blueprint=blueprint,
    backbone=OPENAI,
    paper="Ojha et al., CVPR 2023",
    source="https://github.com/WisconsinAIVision/UniversalFakeDetect",
    licence="MIT",
    free=True,
    files={
        "fc_weights.pth": "https://github.com/WisconsinAIVision/UniversalFakeDetect/raw/"
        f"{COMMIT}/pretrained_weights/fc_weights.pth"
    },
    # Means over the eleven sets of ForenSynths and over all nineteen, as the field quotes them
    # (accuracy at 0.5, at most 1,000 + 1,000 images a set)
    published={
        "foren11": {"accuracy": 0.809, "ap": 0.922},
        "ufd19": {"accuracy": 0.814, "ap": 0.934},
    },
)
