"""Every model of timm that offers its features, read at its strides (extra `timm`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from centernet.io.remote import Remote
from centernet.models.networks.backbone import Pretrained
from centernet.models.networks.trunks.trunk import Normalisation, Trunk, nearest_names
from centernet.runtime.errors import UserError


class TimmTrunk(Trunk):
    """timm's `name` with `features_only`, under timm's own keys."""

    takes_more = False  # its layers run inside one module

    def __init__(self, name: str) -> None:
        super().__init__()
        timm = _timm()
        if name.partition(".")[0] not in timm.list_models():
            near = nearest_names(name, timm.list_models())
            raise UserError(f"timm:{name}: timm has no such model{near}")
        try:
            model: Any = timm.create_model(name, features_only=True, pretrained=False)
        except (RuntimeError, AttributeError, TypeError, AssertionError) as error:
            raise UserError(
                f"timm:{name}: timm does not offer the features of this model"
                f" ({str(error).splitlines()[0] if str(error) else type(error).__name__});"
                " take one with stages at strides 4, 8, 16 and 32"
            ) from error
        self.net = model
        info = model.feature_info
        read = zip(info.reduction(), info.channels(), info.module_name(), strict=True)
        kept = [(stride, width, module) for stride, width, module in read if stride > 1]
        self.strides = tuple(stride for stride, _, _ in kept)
        self.widths = tuple(width for _, width, _ in kept)
        self.finest = len(info.reduction()) - len(kept)
        self.channels_last = str(getattr(model, "output_fmt", "NCHW")).endswith("NHWC")
        self.steps = tuple(f"net.{name}" for name in _levels(model))
        self.taps = tuple(_step(module, self.steps) for _, _, module in kept)
        if len(set(self.strides)) < len(self.strides):
            raise UserError(
                f"timm:{name}: has maps at strides {', '.join(map(str, self.strides))}; take a"
                " model with one map at each of the strides 4, 8, 16 and 32"
            )
        facts = timm.get_pretrained_cfg(name)
        if facts is not None:
            self.normalisation = Normalisation(tuple(facts.mean), tuple(facts.std))
            self.pretrained = _published(facts)

    def renamed(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The tensors of timm's classifier that the feature network has too, by its names."""
        own = self.net.state_dict()
        found = {}
        for key, value in state.items():
            flat = key.replace(".", "_", 1)
            name = next((name for name in (key, flat) if name in own), None)
            if name is not None:
                found[f"net.{name}"] = value
        return found

    def forward(self, x: Tensor, beside: Tensor | None = None) -> list[Tensor]:
        """The maps of `x` from fine to coarse."""
        maps = list(self.net(x))[self.finest :]
        return [m.permute(0, 3, 1, 2) for m in maps] if self.channels_last else maps


def _timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise UserError('timm: is not installed; pip install "centernet[timm]"') from error
    return timm


def _levels(model: nn.Module) -> list[str]:
    """The children of a feature network, and in place of blocks and stages what is in them."""
    names: list[str] = []
    for name, child in model.named_children():
        inside = [inner for inner, _ in child.named_children()]
        names += [f"{name}.{inner}" for inner in inside] if name in ("blocks", "stages") else [name]
    return names


def _step(module: str, steps: tuple[str, ...]) -> str:
    """The step that is timm's `module`; a feature network may call "stages.0" "stages_0"."""
    wanted = (f"net.{module}", f"net.{module.replace('.', '_')}")
    return next((step for step in steps if step in wanted), steps[-1])


def _published(facts: Any) -> Pretrained | None:
    """Where timm has the weights of a model: at an address of its own, in a hub's repository."""
    folder = f"https://huggingface.co/{facts.hf_hub_id}/resolve/main"
    name = ".".join(filter(None, (facts.architecture, facts.tag)))
    hub = (
        Remote(f"{name}.safetensors", f"{folder}/model.safetensors"),
        Remote(f"{name}.bin", f"{folder}/pytorch_model.bin"),
    )
    if facts.url:
        return Pretrained(facts.url, ("",), mirrors=hub if facts.hf_hub_id else ())
    if not facts.hf_hub_id:
        return None
    return Pretrained(hub[0].url, ("",), name=hub[0].name, mirrors=hub[1:])
