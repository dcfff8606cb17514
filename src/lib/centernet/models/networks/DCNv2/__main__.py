"""Compile the CPU kernels ahead of their first use, as an image or an installer would want."""

from __future__ import annotations

import sys

from centernet.models.networks.DCNv2 import build

try:
    print(build.library())
except build.BuildError as reason:
    sys.exit(f"DCNv2: {reason}")
