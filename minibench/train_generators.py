"""Train the generators: `python -m minibench.train_generators [--families a,b]`."""

import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from minibench.families import FAMILIES, NETWORKS, family_and_class
from minibench.generators import GENERATORS, Generator, load_generator, pack_weights
from minibench.photographs import cut, draw_crop
from networks.device import autocast, choose_device
from options.minibench_options import GeneratorOptions
from options.parse import parse
from util.console import as_typed, be_quiet
from util.errors import UsageError, run
from util.files import atomic_write
from util.machine import processor
from util.progress import begin, end, progress

BATCH = 32
CROPS = 16384
"""Crops drawn before training, of which the batches are drawn."""
TOP_RATE = 2e-3
CRITIC_RATE = 1e-3
PICTURE = 10.0
"""Weight of the differences from the photograph against that of the discriminator's verdict."""
JOINS_AFTER = 0.1
"""Share of the steps after which the discriminator joins: first the picture, then its texture."""
AVERAGED_OVER = 0.998
"""Decay of the weights' average, which is what ships, as ProGAN's and StyleGAN's authors do."""


def draw_crops(split: str, number: int, seed: int, *, kind: str | None = None) -> Tensor:
    """Draw crops from the photographs of `split`: (number, 3, 64, 64) uint8."""
    rng = np.random.default_rng([seed, *split.encode()])
    crops = np.stack([cut(draw_crop(split, rng, kind=kind)) for _ in range(number)])
    return torch.from_numpy(crops).permute(0, 3, 1, 2).contiguous()


def in_range(pixels: Tensor) -> Tensor:
    """Bring uint8 pixels to floats in [-1, 1]."""
    return pixels.float() / 127.5 - 1


def patch_discriminator() -> nn.Sequential:
    """Build a net with spectral norm (Miyato et al., 2018): N,3,H,W -> a score per 4x4 pixels.

    Its first layer sees every pixel: what it cannot see, the generator does not learn.
    """
    return nn.Sequential(
        *(spectral_norm(nn.Conv2d(3, 32, 3, 1, 1)), nn.LeakyReLU(0.2)),
        *(spectral_norm(nn.Conv2d(32, 64, 4, 2, 1)), nn.LeakyReLU(0.2)),
        *(spectral_norm(nn.Conv2d(64, 96, 4, 2, 1)), nn.LeakyReLU(0.2)),
        *(spectral_norm(nn.Conv2d(96, 96, 3, 1, 1)), nn.LeakyReLU(0.2)),
        spectral_norm(nn.Conv2d(96, 1, 3, 1, 1)),
    )


def amount_of_detail(images: Tensor) -> Tensor:
    """Return how much each 8x8 pixels differ from their 3x3 means: N,3,H,W -> N,3,H/8,W/8.

    Means of absolute differences leave open which detail it is. A network that is held to the
    pixels alone blurs what it cannot know, and blur would mark its fakes more than its upsampling.
    """
    return F.avg_pool2d((images - F.avg_pool2d(images, 3, 1, 1)).abs(), 8)


def mean_error(generator: Generator, split: str, kind: str | None) -> float:
    """Return the mean absolute error of a generator's pixels on crops of `split`, in [-1, 1]."""
    images = in_range(draw_crops(split, 256, 7, kind=kind))
    torch.manual_seed(7)
    with torch.no_grad():
        errors = [(generator(part) - part).abs().mean().item() for part in images.split(BATCH)]
    return float(np.mean(errors))


def fit_generator(network: str, steps: int, seed: int, *, device: torch.device) -> Generator:
    """Train one network on crops of the train photographs; return the average of its weights."""
    family, kind = family_and_class(network)
    torch.manual_seed(seed)
    pool = draw_crops("train", CROPS, seed, kind=kind).to(device)
    generator = GENERATORS[family]().to(device).to(memory_format=torch.channels_last)
    average = AveragedModel(
        generator, multi_avg_fn=get_ema_multi_avg_fn(AVERAGED_OVER), use_buffers=True
    )
    critic = patch_discriminator().to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(generator.parameters(), lr=TOP_RATE, betas=(0.5, 0.99))
    critic_optimizer = torch.optim.Adam(critic.parameters(), lr=CRITIC_RATE, betas=(0.5, 0.99))
    schedule, critic_schedule = (
        torch.optim.lr_scheduler.OneCycleLR(each, rate, total_steps=steps, cycle_momentum=False)
        for each, rate in ((optimizer, TOP_RATE), (critic_optimizer, CRITIC_RATE))
    )
    for step in progress(range(steps), network, unit="step", leave=True):
        generator.grow(step / steps)
        real = in_range(pool[torch.randint(CROPS, (BATCH,), device=device)])
        with autocast(device, "bf16"):
            fake = generator(real).float()
        detail = F.l1_loss(amount_of_detail(fake), amount_of_detail(real))
        loss = PICTURE * (F.l1_loss(fake, real) + detail)

        if step >= JOINS_AFTER * steps and not generator.restores:
            with autocast(device, "bf16"):
                real_scores, fake_scores = critic(real).float(), critic(fake.detach()).float()
            critic_loss = F.relu(1 - real_scores).mean() + F.relu(1 + fake_scores).mean()
            critic_optimizer.zero_grad()
            critic_loss.backward()
            critic_optimizer.step()
            critic_schedule.step()
            critic.requires_grad_(False)  # the gradient of its weights is not needed below
            with autocast(device, "bf16"):
                loss = loss - critic(fake).float().mean()
            critic.requires_grad_(True)

        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        average.update_parameters(generator)
    averaged = average.module
    assert isinstance(averaged, Generator)
    averaged.grow(1.0)
    return averaged.cpu()


def train_network(
    network: str, steps: int, seed: int, *, device: torch.device, out: Path
) -> dict[str, Any]:
    """Train one network, save its weights in `out`, and return its line for training.json."""
    torch.set_num_threads(1)  # one network per core: faster than one network on all cores
    start = time.perf_counter()
    generator = fit_generator(network, steps, seed, device=device)
    seconds = time.perf_counter() - start
    with atomic_write(str(out / f"{network}.safetensors"), "wb") as file:
        file.write(pack_weights(generator))
    shipped = load_generator(network, out)  # measure what ships: half precision
    _, kind = family_and_class(network)
    return {
        "steps": steps,
        "seed": seed,
        "parameters": sum(p.numel() for p in generator.parameters()),
        "seconds": round(seconds, 1),
        "train_error": round(mean_error(shipped, "train", kind), 4),
        "val_error": round(mean_error(shipped, "val", kind), 4),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else processor()[0],
        "torch": torch.__version__,
    }


def add_line(path: Path, network: str, line: dict[str, Any]) -> None:
    """Insert a network's line into training.json, one line each, in the paper's order."""
    lines = json.loads(path.read_text()) if path.exists() else {}
    lines[network] = line
    known = [name for name in NETWORKS if name in lines]
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(lines[name])}" for name in known)
    with atomic_write(str(path)) as file:
        file.write(f"{{\n{rows}\n}}\n")


def main() -> int:
    """Train the networks of the families that the command line names; 1 where one failed."""
    options = parse(GeneratorOptions)
    begun = begin(options.quiet)
    families, out = options.families or FAMILIES, Path(options.out)
    if unknown := sorted(set(families) - set(FAMILIES)):
        raise UsageError(f"--families: no {', '.join(unknown)}; there are {', '.join(FAMILIES)}")
    device = choose_device(options.device)
    out.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        options.processes, context, initializer=be_quiet, initargs=(options.quiet,)
    ) as pool:
        jobs = {}
        for number, network in enumerate(NETWORKS):
            if family_and_class(network)[0] in families:
                seed = options.seed + number
                job = pool.submit(
                    train_network, network, options.steps, seed, device=device, out=out
                )
                jobs[job] = network
        failed = False
        for job in as_completed(jobs):
            if error := job.exception():
                failed = True
                print(f"{jobs[job]}: {error}", file=sys.stderr)
                continue
            add_line(out / "training.json", jobs[job], job.result())
            print(f"{jobs[job]}: {json.dumps(job.result())}", flush=True)
    end(begun, "" if failed else as_typed("-m", "minibench.build", "--overwrite"))
    return int(failed)


if __name__ == "__main__":
    run(main)
