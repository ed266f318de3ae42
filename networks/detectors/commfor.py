"""Community Forensics (Park and Owens, CVPR 2025): a ViT-S/16 at 384 or at 224 pixels.

What timm says of this backbone's input (mean and deviation 0.5) is not what the detector was
trained with: the authors normalise with ImageNet's statistics (dataloader.py, models.py).
"""

from __future__ import annotations

import torch

from networks.architectures import IMAGENET_MEAN, IMAGENET_STD
from networks.detectors.release import Blueprint, Release, State
from networks.input_spec import InputSpec
from networks.timm_models import import_timm

PATCH = 16  # pixels
RESIZE = {384: 440, 224: 256}  # side of the crop -> of the short side before it (models.py)
LARGER = 384  # the authors' main model, and what a file of neither size is compared with


def blueprint(state: State) -> Blueprint:
    """Return the network of the size that the position embedding is for."""
    state = {key.removeprefix("vit."): value for key, value in state.items()}
    sizes = {1 + (size // PATCH) ** 2: size for size in RESIZE}  # positions: class token, patches
    positions = state["pos_embed"].shape[1:2].numel() if "pos_embed" in state else 0
    size = sizes.get(positions, LARGER)
    with torch.device("meta"):
        network = import_timm().create_model(f"vit_small_patch16_{size}", num_classes=1)
    # torchvision's Resize and CenterCrop, which images of other sizes come through
    spec = InputSpec(size, size, any_size=False, resize=RESIZE[size])
    return Blueprint(network, state, IMAGENET_MEAN, IMAGENET_STD, spec)


RELEASE = Release(
    blueprint=blueprint,
    paper="Park and Owens, CVPR 2025",
    source="https://github.com/JeongsooP/Community-Forensics",
    licence="MIT (code and weights)",
    free=True,
    files={  # both are called model.safetensors there
        f"commfor-model-{size}.safetensors": (
            f"https://huggingface.co/OwensLab/commfor-model-{size}/resolve/main/model.safetensors"
        )
        for size in RESIZE
    },
    sha256={  # not the authors' word, but that of projects that pin these files: two of them for
        # 384 (87,262,324 bytes, revision 6076002b), one for 224 (revision 26afc31e)
        "commfor-model-384.safetensors": (
            "b89f36275f3bf5e2b040eee36597a8f19db051bff9a473a9cf7b2466284fb387"
        ),
        "commfor-model-224.safetensors": (
            "a6cc439d5a6d2dfadd60c77d27a2838ad55b34e601ecd30f46ad97266d6ac4e0"
        ),
    },
    published={  # of the larger one; from a secondary text, the paper's table not seen. Its own
        # PublicEval (21 unseen generators): mAP 0.987, accuracy 0.892
        "synthbuster": {"ap": 0.904, "accuracy": 0.818},
    },
    published_of="commfor-model-384.safetensors",
)
