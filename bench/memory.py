"""Suite `memory`: what training and testing take, beside 2019: `python bench/memory.py --write`.

Inputs are 256 x 256 pixels. Each figure is of a process of its own: the most that was resident in
it (Linux's /proc), beyond what it had after its imports and the run of a tiny network; weights,
gradients and the optimiser's moments are in it. Freed blocks go back to the system at once: glibc
would keep some, up to 90 MB by what went before. Bytes kept for the gradient are counted from
shapes alone, and are the same on every machine.
"""

from __future__ import annotations

import argparse
import ctypes
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path

import model as testing
import torch
import train as training
from baselines import detection as published
from baselines.training import step as published_step
from report import Row, table
from timer import Ceilings, Ratio, machine

from centernet.detectors.detector import Detector
from centernet.models.measure import SavedForBackward
from centernet.models.networks.segment import recompute

PAGE = Path(__file__).resolve().parents[1] / "docs" / "memory.md"
SIDE = 256
ARCHS = ("mobilenetv3", "unet", "resdcn_18", "dla_34", "hourglass")
SHORT, SHORT_PHASE = ("unet",), "training"
STACKED = "hourglass"  # the one that can compute its activations twice
OLD, HERE, TWICE = "2019", "here", "here, computed twice"
BATCHES = {"training": (1, 2), "testing": (1, 4)}
RUNS = {"training": 2, "testing": 1}  # there are moments from the second step on
MB = 1e6
MMAP_THRESHOLD, BLOCK = -3, 128 << 10  # of glibc's mallopt: larger blocks are mapped and unmapped


def learner(arch: str, side: str, images: int) -> Callable[[], object]:
    """A training step of a batch, which is what `train.py` times."""
    data = training.batch(images)
    if side == OLD:
        return partial(published_step(training.network(arch), training.RATE), data)
    step = training.ours(arch)
    if side == TWICE:
        recompute(step.model, arch)
    return partial(step, [data])


def tester(arch: str, side: str, images: int) -> Callable[[], object]:
    """Network and decoding, which is what `model.py` times."""
    network = testing.trained(arch)
    x = torch.randn(images, 3, SIDE, SIDE)
    if side == OLD:
        eager = published.EagerNetwork(network)
        return torch.inference_mode()(lambda: published.decode(eager(x)))
    detector = Detector.of(testing.TASK, network, device="cpu", in_place=True)  # as load_detector
    x = x.to(memory_format=torch.channels_last)
    return torch.inference_mode()(testing.here(detector, x))


MAKE = {"training": learner, "testing": tester}


def resident(most: bool) -> int:
    """Bytes of this process that are in memory, or that were at most."""
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    name = "VmHWM:" if most else "VmRSS:"
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith(name))


def measure(phase: str, arch: str, side: str, images: int) -> int:
    """Bytes at most beyond those of the bare program; for a process that does nothing else."""
    torch.set_num_threads(1)
    ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, BLOCK)
    MAKE[phase]("unet", side if side != TWICE else HERE, 1)()
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the most so far is forgotten
    base = resident(most=False)
    run = MAKE[phase](arch, side, images)
    for _ in range(RUNS[phase]):
        run()
    return resident(most=True) - base


def apart(phase: str, arch: str, side: str, images: int) -> float:
    """`measure` in a process of its own, in MB."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([Path(__file__).stem])  # imports once for all processes
    with context.Pool(1) as pool:
        return pool.apply(measure, (phase, arch, side, images)) / MB


def kept(arch: str, side: str, images: int) -> float:
    """MB that the network keeps for the gradient of its maps."""
    with torch.device("meta"):
        network = training.network(arch)
        if side == TWICE:
            recompute(network, arch)
        with SavedForBackward(network) as counted:
            network(torch.empty(images, 3, SIDE, SIDE))
    return counted.bytes / MB


def row(case: str, values: dict[str, float], slow: str, fast: str) -> Row:
    """The row of one pair of sides; a figure of bytes has no rounds."""
    ratio = values[slow] / values[fast]
    return Row("memory", case, slow, fast, (values[slow], values[fast]), Ratio(ratio, ratio))


def rows(short: bool, ceilings: Ceilings | None = None) -> Iterator[Row]:
    """MB at most, in training and in testing; the short suite has one network in training."""
    for arch in SHORT if short else ARCHS:
        for phase, batches in BATCHES.items():
            if short and phase != SHORT_PHASE:
                continue
            stacked = arch == STACKED and phase == "training"
            for images in batches[:1] if short else batches:
                case = f"{arch}, {phase}, batch {images}"
                sides = (OLD, HERE, TWICE) if stacked else (OLD, HERE)
                values = {side: apart(phase, arch, side, images) for side in sides}
                for side in sides[1:]:
                    yield row(case, values, OLD, side)
    sides = (HERE, TWICE)
    values = {side: kept(STACKED, side, 1) for side in sides}
    yield row(f"{STACKED}, kept for the gradient, batch 1", values, HERE, TWICE)


def page(found: list[Row]) -> str:
    """docs/memory.md."""
    archs = [f"{arch} {kept(arch, HERE, 1):.0f}" for arch in ARCHS]
    return f"""# Memory

Measured on {date.today().isoformat()} by `python bench/memory.py --write`, on {machine()}.

{__doc__.split(chr(10), 2)[2].strip()}

"2019" is the network as it was then: planes apart in memory, torchvision's deformable convolution,
heads of all stages, pooling and sorting; "here" is what `main.py` (with `--channels_last`) and
`test.py` run. "Computed twice" is `--checkpoint_activations`.

Kept for the gradient of one image, MB, whatever the machine: {", ".join(archs)}; in proportion to
the area of the image, and to the batch.
{table(found)}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="one network in training, one batch")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    found = []
    for each in rows(options.short):
        found.append(each)
        print(each, flush=True)
    if options.write:
        PAGE.write_text(page(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
