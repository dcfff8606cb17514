"""Every classifier of torchvision that works in stages, read at its strides."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from centernet.models.networks.backbone import Pretrained
from centernet.models.networks.trunks.trunk import Normalisation, Trunk, nearest_names, read_chain
from centernet.runtime.errors import UserError

# Modules from here on make classes of the last map, and these hold several stages.
ENDS = ("avgpool", "classifier", "fc", "head", "norm", "permute", "flatten")
CONTAINERS = ("features", "layers", "trunk_output")


def names() -> list[str]:
    """The classifiers that torchvision has."""
    import torchvision

    return torchvision.models.list_models(module=torchvision.models)


class TorchvisionTrunk(Trunk):
    """torchvision's classifier `name` under its own keys, without what only classifies.

    That is the pooling and the last layer, and the 1x1 convolution that widens the last map for
    them (MobileNet, EfficientNet, ShuffleNet).
    """

    def __init__(self, name: str) -> None:
        import torchvision  # slow to import, and a list of names does not need it

        super().__init__()
        if name not in names():
            near = nearest_names(name, names())
            raise UserError(f"tv:{name}: torchvision has no such classifier{near}")
        model = torchvision.models.get_model(name, weights=None)
        self.steps = steps_of(model)
        for top in dict.fromkeys(step.partition(".")[0] for step in self.steps):
            inside = [s.partition(".")[2] for s in self.steps if s.startswith(f"{top}.")]
            module = model.get_submodule(top)
            if inside:
                module = nn.Sequential(OrderedDict((n, module.get_submodule(n)) for n in inside))
            self.add_module(top, module)
        probe = torchvision.models.get_model(name, weights=None).to("meta").eval()
        reading = read_chain(probe, self.steps, f"tv:{name}")
        self.taps, self.strides, self.widths = reading.taps, reading.strides, reading.widths
        self.channels_last = reading.channels_last
        weights = torchvision.models.get_model_weights(name)
        best = getattr(weights, "IMAGENET1K_V1", None) or next(iter(weights))
        dropped = tuple(f"{n}." for n in candidates(model) if n not in self.steps)
        self.pretrained = Pretrained(best.url, ("",), ignored=dropped)
        transform = best.transforms()
        self.normalisation = Normalisation(tuple(transform.mean), tuple(transform.std))


def steps_of(model: nn.Module) -> tuple[str, ...]:
    """The modules of a classifier that run one after another before it pools."""
    steps: list[str] = []
    for name in candidates(model):
        if name in ENDS:
            break
        if not name.lower().startswith("aux"):
            steps.append(name)
    if len(steps) > 1 and _widens(model.get_submodule(steps[-1])):
        steps.pop()
    return tuple(steps)


def _widens(module: nn.Module) -> bool:
    """Whether `module` is a 1x1 convolution and what belongs to it, and nothing else."""
    convs = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
    return (
        isinstance(module, nn.Sequential)
        and len(convs) == 1
        and convs[0].kernel_size == (1, 1)
        and len(list(module.children())) <= 3
    )


def candidates(model: nn.Module) -> list[str]:
    """The names of the modules of `model` at the level of the steps."""
    level: list[str] = []
    for name, child in model.named_children():
        if name in CONTAINERS and isinstance(child, nn.Sequential):
            level += [f"{name}.{inner}" for inner, _ in child.named_children()]
        else:
            level.append(name)
    return level
