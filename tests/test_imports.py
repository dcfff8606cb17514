"""What a command has to wait for before it answers --help."""

from __future__ import annotations

import json
import subprocess
import sys

SLOW = ("torchvision", "torch._dynamo", "torch._inductor", "torch.onnx", "matplotlib")
PROGRAM = """
import json, sys
from centernet import cli
try:
    cli.main(["train", "ctdet", "--help"])
except SystemExit as end:
    assert end.code in (0, None)
print()
print(json.dumps(sorted(sys.modules)))
"""


def test_help_waits_for_little() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert "centernet.models.networks" in loaded  # which names the networks
    assert [name for name in SLOW if name in loaded] == []
