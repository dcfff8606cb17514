"""The focal loss in few passes is the one that autograd makes of the formula."""

from __future__ import annotations

import pytest
import torch

from centernet.heads.focal import focal_sum, written_out

LIMIT = 3.0


def maps(layout: torch.memory_format, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits well within the limit, just so and beyond; targets up to 1, the peaks."""
    torch.manual_seed(0)
    raw = torch.randn(2, 5, 7, 9, dtype=dtype) * 2
    raw[0, 0, 0, :4] = torch.tensor([0.99 * LIMIT, -0.99 * LIMIT, 50.0, -50.0])
    heat = torch.rand(2, 5, 7, 9) ** 3
    heat[torch.rand(heat.shape) < 0.05] = 1
    heat[1, 2, 3, 4] = 1 - 2**-24
    return raw.contiguous(memory_format=layout).requires_grad_(), heat.to(dtype)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("peaks", [True, False], ids=["peaks", "no peak"])
def test_sum_and_gradient(layout: torch.memory_format, dtype: torch.dtype, peaks: bool) -> None:
    raw, heat = maps(layout, dtype)
    heat = heat if peaks else heat.clamp(max=0.9)
    before = raw.detach().clone(), heat.clone()
    totals = [each(raw, heat, LIMIT) for each in (focal_sum, written_out)]
    gradients = [torch.autograd.grad(2 * total, raw)[0] for total in totals]
    torch.testing.assert_close(*totals)
    torch.testing.assert_close(*gradients)
    assert 0 < int((gradients[0] == 0).sum()) < raw.numel()
    assert torch.equal(raw, before[0])
    assert torch.equal(heat, before[1])


def test_the_gradient_is_that_of_the_sum() -> None:
    raw, heat = maps(torch.channels_last, torch.float64)
    assert torch.autograd.gradcheck(lambda x: focal_sum(x, heat, LIMIT), raw)


def test_what_is_no_number_is_not_hidden() -> None:
    raw, heat = maps(torch.contiguous_format, torch.float32)
    broken = raw.detach().clone()
    broken[0, 1, 2, 3] = torch.nan
    broken.requires_grad_()
    total = focal_sum(broken, heat, LIMIT)
    assert total.isnan()
    assert torch.autograd.grad(total, broken)[0][0, 1, 2, 3].isnan()
