"""Whether `pytest --long` runs: thousands of made-up inputs, and every pair of two registries."""

from __future__ import annotations

import os

LONG = bool(os.environ.get("CENTERNET_LONG"))  # set by --long before tests are collected
