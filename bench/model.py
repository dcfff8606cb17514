"""Network and decoding at 512 x 512 pixels: `python bench/run.py model`.

Beside the network as it was run in 2019 (eager, planes apart, deformable convolution of
torchvision, all heads of all stages, pooling and sorting), and beside ONNX Runtime and OpenVINO on
the same weights where they are installed.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from baselines import detection as published
from numpy.typing import NDArray
from report import Row, row
from timer import Ceilings, compare
from torch import Tensor, nn

from centernet.datasets.published import PUBLISHED
from centernet.detectors.detector import Detector
from centernet.models.create import create_model
from centernet.models.model import CenterNet
from centernet.models.networks.DCNv2 import DCN
from centernet.tasks.ctdet import Ctdet

THEIRS, OURS, LOW = "2019", "here", "here bfloat16"
ONNX, VINO = "onnxruntime", "openvino"
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
        task = detector.task
        return task.decode(task.activate(*detector._raw(x, task.sparse), task.peaked), 100)

    return run


def exported(model: CenterNet, x: Tensor, path: Path) -> None:
    """Write the raw maps of `model` for inputs of the shape of `x` as an ONNX file."""

    class Maps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            return tuple(self.model(x, last_only=True)[-1].values())

    torch.onnx.export(Maps().eval(), (x,), path, dynamo=True, opset_version=20, verbose=False)


def onnx_runtime(path: Path, x: Tensor) -> Callable[[], list[NDArray]]:
    """The maps that ONNX Runtime makes of `x` by the network in the file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    return partial(session.run, None, {session.get_inputs()[0].name: x.numpy()})


def openvino(path: Path, x: Tensor) -> Callable[[], list[NDArray]]:
    """The maps that OpenVINO makes of `x` by the network in the file, in float32."""
    import openvino
    from openvino.frontend import ConversionExtension

    core = openvino.Core()
    core.add_extension(ConversionExtension("DeformConv", deformable))
    threads = {"INFERENCE_NUM_THREADS": torch.get_num_threads()}
    exact = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(path, "CPU", {**threads, **exact}).create_infer_request()
    images = x.numpy()
    return lambda: list(request.infer([images]).values())


def deformable(node: Any) -> Any:
    """ONNX's DeformConv in OpenVINO's operators, which it can compute but not read."""
    from openvino import opset8 as ops

    data, weight, offset, bias, mask = (node.get_input(each) for each in range(5))
    pads = node.get_attribute("pads")
    found = ops.deformable_convolution(
        data,
        offset,
        weight,
        node.get_attribute("strides"),
        pads[:2],
        pads[2:],
        node.get_attribute("dilations"),
        mask,
        bilinear_interpolation_pad=True,
    )
    return ops.add(found, ops.reshape(bias, [1, -1, 1, 1], special_zero=False)).outputs()


RIVALS = {ONNX: onnx_runtime, VINO: openvino}


def rivals(model: CenterNet, x: Tensor) -> dict[str, Callable[[], Tensor]]:
    """The installed ones, their maps decoded as in 2019."""
    installed = [name for name in RIVALS if importlib.util.find_spec(name) is not None]
    if not installed:
        return {}

    def run(maps: Callable[[], list[NDArray]]) -> Tensor:
        named = zip(model.heads, maps(), strict=True)
        return published.decode({name: torch.from_numpy(each) for name, each in named})

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        exported(model, x, path)
        return {name: partial(run, RIVALS[name](path, x)) for name in installed}


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
            sides[LOW]()  # the others are warm from being compared
        for name, side in rivals(model, x).items() if arch != "hourglass" else ():
            sides[name] = side
            agree(sides[OURS](), side())
            pairs.append((name, OURS))
        with torch.inference_mode():
            rounds = compare(sides, rounds=7, warm_up=0)
        for slow, fast in pairs:
            yield row("model", arch, rounds, slow, fast)
