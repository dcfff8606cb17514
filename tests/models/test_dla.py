"""DLA-34: the parts that its checkpoints carry and its output never sees, and how it starts."""

from __future__ import annotations

import pytest
import torch

from centernet.models.networks.dla import DLA, Trunk

UNUSED = ("base.fc.", "base.level3.project.", "base.level4.project.")


@pytest.mark.parametrize("dcn", [False, True])
def test_unused_parameters_get_no_gradient_and_all_others_do(dcn: bool) -> None:
    torch.manual_seed(0)
    backbone = DLA(dcn=dcn)
    backbone(torch.randn(2, 3, 64, 64))[0].square().sum().backward()
    without = [name for name, p in backbone.named_parameters() if p.grad is None]
    assert without == [n for n, _ in backbone.named_parameters() if n.startswith(UNUSED)]
    assert len(without) == 8
    assert all(p.requires_grad for p in backbone.parameters())


def test_unused_statistics_move_in_training_only() -> None:
    torch.manual_seed(0)
    trunk = Trunk().eval()
    mean = trunk.level3.project[1].running_mean
    x = torch.randn(2, 3, 64, 64)
    trunk(x)
    assert mean.count_nonzero() == 0
    trunk.train()(x)
    assert mean.count_nonzero() == len(mean)


def test_levels_have_strides_1_to_32() -> None:
    with torch.device("meta"):
        levels = Trunk()(torch.empty(1, 3, 64, 128))
    assert [tuple(level.shape[1:]) for level in levels] == [
        (16, 64, 128), (32, 32, 64), (64, 16, 32), (128, 8, 16), (256, 4, 8), (512, 2, 4)
    ]  # fmt: skip


@pytest.mark.parametrize("dcn", [False, True])
def test_regressions_start_without_bias(dcn: bool) -> None:
    torch.manual_seed(0)
    head = DLA(dcn=dcn).make_head(2, head_conv=256, bias=None)
    assert head[0].bias.count_nonzero() == head[2].bias.count_nonzero() == 0
    small = head[0].weight.std().item() == pytest.approx(0.001, rel=0.05)
    assert small is not dcn  # with DCN the weights keep PyTorch's own start


def test_activations_keep_their_size_through_the_random_trunk() -> None:
    torch.manual_seed(0)
    levels = Trunk()(torch.randn(2, 3, 128, 128))
    assert all(0.3 < level.std() < 3 for level in levels)
