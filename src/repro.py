"""Expected beside measured: python repro.py [NAME ...]"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

try:
    from centernet.commands.repro import repro
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "centernet":
        raise  # torch missing is torch's message, not ours
    sys.exit(f"centernet is not installed in {sys.prefix}.\nRun:  pip install -e {ROOT}")

if __name__ == "__main__":
    sys.exit(repro(sys.argv[1:], ROOT))
