"""C2P-CLIP: CLIP tuned with prompts of the two labels, and a linear layer on its features.

Tan et al., "C2P-CLIP: injecting category common prompt in CLIP to enhance generalization in
deepfake detection", AAAI 2025; trained on ProGAN, 4 classes.
"""

from __future__ import annotations

from networks.detectors.clip import INPUT, LinearProbe, clip, from_transformers, renamed
from networks.detectors.release import CLIP_MEAN, CLIP_STD, Blueprint, Release, State

PROJECTION = "model.visual_projection.weight"


def blueprint(state: State) -> Blueprint:
    """Read C2P_CLIP_release_20240901.pth: transformers' CLIP, with what was tuned merged into it,
    under `model.`, and `model.fc` (1, 768) on the L2-normalized projection.

    An image with a side below 224 is scored otherwise than by the authors: they repeat it to the
    right and downwards until it can be cropped, where the centre crop here puts zeros around it.
    What reaches a network is the crop, so this cannot be made good in here.
    """
    tower = from_transformers(state, "model.vision_model.")
    rest = renamed(tower.rest, "model.fc.", "head.")
    if PROJECTION in rest:  # transformers' has no bias; timm's has one, of zeros for CLIP
        weight = rest.pop(PROJECTION)
        rest["backbone.head.weight"] = weight
        rest["backbone.head.bias"] = weight.new_zeros(weight.shape[:1])
    loaded = {**tower.backbone, **rest}
    return Blueprint(LinearProbe(clip(), l2=True), loaded, CLIP_MEAN, CLIP_STD, INPUT)


RELEASE = Release(
    blueprint=blueprint,
    paper="Tan et al., AAAI 2025",
    source="https://github.com/chuangchuangtan/C2P-CLIP-DeepfakeDetection",
    licence="none stated",
    free=False,
    pages={
        "C2P_CLIP_release_20240901.pth": (
            "https://www.now61.com/f/95OefW/C2P_CLIP_release_20240901.zip"
        )
    },
    # Mean accuracies from the paper; of its mean AP over these sets nothing is known here
    published={"foren11": {"accuracy": 0.938}, "ufd19": {"accuracy": 0.938}},
)
