"""Where in an image the evidence for the verdict lies: Grad-CAM."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from networks.detector import Detector, NetworkDetector
from networks.maps import Maps
from networks.normalize import normalize
from util.errors import UsageError


def gradcam(detector: Detector, image: Tensor, threshold: float = 0.0) -> npt.NDArray[np.float32]:
    """Return Grad-CAM (Selvaraju et al. 2017, equations 1 and 2) of the verdict on one image.

    `image` is (3, H, W) uint8. Returns (H, W) float32 in [0, 1]: the evidence for "fake" where the
    logit is above `threshold`, else the evidence for "real", as a share of the strongest in this
    image; zeros where there is none. A cell of a ResNet's maps stands for 32x32 pixels (8x8 behind
    a stem of stride 1), so the answer is coarse. Works in inference mode, too; the network's mode,
    parameters and gradients stay as they are. Raises UsageError where the detector has no maps.
    """
    network, maps_at = require_maps(detector)
    with torch.inference_mode(False), torch.enable_grad():
        images = normalize(image[None].to(network.device), network.mean, network.std)
        logit, maps = _forward(network.network, maps_at.module, images)
        score = logit if logit.item() > threshold else -logit
        (gradient,) = torch.autograd.grad(score, maps)
    gradient, maps = (maps_at.as_nchw(x, *image.shape[1:]) for x in (gradient, maps.detach()))
    weights = gradient.mean(dim=(2, 3), keepdim=True)  # equation 1
    heat = (weights * maps).sum(dim=1, keepdim=True).relu()  # equation 2
    heat = F.interpolate(heat.float(), image.shape[1:], mode="bilinear")
    strongest = heat.max()
    if strongest > 0:
        heat = heat / strongest
    result: npt.NDArray[np.float32] = heat[0, 0].cpu().numpy()
    return result


def require_maps(detector: Detector) -> tuple[NetworkDetector, Maps]:
    """Return the detector, and where its maps are; raise UsageError where it has none."""
    if not isinstance(detector, NetworkDetector) or detector.maps is None:
        raise UsageError(f"--gradcam: {detector.name} has no maps to weigh; leave it out")
    return detector, detector.maps


def _forward(network: nn.Module, features: str, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logit and the maps it follows from; only what lies between is differentiable."""
    kept: list[Tensor] = []

    def start_here(module: nn.Module, inputs: object, maps: Tensor) -> Tensor:
        kept.append(maps.detach().requires_grad_())
        return kept[0]

    modes = {module: module.training for module in network.modules()}
    hook = network.get_submodule(features).register_forward_hook(start_here)
    try:
        network.eval()
        # a state dict holds the parameters detached: no graph is kept for the layers before the
        # maps, which would take most of the memory
        logit: Tensor = functional_call(network, network.state_dict(), (images,))
    finally:
        hook.remove()
        for module, training in modes.items():
            module.training = training
    return logit.squeeze(), kept[0]
