"""Network and decoding at 512 x 512 pixels: `python bench/run.py model`.

Beside the network as it was run in 2019 (eager, planes apart, deformable convolution of
torchvision, all heads of all stages, pooling and sorting), and beside ONNX Runtime on the same
weights where it is installed. The share of the ceiling is that of the fastest matrix product, by
the operations that have to be done.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from baselines import detection as published
from report import Row, row
from timer import Ceilings, compare
from torch import Tensor, nn

from centernet.datasets.published import PUBLISHED
from centernet.detectors.detector import Detector
from centernet.models.model import CenterNet, create_model
from centernet.models.networks.DCNv2 import DCN
from centernet.tasks.ctdet import Ctdet

THEIRS, OURS, LOW, ONNX = "2019", "here", "here bfloat16", "onnxruntime"
SIDE = 512
ARCHS = ("dla_34", "resdcn_18", "hourglass")
SHORT = ("resdcn_18",)
TASK = Ctdet(PUBLISHED["coco"])


@torch.no_grad()
def trained(arch: str) -> CenterNet:
    """`arch` with weights as after a training: offsets of some pixels, heat of many heights."""
    torch.manual_seed(0)
    model = create_model(arch, TASK.heads).eval()
    for module in model.modules():
        if isinstance(module, DCN):
            module.conv_offset_mask.weight.normal_(std=0.02)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    for head in model.heads.values():
        for conv in (part for part in head.modules() if isinstance(part, nn.Conv2d)):
            conv.weight.normal_(std=conv.weight[0].numel() ** -0.5)
    return model


def here(detector: Detector, x: Tensor) -> Callable[[], dict[str, Tensor]]:
    """What the detector does with an input, from the network to boxes."""

    def run() -> dict[str, Tensor]:
        raw = detector._raw(x, detector.task.sparse)
        return detector.task.decode(detector.task.activate(raw), 100)

    return run


def onnx_side(model: CenterNet, x: Tensor) -> Callable[[], Tensor]:
    """The raw maps by ONNX Runtime, decoded as in 2019."""
    import onnxruntime

    class Maps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            return tuple(self.model(x, last_only=True)[-1].values())

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        torch.onnx.export(Maps(), (x,), path, dynamo=True, opset_version=20, verbose=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    names, feed = list(model.heads), {session.get_inputs()[0].name: x.numpy()}

    def run() -> Tensor:
        maps = session.run(None, feed)
        return published.decode(
            {name: torch.from_numpy(each) for name, each in zip(names, maps, strict=True)}
        )

    return run


def agree(found: dict[str, Tensor], expected: Tensor) -> None:
    """The same hundred boxes; what scores the same to rounding may stand in another order."""
    torch.testing.assert_close(found["scores"], expected[:, :, 4], atol=1e-4, rtol=0)
    exact = "donot_use_mm_for_euclid_dist"
    apart = torch.cdist(found["boxes"], expected[:, :, :4], compute_mode=exact).amin(2)
    if int((apart > 0.05).sum()) > 1:  # one may be on either side of the hundredth place
        raise AssertionError(f"{int((apart > 0.05).sum())} boxes of 100 differ")


def rows(short: bool, ceilings: Ceilings) -> Iterator[Row]:
    """Milliseconds an image; agreement in float32 is asserted first."""
    for arch in SHORT if short else ARCHS:
        model = trained(arch)
        x = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
        together = x.to(memory_format=torch.channels_last)
        make = partial(Detector, TASK, model, device="cpu")
        eager = published.EagerNetwork(model)
        sides: dict[str, Callable[[], object]] = {
            THEIRS: lambda eager=eager, x=x: published.decode(eager(x)),
            OURS: here(make(), together),
            LOW: here(make(amp="bf16"), together),
        }
        pairs = [(THEIRS, OURS), (THEIRS, LOW)]
        with torch.inference_mode():
            agree(sides[OURS](), sides[THEIRS]())
        if arch != "hourglass" and importlib.util.find_spec("onnxruntime") is not None:
            sides[ONNX] = onnx_side(model, x)
            agree(sides[OURS](), sides[ONNX]())
            pairs.append((ONNX, OURS))
        with torch.inference_mode():
            rounds = compare(sides, rounds=7, warm_up=1)
        for slow, fast in pairs:
            yield row("model", arch, rounds, slow, fast)
