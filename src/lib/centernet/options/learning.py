"""The flags of the optimiser, its schedule and the average of the weights."""

from __future__ import annotations

from dataclasses import dataclass

from centernet.runtime.option import option


@dataclass(frozen=True)
class Learning:
    """The optimiser

    Defaults are those of the published programs: Adam, no decay, a rate that drops in steps.
    """

    optim: str = option("adam", "optimiser", ("adam", "adamw", "sgd"))
    weight_decay: float = option(
        0.0, "weight decay; norms and biases have none, but with --decay_all", at_least=0
    )
    decay_all: bool = option(False, "let norms and biases decay like the rest")
    trunk_lr: float = option(
        1.0, "learning rate of the pretrained trunk as a part of that of the rest", at_least=0
    )
    layer_decay: float = option(
        1.0,
        "factor from the learning rate of each stage of the trunk to that of the one before it",
        at_least=0,
    )
    schedule: str = option(
        "step",
        "how the learning rate falls: step (see --lr_step), cosine, or flat_cosine (full for the"
        " first half)",
        ("step", "cosine", "flat_cosine"),
    )
    final_lr: float = option(0.0, "where a cosine ends, as a part of the learning rate", at_least=0)
    warmup: float = option(
        0.0, "epochs, or a part of one, over which the learning rate rises from 0", at_least=0
    )
    ema: float = option(
        0.0,
        "decay of the moving average of the weights, which is then what is validated and kept, as"
        " 0.9998; 0 for none",
        at_least=0,
    )
    ema_steps: float = option(
        2000.0, "steps over which that decay rises, so that short runs average too", at_least=1
    )
