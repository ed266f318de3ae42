"""Train the generators: `python -m minibench.train_generators [--families a,b]`."""

import json
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from tqdm import tqdm

from minibench.families import FAMILIES
from minibench.generators import GENERATORS, Generator, load_generator, pack_weights
from minibench.photographs import cut, draw_crop
from options.minibench_options import GeneratorOptions
from options.parse import parse
from util.errors import UsageError, run
from util.files import atomic_write

STEPS = 1500
LONGER = {"progan": 3000, "crn": 3000, "imle": 3000}
"""Families that need more: ProGAN's detail comes late, after its last resolution has faded in, and
the borders of the label map in CRN and IMLE vanish slowly."""
BATCH = 16
CROP = 64
TOP_RATE = 2e-3
ADVERSARIAL = 0.05
JOINS_AFTER = 0.25
"""Share of the steps after which the discriminator joins: first the picture, then its texture."""


def draw_batch(split: str, rng: np.random.Generator) -> Tensor:
    """Draw a batch of crops from the photographs of `split`: (16, 3, 64, 64) in [-1, 1]."""
    crops = np.stack([cut(draw_crop(split, rng, CROP), CROP) for _ in range(BATCH)])
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 127.5 - 1


def patch_discriminator() -> nn.Sequential:
    """Build a net with spectral norm (Miyato et al., 2018): N,3,H,W -> a score per 4x4 pixels."""
    return nn.Sequential(
        *(spectral_norm(nn.Conv2d(3, 24, 4, 2, 1)), nn.LeakyReLU(0.2)),
        *(spectral_norm(nn.Conv2d(24, 48, 4, 2, 1)), nn.LeakyReLU(0.2)),
        *(spectral_norm(nn.Conv2d(48, 64, 3, 1, 1)), nn.LeakyReLU(0.2)),
        spectral_norm(nn.Conv2d(64, 1, 3, 1, 1)),
    )


def mean_error(generator: Generator, split: str, batches: int = 16) -> float:
    """Return the mean absolute error of a generator on crops of `split`, pixels in [-1, 1]."""
    rng = np.random.default_rng([7, *split.encode()])
    torch.manual_seed(7)
    errors = []
    for _ in range(batches):
        images = draw_batch(split, rng)
        with torch.no_grad():
            errors.append((generator(images) - images).abs().mean().item())
    return float(np.mean(errors))


def fit_generator(family: str, steps: int, seed: int) -> Generator:
    """Train one family's generator on crops of the train photographs."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    generator = GENERATORS[family]().to(memory_format=torch.channels_last)
    critic = patch_discriminator().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(generator.parameters(), lr=TOP_RATE, betas=(0.5, 0.99))
    critic_optimizer = torch.optim.Adam(critic.parameters(), lr=5e-4, betas=(0.5, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, TOP_RATE, total_steps=steps, cycle_momentum=False
    )
    half = torch.autocast("cpu", torch.bfloat16)  # nearly twice as fast where the CPU has it
    for step in tqdm(range(steps), desc=family, mininterval=5, unit="step"):
        generator.grow(step / steps)
        real = draw_batch("train", rng).to(memory_format=torch.channels_last)
        with half:
            fake = generator(real).float()
        loss = F.l1_loss(fake, real)

        if step >= JOINS_AFTER * steps:
            with half:
                real_scores, fake_scores = critic(real).float(), critic(fake.detach()).float()
            critic_loss = F.relu(1 - real_scores).mean() + F.relu(1 + fake_scores).mean()
            critic_optimizer.zero_grad()
            critic_loss.backward()
            critic_optimizer.step()
            critic.requires_grad_(False)  # the gradient of its weights is not needed below
            with half:
                loss = loss - ADVERSARIAL * critic(fake).float().mean()
            critic.requires_grad_(True)

        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    generator.grow(1.0)
    return generator


def train_family(family: str, steps: int, seed: int, *, out: Path) -> dict[str, Any]:
    """Train one family, save its weights in `out`, and return its line for training.json."""
    torch.set_num_threads(1)  # one family per core: faster than one family on all cores
    start = time.perf_counter()
    generator = fit_generator(family, steps, seed)
    seconds = time.perf_counter() - start
    with atomic_write(str(out / f"{family}.safetensors"), "wb") as file:
        file.write(pack_weights(generator))
    shipped = load_generator(family, out)  # measure what ships: half precision
    return {
        "steps": steps,
        "seed": seed,
        "parameters": sum(p.numel() for p in generator.parameters()),
        "seconds": round(seconds, 1),
        "train_error": round(mean_error(shipped, "train"), 4),
        "val_error": round(mean_error(shipped, "val"), 4),
        "torch": torch.__version__,
    }


def add_line(path: Path, family: str, line: dict[str, Any]) -> None:
    """Insert a family's line into training.json, one line per family, in the paper's order."""
    lines = json.loads(path.read_text()) if path.exists() else {}
    lines[family] = line
    known = [name for name in FAMILIES if name in lines]
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(lines[name])}" for name in known)
    with atomic_write(str(path)) as file:
        file.write(f"{{\n{rows}\n}}\n")


def main() -> None:
    """Train the families that the command line names."""
    options = parse(GeneratorOptions)
    families, out = options.families or FAMILIES, Path(options.out)
    if unknown := sorted(set(families) - set(FAMILIES)):
        raise UsageError(f"--families: no {', '.join(unknown)}; there are {', '.join(FAMILIES)}")
    out.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.processes, mp_context=context) as pool:
        jobs = {}
        for family in dict.fromkeys(families):
            steps = options.steps or LONGER.get(family, STEPS)
            seed = options.seed + FAMILIES.index(family)
            jobs[pool.submit(train_family, family, steps, seed, out=out)] = family
        for job in as_completed(jobs):
            line = job.result()
            add_line(out / "training.json", jobs[job], line)
            print(f"{jobs[job]}: {json.dumps(line)}", flush=True)


if __name__ == "__main__":
    run(main)
