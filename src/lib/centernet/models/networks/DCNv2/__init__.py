"""Modulated deformable convolution: the layer, the operator and the choice of its backend."""

from centernet.models.networks.DCNv2.backends import (
    backend_in_use,
    describe_backend,
    use_backend,
)
from centernet.models.networks.DCNv2.layer import DCN
from centernet.models.networks.DCNv2.operator import deform_conv2d

__all__ = ["DCN", "backend_in_use", "deform_conv2d", "describe_backend", "use_backend"]
